"""What belongs to an account as a whole: its alias, and how much of everything it has.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountSummary.html
"""

from cloudlet.iam import (
    access_key_table,
    account_table,
    group_table,
    instance_profile_table,
    policy_table,
    provider_table,
    role_table,
    server_certificate_table,
    user_credential_table,
    user_table,
)
from cloudlet.iam.account_table import ALIAS
from cloudlet.services.iam import limits
from cloudlet.services.iam.errors import EntityAlreadyExists, NoSuchEntity
from cloudlet.services.iam.user_credential import SIGNING_CERTIFICATE
from cloudlet.store.base import Reader, Transaction


def put_alias(tx: Transaction, account: str, alias: str, now: float) -> None:
    """Give an account an alias in place of the one it has. Raises EntityAlreadyExists: aliases are unique."""
    if account_table.account_of_alias(tx, alias) is not None:
        raise EntityAlreadyExists(f"The account alias {alias} already exists.")
    account_table.put_setting(tx, account, ALIAS, alias, now)


def delete_alias(tx: Transaction, account: str, alias: str) -> None:
    """Take an account's alias away. Raises NoSuchEntity."""
    if account_table.account_of_alias(tx, alias) != account:
        raise NoSuchEntity(f"The account alias {alias} cannot be found.")
    account_table.delete_setting(tx, account, ALIAS)


def summary(reader: Reader, account: str) -> dict[str, int]:
    """How much of everything an account has, and may have. Multi-factor devices and root's password do not exist."""
    kinds = provider_table.OIDC, provider_table.SAML
    root_certificates = user_credential_table.of_user(reader, account, "", SIGNING_CERTIFICATE)
    return {
        "Users": user_table.count(reader, account),
        "UsersQuota": limits.USERS_PER_ACCOUNT,
        "Groups": group_table.count(reader, account),
        "GroupsQuota": limits.GROUPS_PER_ACCOUNT,
        "GroupsPerUserQuota": limits.GROUPS_PER_USER,
        "Roles": role_table.count(reader, account),
        "RolesQuota": limits.ROLES_PER_ACCOUNT,
        "InstanceProfiles": instance_profile_table.count(reader, account),
        "InstanceProfilesQuota": limits.INSTANCE_PROFILES_PER_ACCOUNT,
        "Policies": policy_table.count(reader, account),
        "PoliciesQuota": limits.POLICIES_PER_ACCOUNT,
        "PolicySizeQuota": limits.MANAGED_POLICY_CHARACTERS,
        "PolicyVersionsInUse": account_table.policy_versions(reader, account),
        "PolicyVersionsInUseQuota": limits.POLICY_VERSIONS_PER_ACCOUNT,
        "VersionsPerPolicyQuota": limits.VERSIONS_PER_POLICY,
        "AttachedPoliciesPerUserQuota": limits.POLICIES_PER_ENTITY,
        "AttachedPoliciesPerGroupQuota": limits.POLICIES_PER_ENTITY,
        "AttachedPoliciesPerRoleQuota": limits.POLICIES_PER_ENTITY,
        "UserPolicySizeQuota": limits.INLINE_POLICIES_CHARACTERS["user"],
        "GroupPolicySizeQuota": limits.INLINE_POLICIES_CHARACTERS["group"],
        "RolePolicySizeQuota": limits.INLINE_POLICIES_CHARACTERS["role"],
        "AssumeRolePolicySizeQuota": limits.TRUST_POLICY_CHARACTERS,
        "AccessKeysPerUserQuota": limits.ACCESS_KEYS_PER_USER,
        "SigningCertificatesPerUserQuota": limits.SIGNING_CERTIFICATES_PER_USER,
        "ServerCertificates": len(server_certificate_table.all_of(reader, account)),
        "ServerCertificatesQuota": limits.SERVER_CERTIFICATES_PER_ACCOUNT,
        "Providers": sum(len(provider_table.all_of(reader, account, kind)) for kind in kinds),
        "AccountAccessKeysPresent": int(bool(access_key_table.of_user(reader, account, ""))),
        "AccountSigningCertificatesPresent": int(bool(root_certificates)),
        "AccountPasswordPresent": 0,
        "AccountMFAEnabled": 0,
        "MFADevices": 0,
        "MFADevicesInUse": 0,
        "GlobalEndpointTokenVersion": 1,
    }
