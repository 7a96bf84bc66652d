"""May a principal do an action on a resource, as one policy document says? The core that all decisions are made of.

    for each statement: principal and action and resource and all conditions match?
        any Deny that matches   -> DENY, whatever else there is
        any Allow that matches  -> ALLOW
        otherwise               -> NONE: this document says nothing of it

What the evaluator does not know (an operator, a variable in a value) is never in the caller's favour: such a condition
fails in an Allow and holds in a Deny. What several documents say together is for their reader to join.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TypeVar

from cloudlet.arn import Arn
from cloudlet.iam.policy import Condition, Document, Effect, Statement
from cloudlet.iam.principals import Principal

T = TypeVar("T")


class Decision(Enum):
    """What a document says of a request."""

    ALLOW = "allow"
    DENY = "deny"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """What is to be decided."""

    principal: Principal
    action: str
    """`service:Operation`."""
    resource: str
    keys: Mapping[str, tuple[str, ...]]
    """The condition keys that this request has, in lower case, and their values."""


def evaluate(document: Document, request: AccessRequest) -> Decision:
    """What `document` says of `request`. A statement without Principal is about whoever has the document."""
    decision = Decision.NONE
    for statement in document.statements:
        if _applies(statement, request):
            if statement.effect == "Deny":
                return Decision.DENY
            decision = Decision.ALLOW
    return decision


def _applies(statement: Statement, request: AccessRequest) -> bool:
    return (
        _in_scope(statement.principals, statement.not_principals, lambda value: _is(request.principal, *value))
        and _in_scope(
            statement.actions, statement.not_actions, lambda value: like(value.lower(), request.action.lower())
        )
        and _in_scope(statement.resources, statement.not_resources, lambda value: like(value, request.resource))
        and all(_holds(condition, request.keys, statement.effect) for condition in statement.conditions)
    )


def _in_scope(values: tuple[T, ...] | None, excluded: tuple[T, ...] | None, matches: Callable[[T], bool]) -> bool:
    if values is not None:
        return any(matches(value) for value in values)
    return excluded is None or not any(matches(value) for value in excluded)


def _is(principal: Principal, kind: str, name: str) -> bool:
    """True when a policy that names this principal means `principal`."""
    if principal.kind == "service":
        return kind == "Service" and service_name(name) == service_name(principal.source_service)
    if (kind, name) == ("*", "*") or (kind, name) == ("AWS", "*"):
        return True
    if kind != "AWS" or principal.kind == "anonymous":
        return False
    if name in (principal.account, str(Arn("iam", "", principal.account, "root"))):
        return True
    names = {principal.arn, principal.role_arn, principal.user_id, principal.user_id.partition(":")[0]}
    return bool(name) and name in names


def service_name(principal: str) -> str:
    """A service principal without its region: `states.eu-west-1.amazonaws.com` is `states.amazonaws.com`."""
    return _REGIONAL.sub(r"\1.amazonaws.com", principal.lower())


def _holds(condition: Condition, keys: Mapping[str, tuple[str, ...]], effect: Effect) -> bool:
    given = keys.get(condition.key)
    if condition.operator == "Null":
        return any(wanted.lower() == str(given is None).lower() for wanted in condition.values)
    operator = _OPERATORS.get(condition.operator)
    if operator is None or any("${" in value for value in condition.values):
        return effect == "Deny"
    compare, negated = operator
    if given is None:
        return condition.if_exists or negated or condition.over == "ForAllValues"
    holds = [any(compare(wanted, value) for wanted in condition.values) != negated for value in given]
    return any(holds) if condition.over == "ForAnyValue" else all(holds)


@lru_cache(maxsize=4096)
def _pattern(wildcards: str) -> re.Pattern[str]:
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in wildcards)
    return re.compile("".join(parts), re.DOTALL)


def like(wildcards: str, text: str) -> bool:
    """Compare with a text in which `*` is any text and `?` any character."""
    if wildcards == "*":
        return True
    if "*" not in wildcards and "?" not in wildcards:
        return wildcards == text
    return _pattern(wildcards).fullmatch(text) is not None


def _arn_like(wildcards: str, text: str) -> bool:
    """Compare two ARNs part by part, so that a `*` does not reach over a colon."""
    wanted, given = wildcards.split(":", 5), text.split(":", 5)
    return len(wanted) == len(given) == 6 and all(like(part, value) for part, value in zip(wanted, given, strict=True))


def _same(wanted: str, value: str) -> bool:
    return wanted == value


def _same_letters(wanted: str, value: str) -> bool:
    return wanted.casefold() == value.casefold()


_REGIONAL = re.compile(r"([a-z0-9-]+)\.[a-z]{2,}(?:-[a-z]+)+-\d+\.amazonaws\.com")
_OPERATORS: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    "StringEquals": (_same, False),
    "StringNotEquals": (_same, True),
    "StringEqualsIgnoreCase": (_same_letters, False),
    "StringNotEqualsIgnoreCase": (_same_letters, True),
    "StringLike": (like, False),
    "StringNotLike": (like, True),
    "ArnEquals": (_arn_like, False),
    "ArnNotEquals": (_arn_like, True),
    "ArnLike": (_arn_like, False),
    "ArnNotLike": (_arn_like, True),
    "Bool": (_same_letters, False),
}
"""How a wanted value is compared with a given one, and whether the answer is turned around."""
