"""Who may assume a role: its trust policy, evaluated for a caller of STS.

The trust policy is the resource's side of the decision. It is the whole of it where it names the caller itself, or a
service; where it names an account, that account's own policies have to allow the call as well, which the dispatcher's
`Authorizer` has decided before STS is called.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cloudlet.iam.compiled import compiled
from cloudlet.iam.context_keys import global_keys
from cloudlet.iam.policy import PolicyError
from cloudlet.iam.principals import RequestContext
from cloudlet.iam.request import AccessRequest


@dataclass(frozen=True, slots=True)
class AssumeRequest:
    """What a caller of AssumeRole asks for, as far as a trust policy can ask back."""

    role_arn: str
    session_name: str = ""
    external_id: str = ""
    source_identity: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    transitive_tag_keys: tuple[str, ...] = ()
    action: str = "sts:AssumeRole"
    federated: str = ""
    """The ARN of the identity provider that vouches for the caller."""
    provider_keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The condition keys that this provider vouches for, in lower case."""

    @property
    def actions(self) -> tuple[str, ...]:
        """All actions that the trust policy has to allow."""
        actions = [self.action]
        if self.tags:
            actions.append("sts:TagSession")
        if self.source_identity:
            actions.append("sts:SetSourceIdentity")
        return tuple(actions)


def refused_action(trust_policy: str, request: AssumeRequest, context: RequestContext) -> str | None:
    """The first action of `request` that the trust policy does not allow to the caller; None when it allows all."""
    try:
        policy = compiled(trust_policy)
    except PolicyError:
        return request.actions[0]
    keys = _keys(request, context)
    for action in request.actions:
        verdict = policy.verdict(AccessRequest(context.principal, action, request.role_arn, keys, request.federated))
        if verdict is None or verdict.effect == "Deny":
            return action
    return None


def _keys(request: AssumeRequest, context: RequestContext) -> dict[str, Sequence[str]]:
    """The condition keys that a trust policy can use.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html
    """
    keys = {**global_keys(context), **request.provider_keys}
    single = {
        "sts:rolesessionname": request.session_name,
        "sts:externalid": request.external_id,
        "sts:sourceidentity": request.source_identity,
    }
    keys |= {name: (value,) for name, value in single.items() if value}
    if request.tags:
        keys |= {f"aws:requesttag/{name.lower()}": (value,) for name, value in request.tags.items()}
        keys["aws:tagkeys"] = tuple(request.tags)
    if request.transitive_tag_keys:
        keys["sts:transitivetagkeys"] = request.transitive_tag_keys
    return keys
