"""Groups of users.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_groups.html
"""

from typing import Any

from cloudlet.iam import group_table, user_table
from cloudlet.iam.group_table import KIND, Group
from cloudlet.services.iam import limits
from cloudlet.services.iam import user as users
from cloudlet.services.iam.errors import DeleteConflict, EntityAlreadyExists, NoSuchEntity
from cloudlet.services.iam.shapes import moment
from cloudlet.store.base import Reader, Transaction


def get(reader: Reader, account: str, name: str) -> Group:
    """The group of this name. Raises NoSuchEntity."""
    group = group_table.find(reader, account, name)
    if group is None:
        raise NoSuchEntity(f"The group with name {name} cannot be found.")
    return group


def create(tx: Transaction, group: Group) -> None:
    """Keep a new group. Raises EntityAlreadyExists, LimitExceeded."""
    _check_free(tx, group.account, group.name)
    limits.check_quota("GroupsPerAccount", group_table.count(tx, group.account) + 1, limits.GROUPS_PER_ACCOUNT)
    group_table.add(tx, group)


def update(tx: Transaction, account: str, name: str, new_name: str | None, new_path: str | None) -> None:
    """Give a group another name or path. Raises NoSuchEntity, EntityAlreadyExists."""
    group = get(tx, account, name)
    if new_name is not None and new_name.lower() != group.key:
        _check_free(tx, account, new_name)
    group_table.update(tx, group, name=new_name or group.name, path=new_path or group.path)


def _check_free(reader: Reader, account: str, name: str) -> None:
    if group_table.find(reader, account, name):
        raise EntityAlreadyExists(f"Group with name {name} already exists.")


def delete(tx: Transaction, account: str, name: str) -> None:
    """Forget a group that nobody is in and no policy hangs on. Raises NoSuchEntity, DeleteConflict."""
    group = get(tx, account, name)
    if user_table.in_group(tx, account, group.key, limit=1):
        raise DeleteConflict("Cannot delete entity, must remove users from group first.")
    users.check_no_policies(tx, account, KIND, group.key)
    group_table.delete(tx, group)


def add_user(tx: Transaction, account: str, group_name: str, user_name: str) -> None:
    """Put a user into a group; nothing happens when it is there already. Raises NoSuchEntity, LimitExceeded."""
    group, user = get(tx, account, group_name), users.get(tx, account, user_name)
    group_table.add_member(tx, group, user.key)
    count = len(group_table.groups_of(tx, account, user.key))
    limits.check_quota("GroupsPerUser", count, limits.GROUPS_PER_USER)


def remove_user(tx: Transaction, account: str, group_name: str, user_name: str) -> None:
    """Take a user out of a group; nothing happens when it is not there. Raises NoSuchEntity."""
    user, group = users.get(tx, account, user_name), get(tx, account, group_name)
    group_table.remove_member(tx, group, user.key)


def describe(group: Group) -> dict[str, Any]:
    """All of a group."""
    return {
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.group_id,
        "Arn": group.arn,
        "CreateDate": moment(group.created),
    }
