"""The decision that several policies make together, as AWS documents it.

```
a Deny that applies, in any policy ............. denied, explicitly
organisation policies .......................... each level has to allow, when there are any
resource policy, caller of the same account .... an Allow that names the very user, session or service (or everybody)
                                                 is enough; one that names the session's role is enough within
                                                 session policy and boundary; one that names the account is not
another account's resource ..................... the resource policy and the caller's own policies both have to allow
identity policies .............................. have to allow, where the resource policy was not enough
session policy, permissions boundary ........... have to allow as well, when there are any
```

The account's root has no identity policies: it may do everything that is not denied and that organisation policies and
(for another account's resource) the resource policy allow. A Deny on a resource of its own binds it too, but for what
mends that policy (`own_root`).

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from cloudlet.iam.compiled import CompiledPolicy, Named, Verdict
from cloudlet.iam.request import AccessRequest


class Source(Enum):
    """The kinds of policies, in AWS's words of its refusals."""

    IDENTITY = "identity-based policy"
    RESOURCE = "resource-based policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"
    ORGANISATION = "service control policy"


@dataclass(frozen=True, slots=True)
class PolicySet:
    """All policies that bear on one request. None: there is no policy of this kind, so that it does not limit."""

    identity: Sequence[CompiledPolicy] = ()
    resource: CompiledPolicy | None = None
    boundary: CompiledPolicy | None = None
    session: Sequence[CompiledPolicy] | None = None
    organisation: Sequence[Sequence[CompiledPolicy]] = ()
    """The policies of each level, from the organisation's root down to the account."""
    is_cross_account: bool = False
    """True when the resource is of another account than the caller."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What came out, which kind of policy made it so, and the statements that applied on the way."""

    is_allowed: bool
    source: Source | None
    """None for what the account's root may do."""
    deciding: Verdict | None = None
    """The statement that decided; None where nothing allowed, and for root."""
    applied: tuple[tuple[Source, Verdict], ...] = field(default=(), compare=False)
    """Every policy's verdict, for explanations."""

    @property
    def is_explicit_deny(self) -> bool:
        """True when a statement denied, false when nothing allowed."""
        return not self.is_allowed and self.deciding is not None


def evaluate(request: AccessRequest, policies: PolicySet) -> Decision:
    """May the request's principal do this?"""
    found: list[tuple[Source, Verdict]] = []
    allows: dict[Source, Verdict] = {}
    levels_allow = True
    for source, group in _groups(policies):
        allowed: Verdict | None = None
        asked = request.for_resource_policy() if source is Source.RESOURCE else request
        for policy in group:
            verdict = policy.verdict(asked)
            if verdict is None:
                continue
            found.append((source, verdict))
            if verdict.effect == "Deny":
                return Decision(False, source, verdict, tuple(found))
            allowed = allowed or verdict
        if allowed is not None:
            allows.setdefault(source, allowed)
        elif source is Source.ORGANISATION:
            levels_allow = False
    if not levels_allow:
        return Decision(False, Source.ORGANISATION, None, tuple(found))
    is_allowed, source_of_it = _combined(request, policies, allows)
    deciding = allows.get(source_of_it) if is_allowed and source_of_it else None
    return Decision(is_allowed, source_of_it, deciding, tuple(found))


def _groups(policies: PolicySet) -> Iterable[tuple[Source, Sequence[CompiledPolicy]]]:
    for level in policies.organisation:
        yield Source.ORGANISATION, level
    if policies.resource is not None:
        yield Source.RESOURCE, (policies.resource,)
    yield Source.IDENTITY, policies.identity
    if policies.boundary is not None:
        yield Source.BOUNDARY, (policies.boundary,)
    if policies.session is not None:
        yield Source.SESSION, policies.session


def _combined(request: AccessRequest, policies: PolicySet, allows: dict[Source, Verdict]) -> tuple[bool, Source | None]:
    """Whether the Allows are enough, when nothing denied; and which kind of policy made it so."""
    by_resource = allows.get(Source.RESOURCE)
    kind = request.principal.kind
    if kind in ("service", "anonymous"):
        return by_resource is not None, Source.RESOURCE
    if policies.is_cross_account and by_resource is None:
        return False, Source.RESOURCE
    if kind == "root" and policies.session is None:
        return True, None
    named = by_resource.named if by_resource is not None and not policies.is_cross_account else Named.NOT
    if named is Named.SELF:
        return True, Source.RESOURCE
    if kind != "root" and Source.IDENTITY not in allows and named < Named.ROLE:
        return False, Source.IDENTITY
    for source, is_there in ((Source.SESSION, policies.session), (Source.BOUNDARY, policies.boundary)):
        if is_there is not None and source not in allows:
            return False, source
    return True, Source.IDENTITY if Source.IDENTITY in allows else Source.RESOURCE if named else None
