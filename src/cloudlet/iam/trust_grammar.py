"""What may be put into IAM as a role's trust policy, with AWS's words for each fault.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

import re
from collections.abc import Iterator
from typing import Any

import orjson

from cloudlet.iam.policy_grammar import VERSIONS, MalformedPolicy, is_condition

_STATEMENT_KEYS = {
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
}
_ACTIONS = {
    "sts:assumerole",
    "sts:assumerolewithsaml",
    "sts:assumerolewithwebidentity",
    "sts:tagsession",
    "sts:setsourceidentity",
    "sts:setcontext",
}
_AWS_PRINCIPAL = re.compile(
    r"\*|\d{12}|arn:[a-z-]+:iam::\d{12}:(root|user/.+|role/.+)|arn:[a-z-]+:sts::\d{12}:(assumed-role/.+/.+|federated-user/.+)"
    r"|A(IDA|ROA)[A-Z0-9]{16,}"
)
_SERVICE_PRINCIPAL = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.(amazonaws\.com(\.cn)?|amazon\.com|aws\.internal)")


def check_trust_policy(text: str) -> None:
    """Raise MalformedPolicy unless `text` is a document that says who may assume a role."""
    try:
        document = orjson.loads(text)
    except ValueError as error:
        raise MalformedPolicy("This policy contains invalid Json") from error
    if not isinstance(document, dict):
        raise MalformedPolicy("Syntax error in policy.")
    if unknown := document.keys() - {"Version", "Id", "Statement"}:
        raise MalformedPolicy(f"Unknown field {min(unknown)}")
    if document.get("Version", VERSIONS[0]) not in VERSIONS:
        raise MalformedPolicy("The policy must contain a valid version string")
    statements = document.get("Statement") or []
    statements = statements if isinstance(statements, list) else [statements]
    if not statements:
        raise MalformedPolicy("Could not parse the policy: Statement is empty!")
    sids = set()
    for statement in statements:
        _statement(statement)
        if (sid := statement.get("Sid")) and sid in sids:
            raise MalformedPolicy("The Statement Ids in the policy are not unique")
        sids.add(sid)


def role_principals(text: str) -> Iterator[str]:
    """The ARNs of roles that a checked trust policy names."""
    statements = orjson.loads(text)["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        for name in _names(_principals(statement).get("AWS", [])):
            if ":role/" in name:
                yield name


def _statement(statement: Any) -> None:
    if not isinstance(statement, dict):
        raise MalformedPolicy("Syntax error in policy.")
    if unknown := statement.keys() - _STATEMENT_KEYS:
        raise MalformedPolicy(f"Unknown field {min(unknown)}")
    effect = statement.get("Effect")
    if effect is None:
        raise MalformedPolicy("Missing required field Effect")
    if effect not in ("Allow", "Deny"):
        raise MalformedPolicy(f"Invalid effect: {effect}")
    if "NotPrincipal" in statement:
        if effect == "Allow":
            raise MalformedPolicy("Allow with NotPrincipal is not allowed.")
        raise MalformedPolicy("AssumeRole policy must not contain NotPrincipal field.")
    if "Principal" not in statement:
        raise MalformedPolicy("Missing required field Principal")
    _check_principals(_principals(statement))
    actions = _names(statement.get("Action", statement.get("NotAction", [])))
    if not actions:
        raise MalformedPolicy("Missing required field Action")
    if not all(action.lower() in _ACTIONS for action in actions):
        raise MalformedPolicy("AssumeRole policy may only specify STS AssumeRole actions.")
    if "Resource" in statement:
        raise MalformedPolicy("Has prohibited field Resource")
    if "NotResource" in statement:
        raise MalformedPolicy("AssumeRole policy must not contain resources.")
    if not is_condition(statement.get("Condition", {})) or not isinstance(statement.get("Sid", ""), str):
        raise MalformedPolicy("Syntax error in policy.")


def _principals(statement: dict[str, Any]) -> dict[str, Any]:
    principals = statement["Principal"]
    if principals == "*":
        return {"AWS": "*"}
    if not isinstance(principals, dict):
        raise MalformedPolicy("Principal must be a JSON object.")
    return principals


def _check_principals(principals: dict[str, Any]) -> None:
    if not principals:
        raise MalformedPolicy("Missing required field Principal cannot be empty!")
    for kind, names in principals.items():
        if kind not in ("AWS", "Service", "Federated", "CanonicalUser"):
            raise MalformedPolicy(f'Invalid principal in policy: "{kind}"')
        forms = {"AWS": _AWS_PRINCIPAL, "Service": _SERVICE_PRINCIPAL}
        for name in _names(names):
            if kind in forms and not forms[kind].fullmatch(name):
                shown = kind.upper() if kind == "Service" else kind
                raise MalformedPolicy(f'Invalid principal in policy: "{shown}":"{name}"')


def _names(value: Any) -> list[str]:
    names = value if isinstance(value, list) else [value]
    if not all(isinstance(name, str) for name in names):
        raise MalformedPolicy("Syntax error in policy.")
    return names
