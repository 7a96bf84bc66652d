"""Users: who they are, whom an operation is about, and when they can go.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_users.html
"""

from collections.abc import Mapping
from typing import Any

from cloudlet.errors import ValidationError
from cloudlet.iam import access_key_table, entity_table, group_table, login_table, user_credential_table, user_table
from cloudlet.iam.principals import RequestContext
from cloudlet.iam.user_table import KIND, User
from cloudlet.services.iam import limits
from cloudlet.services.iam.boundary import check_boundary, describe_boundary
from cloudlet.services.iam.errors import DeleteConflict, EntityAlreadyExists, NoSuchEntity
from cloudlet.services.iam.shapes import moment, tag_list
from cloudlet.services.iam.tags import put as put_tags
from cloudlet.store.base import Reader, Transaction


def named(context: RequestContext, params: Mapping[str, Any]) -> str | None:
    """The name of the user that a request is about: the one that it names, or the caller; None for the account's root.

    Raises ValidationError where a role calls and names nobody.
    """
    if "UserName" in params:
        return str(params["UserName"])
    if context.principal.kind == "user":
        return context.principal.arn.rpartition("/")[2]
    if context.principal.kind == "root":
        return None
    raise ValidationError("Must specify userName when calling with non-User credentials")


def named_user(context: RequestContext, params: Mapping[str, Any]) -> str:
    """The name of the user that a request is about, which cannot be the account's root. Raises ValidationError."""
    name = named(context, params)
    if name is None:
        raise ValidationError("Must specify userName when calling with non-User credentials")
    return name


def get(reader: Reader, account: str, name: str) -> User:
    """The user of this name. Raises NoSuchEntity."""
    user = user_table.find(reader, account, name)
    if user is None:
        raise NoSuchEntity(f"The user with name {name} cannot be found.")
    return user


def create(tx: Transaction, user: User, tags: list[tuple[str, str]]) -> None:
    """Keep a new user. Raises IamError."""
    _check_free(tx, user.account, user.name)
    check_boundary(tx, user.account, user.boundary_arn)
    limits.check_quota("UsersPerAccount", user_table.count(tx, user.account) + 1, limits.USERS_PER_ACCOUNT)
    user_table.add(tx, user)
    put_tags(tx, user.account, KIND, user.key, tags)


def rename(tx: Transaction, user: User, name: str) -> None:
    """Give a user another name. Raises EntityAlreadyExists."""
    if name.lower() != user.key:
        _check_free(tx, user.account, name)
    user_table.rename(tx, user, name)


def _check_free(reader: Reader, account: str, name: str) -> None:
    if user_table.find(reader, account, name):
        raise EntityAlreadyExists(f"User with name {name} already exists.")


def delete(tx: Transaction, account: str, name: str) -> None:
    """Forget a user that nothing hangs on but its tags. Raises NoSuchEntity, DeleteConflict."""
    user = get(tx, account, name)
    if login_table.find(tx, account, user.key):
        raise DeleteConflict("Cannot delete entity, must delete login profile first.")
    if access_key_table.of_user(tx, account, user.key):
        raise DeleteConflict("Cannot delete entity, must delete access keys first.")
    if group_table.groups_of(tx, account, user.key, limit=1):
        raise DeleteConflict("Cannot delete entity, must remove users from group first.")
    check_no_policies(tx, account, KIND, user.key)
    if user_credential_table.of_user(tx, account, user.key):
        raise DeleteConflict("Cannot delete entity, must remove referenced objects first.")
    entity_table.delete_all_tags(tx, account, KIND, user.key)
    user_table.delete(tx, user)


def check_no_policies(reader: Reader, account: str, kind: str, key: str) -> None:
    """Raise DeleteConflict while policies hang on a user, a group or a role."""
    if entity_table.attached(reader, account, kind, key, limit=1):
        raise DeleteConflict("Cannot delete entity, must detach all policies first.")
    if entity_table.inline_policies(reader, account, kind, key, limit=1):
        raise DeleteConflict("Cannot delete entity, must delete policies first.")


def describe(user: User) -> dict[str, Any]:
    """A user as lists have it: without its tags and boundary, as AWS says."""
    return {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.user_id,
        "Arn": user.arn,
        "CreateDate": moment(user.created),
    }


def describe_whole(user: User, tags: list[tuple[str, str]]) -> dict[str, Any]:
    """All of a user."""
    described = describe(user) | describe_boundary(user.boundary_arn)
    return described | ({"Tags": tag_list(tags)} if tags else {})


def describe_root(reader: Reader, account: str) -> dict[str, Any]:
    """The account's root, as GetUser has it. When the account began is known by its first access key."""
    described: dict[str, Any] = {"UserId": account, "Arn": f"arn:aws:iam::{account}:root"}
    keys = access_key_table.of_user(reader, account, "")
    return described | ({"CreateDate": moment(keys[0].created)} if keys else {})
