"""Roles: who may assume them, what they may do, and when they can go.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html
"""

from typing import Any

from cloudlet.iam import access_key_table, entity_table, instance_profile_table, role_table
from cloudlet.iam.policy_grammar import MalformedPolicy
from cloudlet.iam.role_table import KIND, Role
from cloudlet.iam.trust_grammar import check_trust_policy, role_principals
from cloudlet.services.iam import limits
from cloudlet.services.iam.boundary import check_boundary, describe_boundary
from cloudlet.services.iam.errors import (
    DeleteConflict,
    EntityAlreadyExists,
    MalformedPolicyDocument,
    NoSuchEntity,
    UnmodifiableEntity,
)
from cloudlet.services.iam.shapes import encoded, moment, tag_list
from cloudlet.services.iam.tags import put as put_tags
from cloudlet.services.iam.user import check_no_policies
from cloudlet.store.base import Reader, Transaction

DEFAULT_MAX_SESSION_S = 3600
SERVICE_LINKED_PATH = "/aws-service-role/"
"""Below it are the roles that belong to services."""


def get(reader: Reader, account: str, name: str) -> Role:
    """The role of this name. Raises NoSuchEntity."""
    role = role_table.find(reader, account, name)
    if role is None:
        raise NoSuchEntity(f"The role with name {name} cannot be found.")
    return role


def create(tx: Transaction, role: Role, tags: list[tuple[str, str]]) -> None:
    """Keep a new role. Raises IamError."""
    check_trust(tx, role.account, role.trust_policy)
    if role_table.find(tx, role.account, role.name):
        raise EntityAlreadyExists(f"Role with name {role.name} already exists.")
    check_boundary(tx, role.account, role.boundary_arn)
    limits.check_quota("RolesPerAccount", role_table.count(tx, role.account) + 1, limits.ROLES_PER_ACCOUNT)
    role_table.add(tx, role)
    put_tags(tx, role.account, KIND, role.key, tags)


def check_trust(reader: Reader, account: str, document: str) -> None:
    """Raise MalformedPolicyDocument or LimitExceeded unless a role can have this trust policy."""
    try:
        check_trust_policy(document)
    except MalformedPolicy as error:
        raise MalformedPolicyDocument(str(error)) from error
    limits.check_quota("ACLSizePerRole", limits.size(document), limits.TRUST_POLICY_CHARACTERS)
    for arn in role_principals(document):
        # Other accounts may be of other nodes; in its own account IAM knows who there is.
        if f":iam::{account}:role/" in arn:
            named = role_table.find(reader, account, arn.rpartition("/")[2])
            if named is None or named.arn != arn:
                raise MalformedPolicyDocument(f'Invalid principal in policy: "AWS":"{arn}"')


def check_modifiable(role: Role) -> None:
    """Raise UnmodifiableEntity for a role that only its service may change."""
    if role.path.startswith(SERVICE_LINKED_PATH):
        raise UnmodifiableEntity(
            f"Cannot perform the operation on the protected role '{role.name}' - this role is only modifiable by AWS"
        )


def delete(tx: Transaction, account: str, name: str) -> None:
    """Forget a role that nothing hangs on but its tags. Raises NoSuchEntity, DeleteConflict, UnmodifiableEntity."""
    role = get(tx, account, name)
    check_modifiable(role)
    if instance_profile_table.of_role(tx, account, role.key, limit=1):
        raise DeleteConflict("Cannot delete entity, must remove roles from instance profile first.")
    check_no_policies(tx, account, KIND, role.key)
    entity_table.delete_all_tags(tx, account, KIND, role.key)
    role_table.delete(tx, role)


def describe(role: Role) -> dict[str, Any]:
    """A role as the answer to its creation has it."""
    return {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.role_id,
        "Arn": role.arn,
        "CreateDate": moment(role.created),
        "AssumeRolePolicyDocument": encoded(role.trust_policy),
    }


def describe_with_description(role: Role) -> dict[str, Any]:
    """A role as the answer to the change of its description has it."""
    return describe(role) | ({} if role.description is None else {"Description": role.description})


def describe_listed(role: Role) -> dict[str, Any]:
    """A role as lists have it: without its tags, boundary and last use, as AWS says."""
    return describe_with_description(role) | {"MaxSessionDuration": role.max_session_s}


def describe_whole(reader: Reader, role: Role) -> dict[str, Any]:
    """All of a role."""
    tags = entity_table.tags(reader, role.account, KIND, role.key)
    return describe_listed(role) | describe_extras(role, tags) | {"RoleLastUsed": describe_use(reader, role)}


def describe_use(reader: Reader, role: Role) -> dict[str, Any]:
    """When a role was last used; empty when it was not."""
    use = access_key_table.last_use(reader, role.role_id)
    return {} if use is None else {"LastUsedDate": moment(use.used), "Region": use.region}


def describe_extras(role: Role, tags: list[tuple[str, str]]) -> dict[str, Any]:
    """The tags and the boundary, where there are some."""
    extras: dict[str, Any] = {"Tags": tag_list(tags)} if tags else {}
    return extras | describe_boundary(role.boundary_arn)
