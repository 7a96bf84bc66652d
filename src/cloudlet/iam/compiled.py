"""Policies, compiled once: a statement as functions of a request.

```
document (text) --parse--> Document --compile--> CompiledPolicy: [statement, statement ...]
                                                  action?    a set of names, then patterns
                                                  resource?  a prefix, a pattern, or one with variables
                                                  principal? how closely the statement names the caller
                                                  conditions a closure each
```
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from cloudlet.iam.conditions import Test, compile_condition
from cloudlet.iam.policy import Document, Effect, Statement, parse
from cloudlet.iam.principals import Principal
from cloudlet.iam.request import AccessRequest
from cloudlet.iam.wildcards import glob

_VERSION_WITH_VARIABLES = "2012-10-17"
_REGIONAL = re.compile(r"([a-z0-9-]+)\.[a-z]{2,}(?:-[a-z]+)+-\d+\.amazonaws\.com")
COMPILED_POLICIES = 4096


class Named(IntEnum):
    """How closely a Principal element names the caller; what a resource policy grants depends on it."""

    NOT = 0
    ACCOUNT = 1
    """By its account: that account's own policies have to allow as well."""
    ROLE = 2
    """By the role behind the session: session policy and boundary still limit."""
    SELF = 3
    """The very user, session or service, or everybody."""


@dataclass(frozen=True, slots=True)
class CompiledStatement:
    """One statement, ready to be asked."""

    effect: Effect
    sid: str
    index: int
    """Its place in the document, from 0."""
    action: Callable[[str], bool]
    resource: Test
    principal: Callable[[AccessRequest], Named]
    conditions: tuple[Test, ...]

    def applies(self, request: AccessRequest) -> Named:
        """How closely this statement speaks of the request; NOT when it does not."""
        if not self.action(request.action_key) or not self.resource(request):
            return Named.NOT
        named = self.principal(request)
        if named:
            for condition in self.conditions:
                if not condition(request):
                    return Named.NOT
        return named


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one policy says of a request."""

    effect: Effect
    policy: "CompiledPolicy"
    statement: CompiledStatement
    named: Named


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """A whole document."""

    name: str
    """Where it comes from, for people: an ARN, or an inline policy's name."""
    statements: tuple[CompiledStatement, ...]

    def verdict(self, request: AccessRequest) -> Verdict | None:
        """The first Deny that applies; else the Allow that names the caller most closely; None when none applies."""
        best: Verdict | None = None
        for statement in self.statements:
            if statement.effect == "Deny" or best is None or best.named < Named.SELF:
                named = statement.applies(request)
                if not named:
                    continue
                if statement.effect == "Deny":
                    return Verdict("Deny", self, statement, named)
                if best is None or named > best.named:
                    best = Verdict("Allow", self, statement, named)
        return best


@lru_cache(maxsize=COMPILED_POLICIES)
def compiled(text: str, name: str = "") -> CompiledPolicy:
    """The policy of a JSON text, compiled at its first use. Raises PolicyError."""
    return compile_document(parse(text), name)


def compile_document(document: Document, name: str = "") -> CompiledPolicy:
    """The policy of a parsed document."""
    has_variables = document.version == _VERSION_WITH_VARIABLES
    statements = enumerate(document.statements)
    return CompiledPolicy(name, tuple(_statement(item, index, has_variables) for index, item in statements))


def _statement(statement: Statement, index: int, has_variables: bool) -> CompiledStatement:
    conditions = (
        compile_condition(condition, statement.effect, has_variables=has_variables)
        for condition in statement.conditions
    )
    return CompiledStatement(
        statement.effect,
        statement.sid,
        index,
        _action(statement),
        _resource(statement, has_variables),
        _principal(statement),
        tuple(conditions),
    )


def _action(statement: Statement) -> Callable[[str], bool]:
    negated = statement.actions is None
    wanted = {
        text.lower() for text in (statement.not_actions if statement.actions is None else statement.actions) or ()
    }
    if negated and statement.not_actions is None:
        return lambda _action: False
    names = frozenset(text for text in wanted if "*" not in text and "?" not in text)
    patterns = tuple(glob(text) for text in wanted - names)
    if not patterns and not negated:
        return names.__contains__
    return lambda action: (action in names or any(pattern(action) for pattern in patterns)) != negated


def _resource(statement: Statement, has_variables: bool) -> Test:
    wanted = statement.not_resources if statement.resources is None else statement.resources
    if wanted is None:
        return lambda _request: True  # a trust policy has no resource: it hangs on it
    negated = statement.resources is None
    if "*" in wanted:
        return lambda _request: not negated
    dynamic = [text for text in wanted if has_variables and "${" in text]
    fixed = [glob(text) for text in wanted if text not in dynamic]

    def test(request: AccessRequest) -> bool:
        resource = request.resource
        if any(pattern(resource) for pattern in fixed):
            return not negated
        filled = (request.substitute(text) for text in dynamic)
        return any(glob(text)(resource) for text in filled if text is not None) != negated

    return test


def _principal(statement: Statement) -> Callable[[AccessRequest], Named]:
    wanted = statement.principals
    excluded = statement.not_principals
    if wanted is None and excluded is None:
        return lambda _request: Named.SELF  # an identity policy is about whoever has it
    if wanted is not None:
        return lambda request: max((_named(request, kind, name) for kind, name in wanted), default=Named.NOT)
    others = excluded or ()
    return lambda request: Named.NOT if any(_named(request, kind, name) for kind, name in others) else Named.SELF


def _named(request: AccessRequest, kind: str, name: str) -> Named:
    principal = request.principal
    if name == "*" and kind in ("*", "AWS"):
        # Services too: many queues let topics in like this, and `aws:SourceArn` says which. A role has to name them.
        is_trust = principal.kind == "service" and request.action_key.startswith("sts:")
        return Named.NOT if is_trust else Named.SELF
    if principal.kind == "service":
        is_it = kind == "Service" and service_name(name) == service_name(principal.source_service)
        return Named.SELF if is_it else Named.NOT
    if kind == "Federated":
        return Named.SELF if request.federated and name == request.federated else Named.NOT
    if kind != "AWS" or principal.kind == "anonymous":
        return Named.NOT
    if principal.kind != "root" and name in (principal.arn, principal.user_id):  # the root's ARN names the account
        return Named.SELF
    if name and name in _behind(principal):
        return Named.ROLE
    return Named.ACCOUNT if name in (principal.account, f"arn:aws:iam::{principal.account}:root") else Named.NOT


def _behind(principal: Principal) -> tuple[str, str]:
    """The role behind a session of a role, the user behind a federated user's: ARN and unique id."""
    if principal.kind == "federated-user":
        return principal.issuer_arn, principal.issuer_id
    return principal.role_arn, principal.user_id.partition(":")[0] if principal.role_arn else ""


def service_name(principal: str) -> str:
    """A service principal without its region: `states.eu-west-1.amazonaws.com` is `states.amazonaws.com`."""
    return _REGIONAL.sub(r"\1.amazonaws.com", principal.lower())
