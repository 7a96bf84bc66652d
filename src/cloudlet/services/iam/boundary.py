"""Permissions boundaries: the most that a user or a role can be granted.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
"""

import re
from typing import Any

from cloudlet.iam import policy_table
from cloudlet.iam.policy_table import AWS_ACCOUNT
from cloudlet.services.iam.errors import InvalidInput, NoSuchEntity
from cloudlet.store.base import Reader

_POLICY_ARN = re.compile(r"arn:[^:]+:iam::(aws|[0-9]{12}):policy/.+")


def check_boundary(reader: Reader, account: str, policy_arn: str | None) -> None:
    """Raise NoSuchEntity or InvalidInput unless this managed policy, if any, can be a boundary in this account."""
    if policy_arn is None:
        return
    if not _POLICY_ARN.fullmatch(policy_arn):
        raise InvalidInput(f"ARN {policy_arn} is not valid.")
    policy = policy_table.find(reader, policy_arn)
    if policy is None or policy.account not in (account, AWS_ACCOUNT):
        raise NoSuchEntity(f"Scope ARN: {policy_arn} does not exist or is not attachable.")


def describe_boundary(policy_arn: str | None) -> dict[str, Any]:
    """The boundary, where there is one."""
    if policy_arn is None:
        return {}
    return {"PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": policy_arn}}
