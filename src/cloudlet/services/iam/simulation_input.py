"""What is put to the policy simulator, checked with AWS's words.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from cloudlet.arn import Arn
from cloudlet.iam.compiled import CompiledPolicy
from cloudlet.iam.policy import PolicyError
from cloudlet.iam.policy_grammar import MalformedPolicy, check_identity_policy
from cloudlet.iam.principals import Principal
from cloudlet.iam.statement_text import statement_texts
from cloudlet.services.iam.errors import InvalidInput
from cloudlet.services.iam.simulation import PolicyKind, Source

NOBODY = "STUB_PRINCIPAL_FOR_POLICY_SIMULATOR"
"""The user id of a simulation's caller when none is named."""
_OWNER = re.compile(r"arn:[^:]+:iam::(\d{12}):.+")
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?")


def resources(params: Mapping[str, Any]) -> list[str]:
    """The resources of a request; `*` where it names none. Raises InvalidInput."""
    found: list[str] = params.get("ResourceArns") or ["*"]
    for resource in found:
        if resource == "*" and len(found) == 1:
            continue
        try:
            Arn.parse(resource)
        except ValueError as error:
            raise InvalidInput(f"ResourceNames are not in a valid ARN format: {resource}.") from error
    return found


def actions(params: Mapping[str, Any], named: Sequence[str]) -> list[str]:
    """The actions of a request about the resources `named`. Raises InvalidInput."""
    found: list[str] = params["ActionNames"]
    if not found:
        raise InvalidInput("ActionNames is required.")
    if not all(":" in action for action in found):
        raise InvalidInput("The action is invalid since it is missing names")
    if params.get("ResourceHandlingOption") and list(named) != ["*"]:
        raise InvalidInput(
            f"Invalid input resource handling options. Action does not support resource handling options: {found[0]}."
        )
    return found


def policies(documents: Sequence[str], name: str, kind: PolicyKind = "IAM Policy") -> list[Source]:
    """Policies given as text; `name` and their number is what answers call them. Raises InvalidInput."""
    for document in documents:
        try:
            check_identity_policy(document)
            statement_texts(document)
        except (MalformedPolicy, PolicyError) as error:
            raise InvalidInput(str(error)) from error
    return [Source(f"{name}.{number}", document, kind) for number, document in enumerate(documents, 1)]


def boundary(params: Mapping[str, Any]) -> Source | None:
    """The boundary that a request gives as text. Raises InvalidInput."""
    documents = params.get("PermissionsBoundaryPolicyInputList") or []
    if len(documents) > 1:
        raise InvalidInput("The list of Permissions Boundary policies cannot exceed 1 items.")
    found = policies(documents, "PermissionsBoundaryPolicyInputList", "IAM Permissions Boundary Policy")
    return found[0] if found else None


def organisation(params: Mapping[str, Any]) -> list[list[CompiledPolicy]]:
    """The service control policies of each level. Raises InvalidInput."""
    levels = []
    for number, level in enumerate(params.get("OrderedOrganizationPolicyInputList") or [], 1):
        documents = level.get("ServiceControlPolicyInputList") or []
        if not documents:
            raise InvalidInput(
                f"Organization policy at index {number} must contain at least one service control policy"
            )
        sources = policies(documents, f"OrderedOrganizationPolicyInputList.{number}")
        levels.append([source.policy for source in sources])
    return levels


def resource_policy(params: Mapping[str, Any], caller: Principal, named: Sequence[str]) -> Source | None:
    """The policy on the resources, which only a user's call can be simulated with. Raises InvalidInput."""
    document = params.get("ResourcePolicy")
    if document is None:
        return None
    if not caller.arn:
        raise InvalidInput("Invalid caller - Caller cannot be null or empty.")
    if ":user/" not in caller.arn:
        raise InvalidInput("Invalid caller - Caller must be an IAM user in this context.")
    if "*" in named:
        raise InvalidInput("Invalid Entity Arn: * does not clearly define entity type and name.")
    source = Source("ResourcePolicy", document, "Resource Policy")
    try:
        list(source.statements())
    except PolicyError as error:
        raise InvalidInput("Syntax errors in policy.") from error
    return source


def owner(params: Mapping[str, Any], named: Sequence[str], caller: Principal) -> str:
    """The account of the resources: as the request says, as their ARNs do, or the caller's. Raises InvalidInput."""
    given = params.get("ResourceOwner")
    if given is not None:
        match = _OWNER.fullmatch(given)
        if match is None:
            raise InvalidInput(f"'{given}' is not a valid as a Resource Owner.")
        return match[1]
    accounts = {Arn.parse(resource).account for resource in named if resource != "*"} - {""}
    return next(iter(accounts), caller.account)


def caller_keys(caller: Principal) -> dict[str, Sequence[str]]:
    """The condition keys that the simulator knows of itself."""
    keys: dict[str, Sequence[str]] = {
        "aws:principalaccount": (caller.account,),
        "aws:userid": (caller.arn or NOBODY,),
    }
    if caller.arn:
        keys["aws:principalarn"] = (caller.arn,)
    if ":user/" in caller.arn:
        keys["aws:username"] = (caller.arn.rpartition("/")[2],)
    return keys


def context_entries(params: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    """The condition keys that a request gives, in lower case. Raises InvalidInput."""
    found: dict[str, Sequence[str]] = {}
    for entry in params.get("ContextEntries") or []:
        name, kind = entry.get("ContextKeyName") or "", entry.get("ContextKeyType")
        values = entry.get("ContextKeyValues") or []
        if not name:
            raise InvalidInput("ContextKeyName cannot be null or empty.")
        if name.lower() in found:
            raise InvalidInput(f"Duplicate context key: {name}.")
        if kind is None:
            raise InvalidInput(f"Context key {name} has invalid type null.")
        if not values:
            raise InvalidInput(f"Context values for context key {name} cannot be null or empty.")
        if not kind.endswith("List") and len(values) != 1:
            raise InvalidInput(f"Context key {kind} expected a single value, but received {len(values)}.")
        test, form = _FORMS.get(kind.removesuffix("List"), (_is_text, ""))
        if not all(test(value) for value in values):
            raise InvalidInput(f"Invalid context value for key {name}: expected {form}.")
        found[name.lower()] = tuple(values)
    return found


def _is_text(_value: str) -> bool:
    return True


def _is_number(value: str) -> bool:
    return _NUMBER.fullmatch(value) is not None


def _is_date(value: str) -> bool:
    if value.isdigit():
        return True
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return True


def _is_base64(value: str) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


_FORMS: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "numeric": (_is_number, "numeric format"),
    "date": (_is_date, "DateTime format"),
    "ip": (_is_address, "IP address"),
    "binary": (_is_base64, "base-64 encoded binary format"),
}
