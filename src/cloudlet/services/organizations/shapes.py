"""How Organizations writes what it keeps: ARNs, descriptions, pages.

https://docs.aws.amazon.com/organizations/latest/APIReference/API_Types.html
"""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from cloudlet.iam.organisation_table import (
    FULL_ACCESS,
    SERVICE_CONTROL_POLICY,
    AccountRequest,
    Member,
    Organisation,
    Policy,
    Unit,
)
from cloudlet.services.organizations.errors import InvalidInput

MAX_PAGE = 20
Item = TypeVar("Item")


def arn(organisation: Organisation, kind: str, name: str) -> str:
    """The ARN of something in an organisation: `account`, `ou`, `root`, `policy/<type>`."""
    owner, _, rest = kind.partition("/")
    path = "/".join(part for part in (owner, organisation.organization_id, rest, name) if part)
    return f"arn:aws:organizations::{organisation.account}:{path}"


def describe_organisation(organisation: Organisation, management: Member) -> dict[str, Any]:
    """An organisation."""
    types = [{"Type": SERVICE_CONTROL_POLICY, "Status": "ENABLED"}] if organisation.feature_set == "ALL" else []
    return {
        "Id": organisation.organization_id,
        "Arn": f"arn:aws:organizations::{organisation.account}:organization/{organisation.organization_id}",
        "FeatureSet": organisation.feature_set,
        "MasterAccountArn": arn(organisation, "account", organisation.account),
        "MasterAccountId": organisation.account,
        "MasterAccountEmail": management.email,
        "AvailablePolicyTypes": types,
    }


def describe_root(organisation: Organisation) -> dict[str, Any]:
    """The root."""
    types = [{"Type": SERVICE_CONTROL_POLICY, "Status": "ENABLED"}] if organisation.has_service_control else []
    return {
        "Id": organisation.root_id,
        "Arn": arn(organisation, "root", organisation.root_id),
        "Name": "Root",
        "PolicyTypes": types,
    }


def describe_unit(organisation: Organisation, unit: Unit) -> dict[str, Any]:
    """An organisational unit."""
    return {"Id": unit.unit_id, "Arn": arn(organisation, "ou", unit.unit_id), "Name": unit.name}


def describe_member(organisation: Organisation, member: Member) -> dict[str, Any]:
    """An account."""
    return {
        "Id": member.member,
        "Arn": arn(organisation, "account", member.member),
        "Email": member.email,
        "Name": member.name,
        "Status": member.status,
        "State": member.status,
        "JoinedMethod": member.joined_method,
        "JoinedTimestamp": _moment(member.joined),
    }


def describe_policy(organisation: Organisation, policy: Policy) -> dict[str, Any]:
    """A policy without its content."""
    kind = f"policy/{policy.type.lower()}"
    is_aws = policy.policy_id == FULL_ACCESS
    own = f"arn:aws:organizations::aws:{kind}/{policy.policy_id}"
    return {
        "Id": policy.policy_id,
        "Arn": own if is_aws else arn(organisation, kind, policy.policy_id),
        "Name": policy.name,
        "Description": policy.description,
        "Type": policy.type,
        "AwsManaged": is_aws,
    }


def describe_whole_policy(organisation: Organisation, policy: Policy) -> dict[str, Any]:
    """A policy with its content."""
    return {"PolicySummary": describe_policy(organisation, policy), "Content": policy.content}


def describe_request(request: AccountRequest) -> dict[str, Any]:
    """What became of a request to create an account."""
    described = {
        "Id": request.request_id,
        "AccountName": request.name,
        "State": request.state,
        "RequestedTimestamp": _moment(request.requested),
        "CompletedTimestamp": _moment(request.completed),
    }
    if request.member:
        described["AccountId"] = request.member
    if request.failure_reason:
        described["FailureReason"] = request.failure_reason
    return described


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(round(seconds, 3), UTC)


def page_request(params: Mapping[str, Any]) -> tuple[str, int]:
    """Where a list goes on (empty for its start), and how many items a page of it has. Raises InvalidInput."""
    try:
        after = base64.b64decode(params.get("NextToken", ""), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("You specified an invalid value for nextToken.", Reason="INVALID_NEXT_TOKEN") from error
    return after, params.get("MaxResults", MAX_PAGE)


def page(items: Sequence[Item], limit: int, key: Callable[[Item], str]) -> tuple[Sequence[Item], dict[str, str]]:
    """The first `limit` of `items`, which hold one more when there are more, and the token for the rest."""
    if len(items) <= limit:
        return items, {}
    items = items[:limit]
    return items, {"NextToken": base64.urlsafe_b64encode(key(items[-1]).encode()).decode()}
