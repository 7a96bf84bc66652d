"""Roles: who may assume them, what they may do, and when they can go.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html
"""

from typing import Any

from cloudlet.iam import entity_table, policy_table, role_table
from cloudlet.iam.policy_grammar import MalformedPolicy, check_identity_policy
from cloudlet.iam.role_table import KIND, Role
from cloudlet.iam.trust_grammar import check_trust_policy, role_principals
from cloudlet.services.iam import limits
from cloudlet.services.iam.errors import (
    DeleteConflict,
    EntityAlreadyExists,
    LimitExceeded,
    MalformedPolicyDocument,
    NoSuchEntity,
)
from cloudlet.services.iam.shapes import encoded, moment, tag_list
from cloudlet.services.iam.tags import put as put_tags
from cloudlet.store.base import Reader, Transaction

DEFAULT_MAX_SESSION_S = 3600


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
    check_boundary(tx, role.boundary_arn)
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


def check_boundary(reader: Reader, policy_arn: str | None) -> None:
    """Raise NoSuchEntity unless this managed policy, if any, can be a permissions boundary."""
    if policy_arn is not None and policy_table.find(reader, policy_arn) is None:
        raise NoSuchEntity(f"Scope ARN: {policy_arn} does not exist or is not attachable.")


def delete(tx: Transaction, account: str, name: str) -> None:
    """Forget a role that nothing hangs on but its tags. Raises NoSuchEntity, DeleteConflict."""
    role = get(tx, account, name)
    if entity_table.attached(tx, account, KIND, role.key, limit=1):
        raise DeleteConflict("Cannot delete entity, must detach all policies first.")
    if entity_table.inline_policies(tx, account, KIND, role.key, limit=1):
        raise DeleteConflict("Cannot delete entity, must delete policies first.")
    entity_table.delete_all_tags(tx, account, KIND, role.key)
    role_table.delete(tx, role)


def put_policy(tx: Transaction, account: str, role_name: str, policy_name: str, document: str) -> None:
    """Keep an inline policy of a role. Raises IamError."""
    role = get(tx, account, role_name)
    try:
        check_identity_policy(document)
    except MalformedPolicy as error:
        raise MalformedPolicyDocument(str(error)) from error
    entity_table.put_inline_policy(tx, account, KIND, role.key, policy_name, document)
    policies = entity_table.inline_policies(tx, account, KIND, role.key)
    if sum(limits.size(document) for _, document in policies) > limits.INLINE_POLICIES_CHARACTERS:
        raise LimitExceeded(
            f"Maximum policy size of {limits.INLINE_POLICIES_CHARACTERS} bytes exceeded for role {role.name}"
        )


def get_policy(reader: Reader, account: str, role_name: str, policy_name: str) -> tuple[str, str, str]:
    """An inline policy of a role: the role's name, the policy's, and its document. Raises NoSuchEntity."""
    role = get(reader, account, role_name)
    found = entity_table.inline_policy(reader, account, KIND, role.key, policy_name)
    if found is None:
        raise _no_policy(policy_name)
    return role.name, *found


def delete_policy(tx: Transaction, account: str, role_name: str, policy_name: str) -> None:
    """Forget an inline policy of a role. Raises NoSuchEntity."""
    role = get(tx, account, role_name)
    if not entity_table.delete_inline_policy(tx, account, KIND, role.key, policy_name):
        raise _no_policy(policy_name)


def _no_policy(name: str) -> NoSuchEntity:
    return NoSuchEntity(f"The role policy with name {name} cannot be found.")


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


def describe_listed(role: Role) -> dict[str, Any]:
    """A role as lists have it: without its tags, boundary and last use, as AWS says."""
    described = describe(role) | {"MaxSessionDuration": role.max_session_s}
    return described if role.description is None else described | {"Description": role.description}


def describe_whole(role: Role, tags: list[tuple[str, str]]) -> dict[str, Any]:
    """All of a role. When it was last used is not tracked yet, which is what an empty RoleLastUsed means."""
    return describe_listed(role) | describe_extras(role, tags) | {"RoleLastUsed": {}}


def describe_extras(role: Role, tags: list[tuple[str, str]]) -> dict[str, Any]:
    """The tags and the boundary, where there are some."""
    extras: dict[str, Any] = {"Tags": tag_list(tags)} if tags else {}
    if role.boundary_arn is not None:
        boundary = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": role.boundary_arn}
        extras["PermissionsBoundary"] = boundary
    return extras
