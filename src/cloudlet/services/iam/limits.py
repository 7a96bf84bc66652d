"""IAM's quotas. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""

from cloudlet.services.iam.errors import LimitExceeded

ROLES_PER_ACCOUNT = 1000
POLICIES_PER_ACCOUNT = 1500
POLICIES_PER_ROLE = 10
"""Managed policies that are attached to a role."""
VERSIONS_PER_POLICY = 5
TAGS_PER_ENTITY = 50
TRUST_POLICY_CHARACTERS = 2048
INLINE_POLICIES_CHARACTERS = 10240
"""All inline policies of a role together."""
MANAGED_POLICY_CHARACTERS = 6144


def size(document: str) -> int:
    """The length of a policy document as IAM counts it: without white space."""
    return len("".join(document.split()))


def check_quota(name: str, value: int, limit: int) -> None:
    """Raise LimitExceeded when `value` is more than the quota `name` (AWS's word for it) allows."""
    if value > limit:
        raise LimitExceeded(f"Cannot exceed quota for {name}: {limit}")
