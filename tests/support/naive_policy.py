"""A second evaluator of policies, written straight from AWS's documentation, slow and without a thought of speed.

It works on the JSON of documents itself and shares no code with `cloudlet.iam`, so that the two can check each other.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import base64
import fnmatch
import ipaddress
import re
from dataclasses import dataclass, field, replace
from typing import Any

Json = dict[str, Any]


@dataclass
class Question:
    """A request, in plain words."""

    kind: str
    account: str
    arn: str
    role_arn: str
    action: str
    resource: str
    keys: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Policies:
    """The documents that bear on it; None where there is none of a kind."""

    identity: list[Json]
    resource: Json | None = None
    boundary: Json | None = None
    session: list[Json] | None = None
    organisation: list[list[Json]] = field(default_factory=list)
    cross_account: bool = False


def is_allowed(question: Question, policies: Policies) -> bool:
    """The flow chart of the documentation, box after box."""
    groups = [
        policies.identity,
        [policies.boundary] if policies.boundary else [],
        policies.session or [],
        *policies.organisation,
    ]
    # "You can't use the lambda:SourceFunctionArn condition key in resource-based policies"
    of_resource = replace(question, keys={k: v for k, v in question.keys.items() if k != "lambda:sourcefunctionarn"})
    # "Deny evaluation": an explicit deny in any policy
    if policies.resource and _says(of_resource, policies.resource, "Deny"):
        return False
    if any(_says(question, document, "Deny") for group in groups for document in group):
        return False
    # "Organizations SCPs": every level has to allow
    for level in policies.organisation:
        if not any(_says(question, document, "Allow") for document in level):
            return False
    closeness = _closeness(of_resource, policies.resource)
    session_allows = policies.session is None or any(_says(question, one, "Allow") for one in policies.session)
    boundary_allows = policies.boundary is None or _says(question, policies.boundary, "Allow")
    identity_allows = question.kind == "root" or any(_says(question, one, "Allow") for one in policies.identity)
    if policies.cross_account:
        if question.kind == "root" and policies.session is None:
            return closeness > 0
        return closeness > 0 and identity_allows and session_allows and boundary_allows
    if question.kind == "root" and policies.session is None:
        return True
    if closeness == 3:
        return True
    return (identity_allows or closeness == 2) and session_allows and boundary_allows


def _closeness(question: Question, document: Json | None) -> int:
    """3: an Allow of the resource policy names the caller itself or everybody; 2: its role; 1: its account; 0: none."""
    statements = document["Statement"] if document else []
    allows = (one for one in statements if one["Effect"] == "Allow" and _speaks_of(question, one))
    return max((_named(question, one) for one in allows), default=0)


def _named(question: Question, statement: Json) -> int:
    if "Principal" not in statement:
        return 3
    principal = statement["Principal"]
    names = ["*"] if principal == "*" else _many(principal.get("AWS", []))
    if "*" in names or (question.kind != "root" and question.arn in names):
        return 3
    if question.role_arn and question.role_arn in names:
        return 2
    if question.account in names or f"arn:aws:iam::{question.account}:root" in names:
        return 1
    return 0


def _says(question: Question, document: Json, effect: str) -> bool:
    return any(
        statement["Effect"] == effect and _speaks_of(question, statement) and _named(question, statement) > 0
        for statement in document["Statement"]
    )


def _speaks_of(question: Question, statement: Json) -> bool:
    return (
        _matches_action(question, statement)
        and _matches_resource(question, statement)
        and all(
            _condition(question, operator, key, _many(values))
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _matches_action(question: Question, statement: Json) -> bool:
    if "Action" in statement:
        return any(_wild(one.lower(), question.action.lower()) for one in _many(statement["Action"]))
    return not any(_wild(one.lower(), question.action.lower()) for one in _many(statement["NotAction"]))


def _matches_resource(question: Question, statement: Json) -> bool:
    if "Resource" in statement:
        return any(_wild_with_variables(question, one, question.resource) for one in _many(statement["Resource"]))
    if "NotResource" in statement:
        return not any(
            _wild_with_variables(question, one, question.resource) for one in _many(statement["NotResource"])
        )
    return True


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _wild(pattern: str, text: str) -> bool:
    """`*` and `?` only: fnmatch with its brackets made plain."""
    plain = pattern.replace("[", "[[]")
    return re.fullmatch(fnmatch.translate(plain), text) is not None


def _wild_with_variables(question: Question, pattern: str, text: str) -> bool:
    filled = _filled(question, pattern)
    return filled is not None and _wild(filled, text)


def _filled(question: Question, text: str) -> str | None:
    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        values = question.keys.get(match[1].lower())
        if values is None or len(values) != 1:
            missing = True
            return ""
        return values[0]

    filled = re.sub(r"\$\{([^}]+)\}", value, text)
    return None if missing else filled


def _condition(question: Question, operator: str, key: str, wanted: list[str]) -> bool:
    over, _, bare = operator.rpartition(":")
    given = question.keys.get(key.lower()) or []
    if bare == "Null":
        return any((one == "true") == (not given) for one in wanted)
    if_exists = bare.endswith("IfExists")
    bare = bare.removesuffix("IfExists")
    negated = "Not" in bare
    if not given:
        return if_exists or over == "ForAllValues" or (negated and over == "")
    each = [_one(question, bare.replace("Not", ""), wanted, value) != negated for value in given]
    return any(each) if over == "ForAnyValue" or (over == "" and not negated) else all(each)


def _one(question: Question, operator: str, wanted: list[str], value: str) -> bool:
    texts = [filled for one in wanted if (filled := _filled(question, one)) is not None]
    match operator:
        case "StringEquals":
            return value in texts
        case "StringEqualsIgnoreCase" | "Bool":
            return value.lower() in [text.lower() for text in texts]
        case "StringLike":
            return any(_wild(text, value) for text in texts)
        case "NumericEquals":
            return float(value) in [float(text) for text in texts]
        case "NumericLessThan":
            return any(float(value) < float(text) for text in texts)
        case "NumericGreaterThanEquals":
            return any(float(value) >= float(text) for text in texts)
        case "IpAddress":
            return any(ipaddress.ip_address(value) in ipaddress.ip_network(text) for text in texts)
        case "BinaryEquals":
            return base64.b64decode(value) in [base64.b64decode(text) for text in texts]
        case "ArnLike" | "ArnEquals":
            return any(
                all(_wild(a, b) for a, b in zip(text.split(":", 5), value.split(":", 5), strict=True)) for text in texts
            )
    raise AssertionError(operator)
