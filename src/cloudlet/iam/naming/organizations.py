"""Organizations' resources: requests name them by ids, policies by ARNs that hold the organisation's id as well."""

import re
from collections.abc import Sequence

from cloudlet.iam import organisation_table as table
from cloudlet.iam.naming.base import ANY, NamedRequest, Spellings
from cloudlet.iam.organisation_table import FULL_ACCESS, Organisation
from cloudlet.store.base import Reader

_MEMBERS = (
    "PolicyId",
    "TargetId",
    "AccountId",
    "OrganizationalUnitId",
    "ParentId",
    "SourceParentId",
    "DestinationParentId",
    "ChildId",
    "RootId",
    "ResourceId",
)
_KINDS = (
    (re.compile(r"\d{12}"), "account"),
    (re.compile(r"ou-[0-9a-z]+-[0-9a-z]+"), "ou"),
    (re.compile(r"r-[0-9a-z]+"), "root"),
)


def organizations_resources(request: NamedRequest, reader: Reader) -> list[Spellings]:
    """What the ids of a request mean in the caller's organisation."""
    ids = [value for name in _MEMBERS if (value := request.text(name))]
    membership = table.of_member(reader, request.principal.account) if ids else None
    if membership is None:
        return [ANY]
    return [(arn,) for one in ids if (arn := _arn(reader, membership[0], one))] or [ANY]


def organizations_keys(request: NamedRequest, resources: Sequence[Spellings]) -> dict[str, Sequence[str]]:
    """The type of the policies that a request is about: a member names it, or the ARN of a policy has it.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsorganizations.html
    """
    if "organizations:PolicyType" not in request.action.keys:
        return {}
    found = request.text("PolicyType", "Type", "Filter")
    for arn, *_ in resources if not found else ():
        kind, _, rest = arn.split(":", 5)[-1].partition("/")
        if kind == "policy":
            found = rest.split("/")[-2].upper()
    return {"organizations:policytype": (found,)} if found else {}


def _arn(reader: Reader, organisation: Organisation, name: str) -> str:
    prefix = f"arn:aws:organizations::{organisation.account}"
    for pattern, kind in _KINDS:
        if pattern.fullmatch(name):
            return f"{prefix}:{kind}/{organisation.organization_id}/{name}"
    if name == FULL_ACCESS:
        return f"arn:aws:organizations::aws:policy/service_control_policy/{name}"
    policy = table.policy(reader, organisation.account, name) if "\0" not in name else None
    type_ = policy.type.lower() if policy is not None else "service_control_policy"
    return f"{prefix}:policy/{organisation.organization_id}/{type_}/{name}" if name.startswith("p-") else ""
