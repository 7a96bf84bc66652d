"""All that says who may do what in an account, in one list of pages.

The list is walked in the order of `_KINDS` and of the entities' keys; a marker holds the kind and the key of the last
entity that was given.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
"""

from collections.abc import Callable, Collection, Iterator
from itertools import islice
from typing import Any, NamedTuple

from cloudlet.iam import entity_table, group_table, instance_profile_table, policy_table, role_table, user_table
from cloudlet.iam.group_table import Group
from cloudlet.iam.policy_table import ManagedPolicy
from cloudlet.iam.role_table import Role
from cloudlet.iam.user_table import User
from cloudlet.services.iam import group as groups
from cloudlet.services.iam import instance_profile as instance_profiles
from cloudlet.services.iam import policy as policies
from cloudlet.services.iam import role as roles
from cloudlet.services.iam import user as users
from cloudlet.services.iam.boundary import describe_boundary
from cloudlet.services.iam.shapes import attached_list, encoded, tag_list
from cloudlet.store.base import Reader

_BATCH = 100


class Detail(NamedTuple):
    """One entity."""

    position: str
    """Where it is in the whole list: `<number of the kind> <key>`."""
    list_name: str
    """The list of the answer that it belongs to."""
    described: dict[str, Any]


def details(reader: Reader, account: str, kinds: Collection[str], after: str, limit: int) -> list[Detail]:
    """Up to `limit` entities after a position; only those of `kinds` (AWS's names of entity types) when there are."""
    return list(islice(_walk(reader, account, kinds, after), limit))


def _walk(reader: Reader, account: str, kinds: Collection[str], after: str) -> Iterator[Detail]:
    number_after, _, key_after = after.partition(" ")
    for number, (kind, list_name, entities) in enumerate(_KINDS):
        if (kinds and kind not in kinds) or (after and number < int(number_after)):
            continue
        start = key_after if after and number == int(number_after) else ""
        for key, described in entities(reader, account, start):
            yield Detail(f"{number} {key}", list_name, described)


def _users(reader: Reader, account: str, after: str) -> Iterator[tuple[str, dict[str, Any]]]:
    while found := user_table.page(reader, account, "/", after, _BATCH):
        for user in found:
            yield user.key, _user(reader, user)
        after = found[-1].key


def _groups(reader: Reader, account: str, after: str) -> Iterator[tuple[str, dict[str, Any]]]:
    while found := group_table.page(reader, account, "/", after, _BATCH):
        for group in found:
            yield group.key, _group(reader, group)
        after = found[-1].key


def _roles(reader: Reader, account: str, after: str) -> Iterator[tuple[str, dict[str, Any]]]:
    while found := role_table.page(reader, account, "/", after, _BATCH):
        for role in found:
            yield role.key, _role(reader, role)
        after = found[-1].key


def _own_policies(reader: Reader, account: str, after: str) -> Iterator[tuple[str, dict[str, Any]]]:
    used = policies.usage(reader, account)
    while found := policy_table.page(reader, account, "/", after, _BATCH):
        for policy in found:
            yield policy.key, _policy(reader, policy, used)
        after = found[-1].key


def _aws_policies(reader: Reader, account: str, after: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """AWS's policies that the account uses."""
    used = policies.usage(reader, account)
    for policy, _ in sorted(policy_table.aws_policies().values(), key=lambda item: item[0].arn):
        if policy.arn > after and (policy.arn in used.attached or policy.arn in used.as_boundary):
            yield policy.arn, _policy(reader, policy, used)


Entities = Callable[[Reader, str, str], Iterator[tuple[str, dict[str, Any]]]]
_KINDS: tuple[tuple[str, str, Entities], ...] = (
    ("User", "UserDetailList", _users),
    ("Group", "GroupDetailList", _groups),
    ("Role", "RoleDetailList", _roles),
    ("LocalManagedPolicy", "Policies", _own_policies),
    ("AWSManagedPolicy", "Policies", _aws_policies),
)
LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")


def _user(reader: Reader, user: User) -> dict[str, Any]:
    kind = user_table.KIND
    return {
        **users.describe(user),
        **_inline(reader, "UserPolicyList", user.account, kind, user.key),
        "GroupList": [group.name for group in group_table.groups_of(reader, user.account, user.key)],
        **_attached(reader, user.account, kind, user.key),
        **describe_boundary(user.boundary_arn),
        "Tags": tag_list(entity_table.tags(reader, user.account, kind, user.key)),
    }


def _group(reader: Reader, group: Group) -> dict[str, Any]:
    return {
        **groups.describe(group),
        "GroupPolicyList": _documents(reader, group.account, group_table.KIND, group.key),
        **_attached(reader, group.account, group_table.KIND, group.key),
    }


def _role(reader: Reader, role: Role) -> dict[str, Any]:
    profiles = instance_profile_table.of_role(reader, role.account, role.key)
    return {
        **roles.describe(role),
        "InstanceProfileList": [instance_profiles.describe(reader, profile) for profile in profiles],
        "RolePolicyList": _documents(reader, role.account, role_table.KIND, role.key),
        **_attached(reader, role.account, role_table.KIND, role.key),
        **describe_boundary(role.boundary_arn),
        "Tags": tag_list(entity_table.tags(reader, role.account, role_table.KIND, role.key)),
        "RoleLastUsed": roles.describe_use(reader, role),
    }


def _policy(reader: Reader, policy: ManagedPolicy, used: policies.Usage) -> dict[str, Any]:
    versions = policy_table.versions(reader, policy)
    described = policies.describe(policy, used)
    return described | {"PolicyVersionList": [policies.describe_document(policy, version) for version in versions]}


def _inline(reader: Reader, list_name: str, account: str, kind: str, key: str) -> dict[str, Any]:
    """A user's inline policies; unlike groups and roles, a user without any has no list of them."""
    found = _documents(reader, account, kind, key)
    return {list_name: found} if found else {}


def _documents(reader: Reader, account: str, kind: str, key: str) -> list[dict[str, str]]:
    found = entity_table.inline_policies(reader, account, kind, key)
    return [{"PolicyName": name, "PolicyDocument": encoded(document)} for name, document in found]


def _attached(reader: Reader, account: str, kind: str, key: str) -> dict[str, Any]:
    return {"AttachedManagedPolicies": attached_list(entity_table.attached(reader, account, kind, key))}
