"""Provisioned concurrency of versions and aliases: what may be asked for, and what it means.

https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html
"""

from dataclasses import dataclass

from cloudlet.compute.function import FunctionVersion
from cloudlet.compute.provisioning import Allocation
from cloudlet.services.base import Result
from cloudlet.services.lambda_ import alias, limits, provisioned_tables, tables
from cloudlet.services.lambda_.errors import (
    InvalidParameterValue,
    ProvisionedConcurrencyConfigNotFound,
    ResourceConflict,
)
from cloudlet.services.lambda_.function import changed, check_exists, reserved_changed
from cloudlet.services.lambda_.names import LATEST, FunctionRef, is_alias
from cloudlet.services.lambda_.version import Version, find, format_time
from cloudlet.store.base import Reader, Transaction

IN_PROGRESS = "IN_PROGRESS"
_UNPUBLISHED = "Provisioned Concurrency Configs cannot be applied to unpublished function versions."


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What a qualifier of a function has."""

    qualifier: str
    requested: int
    modified_ms: int

    def describe(self, allocation: Allocation, status: str = "") -> Result:
        """As the API shows it, with what there is of it; `status` where it is known better."""
        allocated = min(self.requested, allocation.allocated)
        shown = {
            "RequestedProvisionedConcurrentExecutions": self.requested,
            "AvailableProvisionedConcurrentExecutions": allocated,
            "AllocatedProvisionedConcurrentExecutions": allocated,
            "Status": status or allocation.status,
            "LastModified": format_time(self.modified_ms),
        }
        return shown | ({"StatusReason": allocation.reason} if allocation.reason and not status else {})


def check_published(qualifier: str) -> None:
    """Raises InvalidParameterValue when provisioned concurrency is asked for $LATEST."""
    if qualifier == LATEST:
        raise InvalidParameterValue(_UNPUBLISHED)


def check_named(qualifier: str) -> None:
    """Raises InvalidParameterValue when that of $LATEST is meant, which has none."""
    if qualifier == LATEST:
        raise InvalidParameterValue("The function resource provided must be an alias or a published version.")


def target(reader: Reader, ref: FunctionRef) -> Version:
    """The version that `ref` is. Raises ResourceNotFound in the words that this API has for each kind of qualifier."""
    if is_alias(ref.qualifier):
        alias.get(reader, ref.qualified(""), ref.qualifier)
    return find(reader, ref)


def get(reader: Reader, ref: FunctionRef) -> tuple[Provisioned, Version]:
    """What `ref` has, and for which version. Raises ResourceNotFound, ProvisionedConcurrencyConfigNotFound."""
    version = target(reader, ref)
    row = provisioned_tables.one(reader, ref)
    if row is None:
        raise ProvisionedConcurrencyConfigNotFound("No Provisioned Concurrency Config found for this function")
    return Provisioned(ref.qualifier, *row), version


def put(tx: Transaction, ref: FunctionRef, requested: int, account_limit: int, now_ms: int) -> Provisioned:
    """Ask for `requested`. Raises ResourceNotFound, ResourceConflict, InvalidParameterValue."""
    version = target(tx, ref)
    if version.has_snapshot:
        raise InvalidParameterValue("Provisioned Concurrency is not supported for SnapStart enabled functions.")
    _check_overlap(tx, ref, version.sequence)
    before = provisioned_tables.one(tx, ref)
    added = requested - (before[0] if before else 0)
    function = tables.function(tx, ref)
    reserved = function[2] if function else None
    if reserved is not None:
        if provisioned_tables.of_function(tx, ref) + added > reserved:
            raise InvalidParameterValue(
                "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for "
                "function"
            )
    else:
        _check_account(tx, ref, requested, added, account_limit)
    provisioned_tables.put(tx, ref, requested, now_ms)
    changed(tx, ref)
    reserved_changed(tx, ref)
    return Provisioned(ref.qualifier, requested, now_ms)


def delete(tx: Transaction, ref: FunctionRef) -> None:
    """Ask for nothing; a qualifier that has none is none to delete. Raises ResourceNotFound."""
    check_exists(tx, ref)
    target(tx, ref)
    if provisioned_tables.delete(tx, ref):
        changed(tx, ref)
        reserved_changed(tx, ref)


def targets(reader: Reader, ref: FunctionRef) -> list[tuple[FunctionVersion, int]]:
    """What compute is to keep started of a function: versions that can run, with how many of each."""
    wanted: dict[int, int] = {}
    for name, number, requested in provisioned_tables.totals(reader, ref.account, ref.region):
        if name == ref.name:
            wanted[int(number)] = wanted.get(int(number), 0) + int(requested)
    found = []
    for sequence, count in wanted.items():
        row = tables.version(reader, ref, sequence)
        running = Version.from_row(row).running if row is not None else None
        if running is not None:
            found.append((running, count))
    return found


def by_version(reader: Reader, account: str, region: str) -> dict[str, dict[str, int]]:
    """What an account's functions have provisioned of each version, by the functions' ARNs."""
    found: dict[str, dict[str, int]] = {}
    for name, number, requested in provisioned_tables.totals(reader, account, region):
        counts = found.setdefault(FunctionRef(account, region, name).arn, {})
        counts[number] = counts.get(number, 0) + int(requested)
    return found


def _check_overlap(tx: Transaction, ref: FunctionRef, sequence: int) -> None:
    """A version has provisioned concurrency by itself or through an alias, not both."""
    if is_alias(ref.qualifier):
        if alias.get(tx, ref.qualified(""), ref.qualifier).other_sequence is not None:
            raise InvalidParameterValue("Alias with weights can not be used with Provisioned Concurrency")
        check_published(str(sequence) if sequence else LATEST)
        if provisioned_tables.one(tx, ref.qualified(str(sequence))) is not None:
            raise ResourceConflict(
                "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
            )
        return
    for name in tables.names_of_aliases(tx, ref, sequence, limit=1000):
        if provisioned_tables.one(tx, ref.qualified(name)) is not None:
            raise ResourceConflict("Version is pointed by a Provisioned Concurrency alias")


def _check_account(tx: Transaction, ref: FunctionRef, requested: int, added: int, account_limit: int) -> None:
    _, _, reserved = tables.usage(tx, ref.account, ref.region)
    unreserved = account_limit - reserved
    if requested > unreserved:
        raise InvalidParameterValue(
            "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency"
            f" [{unreserved}]."
        )
    left = unreserved - provisioned_tables.unreserved(tx, ref.account, ref.region) - added
    if left < limits.MINIMUM_UNRESERVED_CONCURRENCY:
        raise InvalidParameterValue(
            "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its "
            f"minimum value of [{limits.MINIMUM_UNRESERVED_CONCURRENCY}]."
        )
