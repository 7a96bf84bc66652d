"""Managed policies: their versions, and what they are attached to.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-vs-inline.html
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cloudlet.arn import Arn
from cloudlet.errors import AccessDenied, ValidationError
from cloudlet.iam import entity_table, policy_table, role_table, user_table
from cloudlet.iam.policy_grammar import MalformedPolicy, check_identity_policy
from cloudlet.iam.policy_table import AWS_ACCOUNT, KIND, ManagedPolicy, PolicyVersion
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


@dataclass(frozen=True, slots=True)
class Usage:
    """How often the managed policies of an account are used, by ARN."""

    attached: Mapping[str, int]
    as_boundary: Mapping[str, int]


def usage(reader: Reader, account: str) -> Usage:
    """How often each managed policy is used in an account."""
    as_boundary = Counter(role_table.boundary_counts(reader, account))
    as_boundary.update(user_table.boundary_counts(reader, account))
    return Usage(entity_table.attachment_counts(reader, account), as_boundary)


def check_arn(arn: str) -> None:
    """Raise ValidationError unless `arn` is one."""
    try:
        Arn.parse(arn)
    except ValueError as error:
        raise ValidationError("Invalid ARN:  Could not be parsed!") from error


def get(reader: Reader, account: str, arn: str) -> ManagedPolicy:
    """The policy of this ARN: the account's own, or AWS's. Raises NoSuchEntity, ValidationError."""
    check_arn(arn)
    policy = policy_table.find(reader, arn)
    if policy is None or policy.account not in (account, AWS_ACCOUNT):
        raise NoSuchEntity(f"Policy {arn} was not found.")
    return policy


def get_own(reader: Reader, account: str, arn: str) -> ManagedPolicy:
    """The account's own policy of this ARN. Raises NoSuchEntity, ValidationError, AccessDenied."""
    check_arn(arn)
    if Arn.parse(arn).account != account:
        raise AccessDenied("Policy is outside your own account.")
    return get(reader, account, arn)


def check_document(document: str) -> None:
    """Raise MalformedPolicyDocument or LimitExceeded unless a managed policy can have this document."""
    try:
        check_identity_policy(document)
    except MalformedPolicy as error:
        raise MalformedPolicyDocument(str(error)) from error
    limits.check_quota("PolicySize", limits.size(document), limits.MANAGED_POLICY_CHARACTERS)


def create(tx: Transaction, policy: ManagedPolicy, document: str, tags: list[tuple[str, str]]) -> None:
    """Keep a new policy and its first version. Raises IamError."""
    check_document(document)
    if policy_table.find_by_name(tx, policy.account, policy.name):
        raise EntityAlreadyExists(f"A policy called {policy.name} already exists. Duplicate names are not allowed.")
    limits.check_quota("PoliciesPerAccount", policy_table.count(tx, policy.account) + 1, limits.POLICIES_PER_ACCOUNT)
    policy_table.add(tx, policy)
    policy_table.add_version(tx, policy, PolicyVersion(1, document, policy.created))
    put_tags(tx, policy.account, KIND, policy.key, tags)


def delete(tx: Transaction, account: str, arn: str) -> None:
    """Forget a policy that is not used and has one version. Raises NoSuchEntity, DeleteConflict, AccessDenied."""
    policy = get_own(tx, account, arn)
    used = usage(tx, account)
    if used.attached.get(arn) or used.as_boundary.get(arn):
        raise DeleteConflict("Cannot delete a policy attached to entities.")
    if len(policy_table.versions(tx, policy)) > 1:
        raise DeleteConflict(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
            "The default version is deleted with the policy."
        )
    entity_table.delete_all_tags(tx, account, KIND, policy.key)
    policy_table.delete(tx, policy)


def number_of(version_id: str) -> int:
    """The number in a version id: 2 of `v2`; 0, which no version has, when it has another form."""
    number = version_id[1:].partition(".")[0]
    return int(number) if version_id.startswith("v") and number.isascii() and number.isdigit() else 0


def get_version(reader: Reader, policy: ManagedPolicy, version_id: str) -> PolicyVersion:
    """A version of a policy. Raises NoSuchEntity."""
    version = policy_table.version(reader, policy, number_of(version_id))
    if version is None:
        raise NoSuchEntity(f"Policy {policy.arn} version {version_id} does not exist or is not attachable.")
    return version


def add_version(
    tx: Transaction, account: str, arn: str, document: str, now: float, *, make_default: bool
) -> tuple[ManagedPolicy, PolicyVersion]:
    """Keep a new version of a policy. Raises IamError."""
    check_document(document)
    policy = get_own(tx, account, arn)
    if len(policy_table.versions(tx, policy)) >= limits.VERSIONS_PER_POLICY:
        raise LimitExceeded(
            f"A managed policy can have up to {limits.VERSIONS_PER_POLICY} versions. Before you create a new version, "
            "you must delete an existing version."
        )
    version = PolicyVersion(policy.last_version + 1, document, now)
    default = version.number if make_default else policy.default_version
    policy = replace(policy, default_version=default, last_version=version.number, updated=now)
    policy_table.add_version(tx, policy, version)
    policy_table.update(tx, policy)
    return policy, version


def set_default(tx: Transaction, account: str, arn: str, version_id: str, now: float) -> None:
    """Put a version of a policy in force. Raises NoSuchEntity, AccessDenied."""
    policy = get_own(tx, account, arn)
    version = get_version(tx, policy, version_id)
    policy_table.update(tx, replace(policy, default_version=version.number, updated=now))


def delete_version(tx: Transaction, account: str, arn: str, version_id: str) -> None:
    """Forget a version that is not the default one. Raises NoSuchEntity, DeleteConflict, AccessDenied."""
    policy = get_own(tx, account, arn)
    version = get_version(tx, policy, version_id)
    if version.number == policy.default_version:
        raise DeleteConflict("Cannot delete the default version of a policy.")
    policy_table.delete_version(tx, policy, version.number)


def describe(policy: ManagedPolicy, used: Usage) -> dict[str, Any]:
    """A policy as lists and the answer to its creation have it."""
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.policy_id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": f"v{policy.default_version}",
        "AttachmentCount": used.attached.get(policy.arn, 0),
        "PermissionsBoundaryUsageCount": used.as_boundary.get(policy.arn, 0),
        "IsAttachable": True,
        "CreateDate": moment(policy.created),
        "UpdateDate": moment(policy.updated),
    }


def describe_whole(policy: ManagedPolicy, used: Usage, tags: list[tuple[str, str]]) -> dict[str, Any]:
    """All of a policy."""
    described = describe(policy, used) | {"Tags": tag_list(tags)}
    return described if policy.description is None else described | {"Description": policy.description}


def describe_version(policy: ManagedPolicy, version: PolicyVersion) -> dict[str, Any]:
    """A version of a policy without its document."""
    return {
        "VersionId": f"v{version.number}",
        "IsDefaultVersion": version.number == policy.default_version,
        "CreateDate": moment(version.created),
    }


def describe_document(policy: ManagedPolicy, version: PolicyVersion) -> dict[str, Any]:
    """A version of a policy with its document."""
    return {"Document": encoded(version.document), **describe_version(policy, version)}
