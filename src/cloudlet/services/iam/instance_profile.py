"""Instance profiles: what hands a role to a virtual machine. Kept for templates that make one beside their roles.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2_instance-profiles.html
"""

from typing import Any

from cloudlet.iam import entity_table, instance_profile_table, role_table
from cloudlet.iam.instance_profile_table import KIND, InstanceProfile
from cloudlet.services.iam import limits
from cloudlet.services.iam import role as roles
from cloudlet.services.iam.errors import DeleteConflict, EntityAlreadyExists, LimitExceeded, NoSuchEntity
from cloudlet.services.iam.shapes import moment, tag_list
from cloudlet.services.iam.tags import put as put_tags
from cloudlet.store.base import Reader, Transaction


def get(reader: Reader, account: str, name: str) -> InstanceProfile:
    """The instance profile of this name. Raises NoSuchEntity."""
    profile = instance_profile_table.find(reader, account, name)
    if profile is None:
        raise NoSuchEntity(f"Instance Profile {name} cannot be found.")
    return profile


def create(tx: Transaction, profile: InstanceProfile, tags: list[tuple[str, str]]) -> None:
    """Keep a new instance profile. Raises EntityAlreadyExists, LimitExceeded."""
    if instance_profile_table.find(tx, profile.account, profile.name):
        raise EntityAlreadyExists(f"Instance Profile {profile.name} already exists.")
    count = instance_profile_table.count(tx, profile.account) + 1
    limits.check_quota("InstanceProfilesPerAccount", count, limits.INSTANCE_PROFILES_PER_ACCOUNT)
    instance_profile_table.add(tx, profile)
    put_tags(tx, profile.account, KIND, profile.key, tags)


def delete(tx: Transaction, account: str, name: str) -> None:
    """Forget an instance profile that has no role. Raises NoSuchEntity, DeleteConflict."""
    profile = get(tx, account, name)
    if profile.role_key is not None:
        raise DeleteConflict("Cannot delete entity, must remove roles from instance profile first.")
    entity_table.delete_all_tags(tx, account, KIND, profile.key)
    instance_profile_table.delete(tx, profile)


def add_role(tx: Transaction, account: str, name: str, role_name: str) -> None:
    """Put a role into an instance profile. Raises NoSuchEntity, LimitExceeded."""
    profile, role = get(tx, account, name), roles.get(tx, account, role_name)
    if profile.role_key is not None:
        raise LimitExceeded("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
    instance_profile_table.set_role(tx, profile, role.key)


def remove_role(tx: Transaction, account: str, name: str, role_name: str) -> None:
    """Take a role out of an instance profile. Raises NoSuchEntity."""
    profile, role = get(tx, account, name), roles.get(tx, account, role_name)
    if profile.role_key != role.key:
        raise NoSuchEntity(f"Role {role.name} in Instance Profile {profile.name} cannot be found.")
    instance_profile_table.set_role(tx, profile, None)


def describe(reader: Reader, profile: InstanceProfile) -> dict[str, Any]:
    """An instance profile and its role, without its tags, as lists have it."""
    role = role_table.find(reader, profile.account, profile.role_key) if profile.role_key is not None else None
    return {
        "Path": profile.path,
        "InstanceProfileName": profile.name,
        "InstanceProfileId": profile.profile_id,
        "Arn": profile.arn,
        "CreateDate": moment(profile.created),
        "Roles": [] if role is None else [roles.describe(role)],
    }


def describe_whole(reader: Reader, profile: InstanceProfile) -> dict[str, Any]:
    """All of an instance profile."""
    tags = entity_table.tags(reader, profile.account, KIND, profile.key)
    return describe(reader, profile) | {"Tags": tag_list(tags)}
