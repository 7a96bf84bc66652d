"""What policies hang on: a user, a group or a role, whose policies all work alike.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-vs-inline.html
"""

from dataclasses import dataclass

from cloudlet.iam import entity_table, group_table, policy_table, role_table, user_table
from cloudlet.iam.group_table import Group
from cloudlet.iam.policy_grammar import MalformedPolicy, check_identity_policy
from cloudlet.iam.policy_table import AWS_ACCOUNT
from cloudlet.iam.role_table import Role
from cloudlet.iam.user_table import User
from cloudlet.services.iam import group as groups
from cloudlet.services.iam import limits
from cloudlet.services.iam import role as roles
from cloudlet.services.iam import user as users
from cloudlet.services.iam.errors import LimitExceeded, MalformedPolicyDocument, NoSuchEntity
from cloudlet.services.iam.policy import check_arn
from cloudlet.store.base import Reader, Transaction

_QUOTAS = {user_table.KIND: "PoliciesPerUser", group_table.KIND: "PoliciesPerGroup", role_table.KIND: "PoliciesPerRole"}


@dataclass(frozen=True, slots=True)
class Holder:
    """A user, a group or a role."""

    account: str
    kind: str
    key: str
    name: str


def find(reader: Reader, account: str, kind: str, name: str) -> Holder:
    """The user, group or role of this name. Raises NoSuchEntity."""
    entity: User | Group | Role
    if kind == user_table.KIND:
        entity = users.get(reader, account, name)
    elif kind == group_table.KIND:
        entity = groups.get(reader, account, name)
    else:
        entity = roles.get(reader, account, name)
    return Holder(account, kind, entity.key, entity.name)


def find_modifiable(reader: Reader, account: str, kind: str, name: str) -> Holder:
    """The user, group or role of this name, if its policies can be changed. Raises NoSuchEntity, UnmodifiableEntity."""
    if kind == role_table.KIND:
        roles.check_modifiable(roles.get(reader, account, name))
    return find(reader, account, kind, name)


# Inline policies


def put_policy(tx: Transaction, holder: Holder, policy_name: str, document: str) -> None:
    """Keep an inline policy. Raises MalformedPolicyDocument, LimitExceeded."""
    try:
        check_identity_policy(document)
    except MalformedPolicy as error:
        raise MalformedPolicyDocument(str(error)) from error
    entity_table.put_inline_policy(tx, holder.account, holder.kind, holder.key, policy_name, document)
    policies = entity_table.inline_policies(tx, holder.account, holder.kind, holder.key)
    most = limits.INLINE_POLICIES_CHARACTERS[holder.kind]
    if sum(limits.size(document) for _, document in policies) > most:
        raise LimitExceeded(f"Maximum policy size of {most} bytes exceeded for {holder.kind} {holder.name}")


def get_policy(reader: Reader, holder: Holder, policy_name: str) -> tuple[str, str]:
    """The name and the document of an inline policy. Raises NoSuchEntity."""
    found = entity_table.inline_policy(reader, holder.account, holder.kind, holder.key, policy_name)
    if found is None:
        raise _no_policy(holder, policy_name)
    return found


def delete_policy(tx: Transaction, holder: Holder, policy_name: str) -> None:
    """Forget an inline policy. Raises NoSuchEntity."""
    if not entity_table.delete_inline_policy(tx, holder.account, holder.kind, holder.key, policy_name):
        raise _no_policy(holder, policy_name)


def _no_policy(holder: Holder, policy_name: str) -> NoSuchEntity:
    return NoSuchEntity(f"The {holder.kind} policy with name {policy_name} cannot be found.")


# Attached policies


def attach(tx: Transaction, holder: Holder, policy_arn: str) -> None:
    """Attach a managed policy. Raises NoSuchEntity, ValidationError, LimitExceeded."""
    check_arn(policy_arn)
    policy = policy_table.find(tx, policy_arn)
    if policy is None or policy.account not in (holder.account, AWS_ACCOUNT):
        raise NoSuchEntity(f"Policy {policy_arn} does not exist or is not attachable.")
    entity_table.attach(tx, holder.account, holder.kind, holder.key, policy_arn)
    most = limits.POLICIES_PER_ENTITY
    attached = entity_table.attached(tx, holder.account, holder.kind, holder.key, limit=most + 1)
    limits.check_quota(_QUOTAS[holder.kind], len(attached), most)


def detach(tx: Transaction, holder: Holder, policy_arn: str) -> None:
    """Detach a managed policy. Raises NoSuchEntity, ValidationError."""
    check_arn(policy_arn)
    if not entity_table.detach(tx, holder.account, holder.kind, holder.key, policy_arn):
        raise NoSuchEntity(f"Policy {policy_arn} was not found.")
