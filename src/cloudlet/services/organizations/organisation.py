"""What is in an organisation, and who may see it: the checks that its operations share.

https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudlet.errors import AccessDenied, OperationNotImplemented
from cloudlet.iam import organisation_table as table
from cloudlet.iam.organisation_table import SERVICE_CONTROL_POLICY, Member, Organisation, Policy, Unit
from cloudlet.services.organizations.errors import (
    AccountNotFound,
    ConstraintViolation,
    InvalidInput,
    OrganizationsError,
    OrganizationsNotInUse,
    PolicyNotFound,
    TargetNotFound,
)
from cloudlet.services.organizations.shapes import arn
from cloudlet.store.base import Reader

ACCOUNTS = 10_000
"""The most that AWS raises the quota to."""
UNITS = 2000
DEPTH = 5
"""Levels of units below the root."""
POLICIES = 10_000
POLICY_CHARACTERS = 5120
ATTACHED = 5
TAGS = 50


def current(reader: Reader, account: str) -> tuple[Organisation, Member]:
    """The organisation of an account. Raises OrganizationsNotInUse."""
    found = table.of_member(reader, account)
    if found is None:
        raise OrganizationsNotInUse
    return found


def managed(reader: Reader, account: str) -> Organisation:
    """The organisation that an account manages. Raises OrganizationsNotInUse, AccessDenied."""
    organisation, _ = current(reader, account)
    if organisation.account != account:
        raise AccessDenied("You don't have permissions to access this resource.")
    return organisation


def member(
    reader: Reader, organisation: Organisation, account: str, missing: type[OrganizationsError] = AccountNotFound
) -> Member:
    """An account of the organisation. Raises `missing`."""
    found = table.of_member(reader, account)
    if found is None or found[0].account != organisation.account:
        raise missing
    return found[1]


def check_parent(
    reader: Reader, organisation: Organisation, parent_id: str, missing: type[OrganizationsError]
) -> Unit | None:
    """The unit of this id, None for the root. Raises `missing`."""
    if parent_id == organisation.root_id:
        return None
    found = table.unit(reader, organisation.account, parent_id)
    if found is None:
        raise missing
    return found


def policy(reader: Reader, organisation: Organisation, policy_id: str) -> Policy:
    """A policy of the organisation, or AWS's. Raises PolicyNotFound."""
    found = table.policy(reader, organisation.account, policy_id)
    if found is None:
        raise PolicyNotFound
    return found


def check_type(type_: str) -> None:
    """Raise OperationNotImplemented for a type of policies that does nothing here."""
    if type_ != SERVICE_CONTROL_POLICY:
        raise OperationNotImplemented(f"Policies of type {type_} are not implemented by Cloudlet.")


@dataclass(frozen=True, slots=True)
class Target:
    """What a policy can be attached to."""

    target_id: str
    type: str
    """ROOT, ORGANIZATIONAL_UNIT or ACCOUNT."""
    name: str
    arn: str

    def describe(self) -> dict[str, str]:
        """As ListTargetsForPolicy has it."""
        return {"TargetId": self.target_id, "Arn": self.arn, "Name": self.name, "Type": self.type}


def target(reader: Reader, organisation: Organisation, target_id: str) -> Target:
    """The root, the unit or the account of this id. Raises TargetNotFound."""
    if target_id == organisation.root_id:
        return Target(target_id, "ROOT", "Root", arn(organisation, "root", target_id))
    if target_id.startswith("ou-"):
        unit = table.unit(reader, organisation.account, target_id)
        if unit is None:
            raise TargetNotFound
        return Target(target_id, "ORGANIZATIONAL_UNIT", unit.name, arn(organisation, "ou", target_id))
    found = member(reader, organisation, target_id, TargetNotFound)
    return Target(target_id, "ACCOUNT", found.name, arn(organisation, "account", target_id))


def read_tags(tags: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The tags of a request. Raises InvalidInput."""
    pairs = [(str(tag["Key"]), str(tag["Value"])) for tag in tags]
    if len({key for key, _ in pairs}) != len(pairs):
        raise InvalidInput("You specified the same tag key more than once.", Reason="DUPLICATE_TAG_KEY")
    if any(key.lower().startswith("aws:") for key, _ in pairs):
        raise InvalidInput(
            "You specified a tag key that starts with aws:, which is reserved.", Reason="INVALID_SYSTEM_TAGS_PARAMETER"
        )
    return pairs


def check_quota(count: int, limit: int, reason: str, what: str) -> None:
    """Raise ConstraintViolation when `count` is past `limit`."""
    if count > limit:
        raise ConstraintViolation(f"You have exceeded the allowed number of {what}.", Reason=reason)
