"""IAM's quotas. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""

from cloudlet.services.iam.errors import LimitExceeded

USERS_PER_ACCOUNT = 5000
GROUPS_PER_ACCOUNT = 300
GROUPS_PER_USER = 10
ROLES_PER_ACCOUNT = 1000
POLICIES_PER_ACCOUNT = 1500
INSTANCE_PROFILES_PER_ACCOUNT = 1000
OIDC_PROVIDERS_PER_ACCOUNT = 100
SAML_PROVIDERS_PER_ACCOUNT = 100
SERVER_CERTIFICATES_PER_ACCOUNT = 20
POLICIES_PER_ENTITY = 10
"""Managed policies that are attached to a user, a group or a role."""
VERSIONS_PER_POLICY = 5
POLICY_VERSIONS_PER_ACCOUNT = 10000
TAGS_PER_ENTITY = 50
ACCESS_KEYS_PER_USER = 2
SIGNING_CERTIFICATES_PER_USER = 2
SSH_PUBLIC_KEYS_PER_USER = 5
SERVICE_CREDENTIALS_PER_USER = 2
"""For each service."""
CLIENT_IDS_PER_OIDC_PROVIDER = 100
THUMBPRINTS_PER_OIDC_PROVIDER = 5
TRUST_POLICY_CHARACTERS = 2048
INLINE_POLICIES_CHARACTERS = {"user": 2048, "group": 5120, "role": 10240}
"""All inline policies of an entity together."""
MANAGED_POLICY_CHARACTERS = 6144


def size(document: str) -> int:
    """The length of a policy document as IAM counts it: without white space."""
    return len("".join(document.split()))


def check_quota(name: str, value: int, limit: int) -> None:
    """Raise LimitExceeded when `value` is more than the quota `name` (AWS's word for it) allows."""
    if value > limit:
        raise LimitExceeded(f"Cannot exceed quota for {name}: {limit}")
