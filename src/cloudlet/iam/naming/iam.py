"""IAM's resources: entities come by their names, and their ARNs have their paths.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
"""

from cloudlet.iam import group_table, role_table, user_table
from cloudlet.iam.naming.base import ANY, NamedRequest, Spellings, by_members
from cloudlet.store.base import Reader

_MEMBERS = {
    "user": "UserName",
    "role": "RoleName",
    "group": "GroupName",
    "instance-profile": "InstanceProfileName",
    "policy": "PolicyName",
}
_TABLES = {"user": user_table, "role": role_table, "group": group_table}


def iam_resources(request: NamedRequest, reader: Reader) -> list[Spellings]:
    """The user, role, group, policy ... that the request names, with its path."""
    found = by_members(request, reader)
    if found != [ANY]:
        return found
    named: list[Spellings] = []
    for kind, member in _MEMBERS.items():
        if kind not in request.action.resource_types:
            continue
        if name := request.text(member):
            named.append((_arn(request, reader, kind, name),))
        elif kind == "user" and request.principal.kind == "user":
            named.append((request.principal.arn,))  # who names no user means itself
    return named or [ANY]


def _arn(request: NamedRequest, reader: Reader, kind: str, name: str) -> str:
    account = request.principal.account
    path = request.text("Path") or "/"
    table = _TABLES.get(kind) if "\0" not in name else None  # no store takes a NUL, and nobody is called so
    entity = table.find(reader, account, name) if table is not None else None
    if entity is not None:
        path, name = entity.path, entity.name
    return f"arn:aws:iam::{account}:{kind}{path}{name}"
