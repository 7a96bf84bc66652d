"""What may be put into IAM: the checks of identity policies and of trust policies, with AWS's words for each fault.

The order of the checks is AWS's: of several faults it names the same one.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

import re
from typing import Any

import orjson

from cloudlet.errors import CloudletError

CURRENT_VERSION = "2012-10-17"
VERSIONS = ("2008-10-17", CURRENT_VERSION)

_DOCUMENT_KEYS = {"Version", "Id", "Statement"}
_IDENTITY_KEYS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
_PRINCIPAL_KEYS = {"Principal", "NotPrincipal"}
_BASE_OPERATORS = (
    "StringEquals StringNotEquals StringEqualsIgnoreCase StringNotEqualsIgnoreCase StringLike StringNotLike "
    "NumericEquals NumericNotEquals NumericLessThan NumericLessThanEquals NumericGreaterThan NumericGreaterThanEquals "
    "DateEquals DateNotEquals DateLessThan DateLessThanEquals DateGreaterThan DateGreaterThanEquals "
    "Bool BinaryEquals IpAddress NotIpAddress ArnEquals ArnNotEquals ArnLike ArnNotLike Null"
)
_OPERATOR = re.compile(rf"((ForAllValues|ForAnyValue):)?(({'|'.join(_BASE_OPERATORS.split())})(IfExists)?)")
_DATE = re.compile(
    r"-?\d{1,19}|(\d{1,4})(-(\d{1,2})(-(\d{1,2}))?)?"
    r"([tT](\d{1,2}(:\d{1,2}(:\d{1,2}([.,]\d{1,9})?)?)?)?(Z|z|[+-]\d{2}(:?\d{2})?)?)?"
)
_VENDOR = re.compile(r"[A-Za-z0-9.-]+")
_PARTITIONS = {"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc"}
_IAM_PATHS = (
    "user/",
    "federated-user/",
    "role/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
)
_LEGACY = "The policy failed legacy parsing"


class MalformedPolicy(CloudletError):
    """A document that IAM does not take; the message is AWS's."""


def check_identity_policy(text: str) -> None:
    """Raise MalformedPolicy unless `text` is a document that says what its bearer may do."""
    statements = _identity_syntax(text)
    for check in (_legacy_form, _resources, _actions):
        for statement in statements:
            check(statement)
    sids = [statement["Sid"] for statement in statements if statement.get("Sid")]
    if len(sids) != len(set(sids)):
        raise MalformedPolicy("Statement IDs (SID) in a single policy must be unique.")
    if any(not (_texts(statement, "Action") or _texts(statement, "NotAction")) for statement in statements):
        raise MalformedPolicy("Policy statement must contain actions.")
    if any(not (_texts(statement, "Resource") or _texts(statement, "NotResource")) for statement in statements):
        raise MalformedPolicy("Policy statement must contain resources.")


def _identity_syntax(text: str) -> list[dict[str, Any]]:
    try:
        document = orjson.loads(text)
    except ValueError as error:
        raise MalformedPolicy("Syntax errors in policy.") from error
    statements = document.get("Statement") if isinstance(document, dict) else None
    statements = statements if isinstance(statements, list) else [statements]
    fine = (
        isinstance(document, dict)
        and document.keys() <= _DOCUMENT_KEYS
        and document.get("Version", CURRENT_VERSION) in VERSIONS
        and isinstance(document.get("Id", ""), str)
        and statements
        and all(_is_statement(statement) for statement in statements)
    )
    if not fine:
        raise MalformedPolicy("Syntax errors in policy.")
    if document.get("Version") != CURRENT_VERSION:
        raise MalformedPolicy("Policy document must be version 2012-10-17 or greater.")
    if any(_PRINCIPAL_KEYS & statement.keys() for statement in statements):
        raise MalformedPolicy("Policy document should not specify a principal.")
    return statements


def _is_statement(statement: Any) -> bool:
    return (
        isinstance(statement, dict)
        and statement.keys() <= _IDENTITY_KEYS | _PRINCIPAL_KEYS
        and isinstance(statement.get("Sid", ""), str)
        and str(statement.get("Effect")).lower() in ("allow", "deny")
        and not {"Action", "NotAction"} <= statement.keys()
        and not {"Resource", "NotResource"} <= statement.keys()
        and all(_is_texts(statement.get(key, "")) for key in ("Action", "NotAction", "Resource", "NotResource"))
        and is_condition(statement.get("Condition", {}))
    )


def _is_texts(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value))


def is_condition(block: Any) -> bool:
    """True when `block` has the form of a statement's Condition."""
    if not isinstance(block, dict) or not all(isinstance(keys, dict) for keys in block.values()):
        return False
    if not all(_OPERATOR.fullmatch(operator) for operator, keys in block.items() if keys):
        return False
    scalars = (str, bool, int, float)
    return all(
        isinstance(value, scalars) or (isinstance(value, list) and all(isinstance(item, scalars) for item in value))
        for keys in block.values()
        for value in keys.values()
    )


def _legacy_form(statement: dict[str, Any]) -> None:
    """What an older parser of AWS's still looks at first."""
    if statement["Effect"] not in ("Allow", "Deny"):
        raise MalformedPolicy(_LEGACY)
    for resource in [*_texts(statement, "Resource"), *_texts(statement, "NotResource")]:
        parts = resource.split(":")
        if parts[0] == "arn" and len(parts) > 3 and parts[1] in _PARTITIONS and (len(parts) < 6 or not parts[2]):
            raise MalformedPolicy(_LEGACY)
    for operator, keys in statement.get("Condition", {}).items():
        if "Date" in operator:
            for value in keys.values():
                if not all(_is_date(str(item)) for item in (value if isinstance(value, list) else [value])):
                    raise MalformedPolicy(_LEGACY)


def _is_date(text: str) -> bool:
    match = _DATE.fullmatch(text)
    if match is None:
        return False
    if match[1] is None:
        return -(2**63) <= int(text) < 2**63
    return (match[3] is None or 1 <= int(match[3]) <= 12) and (match[5] is None or 1 <= int(match[5]) <= 31)


def _resources(statement: dict[str, Any]) -> None:
    for resource in [*_texts(statement, "Resource"), *_texts(statement, "NotResource")]:
        if resource != "*":
            _resource(resource)


def _resource(resource: str) -> None:
    parts = resource.split(":")
    if len(parts) < 2:
        raise MalformedPolicy(f'Resource {resource} must be in ARN format or "*".')
    if parts[1] not in _PARTITIONS and parts[1] != "*":
        full = ":".join(["arn", *parts[1:], *["*"] * (6 - len(parts))])
        raise MalformedPolicy(f'Partition "{parts[1]}" is not valid for resource "{full}".')
    if len(parts) == 2 or "*" in parts[2] or "?" in parts[2]:
        raise MalformedPolicy("Resource vendor must be fully qualified and cannot contain regexes.")
    region = parts[3] if len(parts) > 3 else ""
    if parts[2] == "s3" and region:
        raise MalformedPolicy(f"Resource {resource} can not contain region information.")
    if parts[2] == "iam":
        if region:
            raise MalformedPolicy(f"IAM resource {resource} cannot contain region information.")
        path = ":".join(parts[5:])
        if path and path != "*" and not path.startswith(_IAM_PATHS):
            raise MalformedPolicy(f'IAM resource path must either be "*" or start with {", ".join(_IAM_PATHS)}.')


def _actions(statement: dict[str, Any]) -> None:
    for action in [*_texts(statement, "Action"), *_texts(statement, "NotAction")]:
        if action == "*":
            continue
        vendor, *names = action.split(":")
        if not names:
            raise MalformedPolicy("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
        if len(names) > 1:
            raise MalformedPolicy("Actions/Condition can contain only one colon.")
        if not _VENDOR.fullmatch(vendor):
            raise MalformedPolicy(f"Vendor {vendor} is not valid")


def _texts(statement: dict[str, Any], key: str) -> list[str]:
    if key not in statement:
        return []
    value = statement[key]
    return value if isinstance(value, list) else [value]
