"""Functions: created, updated, published, deleted. Plain functions of a transaction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import orjson

from cloudlet.clock import Clock, now_ms
from cloudlet.ids import Ids
from cloudlet.services.lambda_ import layer_tables, limits, packages, provisioned_tables, tables, url_config
from cloudlet.services.lambda_.errors import (
    CodeStorageExceeded,
    InvalidParameterValue,
    PreconditionFailed,
    ResourceConflict,
)
from cloudlet.services.lambda_.names import LATEST, FunctionRef, is_alias
from cloudlet.services.lambda_.packages import Package
from cloudlet.services.lambda_.version import CREATING_REASON, Configuration, Version, find, pending, sequence_of
from cloudlet.store.base import Reader, Transaction

FUNCTIONS_CHANNEL = "lambda-functions"
"""Carries `FunctionRef.key` of a function of which a version, an alias or the state has changed."""
CONCURRENCY_CHANNEL = "lambda-concurrency"
"""Carries `account/region` of a change of reserved concurrency."""
STALE_REVISION = (
    "The Revision Id provided does not match the latest Revision Id. "
    "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
)

Change = Callable[[Configuration], Configuration]


@dataclass(frozen=True, slots=True)
class Maker:
    """What new rows need: identifiers and the time."""

    ids: Ids
    clock: Clock

    def environment_and_revision(self) -> tuple[str, str]:
        return self.ids.hex(32), self.ids.uuid()

    def now_ms(self) -> int:
        return now_ms(self.clock)


def changed(tx: Transaction, ref: FunctionRef) -> None:
    """Tell every node that what it knows of the function is old."""
    tx.notify(FUNCTIONS_CHANNEL, ref.key)


def reserved_changed(tx: Transaction, ref: FunctionRef) -> None:
    """Tell every node that another part of the account's concurrency is reserved."""
    tx.notify(CONCURRENCY_CHANNEL, f"{ref.account}/{ref.region}")


def check_exists(reader: Reader, ref: FunctionRef) -> None:
    """Raises ResourceNotFound, naming the function without its qualifier."""
    if tables.function(reader, ref) is None:
        raise ref.qualified("").not_found()


def check_revision(revision_id: str | None, current: str) -> None:
    """Raises PreconditionFailed when the caller's revision is not the current one."""
    if revision_id and revision_id != current:
        raise PreconditionFailed(STALE_REVISION)


def create(
    tx: Transaction,
    make: Maker,
    ref: FunctionRef,
    configuration: Configuration,
    package: Package,
    tags: Mapping[str, str],
    *,
    publish: bool,
) -> list[Version]:
    """A new function: its $LATEST, and version 1 when it is published at once."""
    if not tables.insert_function(tx, ref, orjson.dumps(dict(tags)).decode(), make.now_ms()):
        raise ResourceConflict(f"Function already exist: {ref.name}")
    _check_storage(tx, ref, package.size_bytes * (2 if publish else 1))
    latest = pending(
        ref,
        0,
        make.environment_and_revision(),
        make.now_ms(),
        code_digest=package.digest,
        code_bytes=package.size_bytes,
        configuration=configuration,
    )
    made = [latest]
    if publish:
        made.append(_numbered(tx, make, latest))
    for version in made:
        version.put(tx)
    changed(tx, ref)
    return made


def update(
    tx: Transaction,
    make: Maker,
    ref: FunctionRef,
    revision_id: str | None,
    change: Change,
    package: Package | None = None,
) -> Version:
    """$LATEST with a changed configuration and, when given, new code; InProgress until it is ready."""
    latest = find(tx, ref.qualified(""))
    check_revision(revision_id, latest.revision_id)
    check_not_updating(latest)
    version = with_package(latest, package)
    _check_storage(tx, ref, version.code_bytes - latest.code_bytes)
    environment_id, new_revision_id = make.environment_and_revision()
    version = replace(
        version,
        environment_id=environment_id,
        revision_id=new_revision_id,
        update_status="InProgress",
        update_reason=CREATING_REASON,
        update_reason_code="Creating",
        configuration=change(latest.configuration),
        modified_ms=make.now_ms(),
    )
    version.put(tx)
    packages.release(tx, [latest.code_digest])
    changed(tx, ref)
    return version


def with_package(version: Version, package: Package | None) -> Version:
    """`version` with the code of `package`, where there is one."""
    if package is None:
        return version
    return replace(version, code_digest=package.digest, code_bytes=package.size_bytes)


def check_not_updating(version: Version) -> None:
    """Raises ResourceConflict while the version is being created or updated."""
    if version.state == "Pending":
        raise wrong_state(version)
    if version.update_status == "InProgress":
        raise ResourceConflict(
            f"The operation cannot be performed at this time. An update is in progress for resource: {version.ref.arn}"
        )


def wrong_state(version: Version) -> ResourceConflict:
    """The error for what a version cannot do in its state."""
    return ResourceConflict(
        "The operation cannot be performed at this time. "
        f"The function is currently in the following state: {version.state}"
    )


def publish(
    tx: Transaction,
    make: Maker,
    ref: FunctionRef,
    *,
    description: str | None = None,
    code_sha256: str | None = None,
    revision_id: str | None = None,
) -> Version:
    """$LATEST as a numbered version; the last one published when nothing has changed since.

    https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html
    """
    latest = find(tx, ref.qualified(""))
    check_revision(revision_id, latest.revision_id)
    if code_sha256 and code_sha256 != latest.code_sha256:
        raise InvalidParameterValue(
            f"CodeSHA256 ({code_sha256}) is different from current CodeSHA256 in $LATEST ({latest.code_sha256}). "
            "Please try again with the CodeSHA256 in $LATEST."
        )
    check_not_updating(latest)
    if latest.state != "Active":
        raise wrong_state(latest)
    if (same := _last_published(tx, latest)) is not None:
        return same
    _check_storage(tx, ref, latest.code_bytes)
    version = _numbered(tx, make, latest)
    if description is not None:
        version = replace(version, configuration=replace(version.configuration, description=description))
    if latest.update_status == "Successful" and not version.has_snapshot:
        # Else what $LATEST is has not been seen to run yet, or the version's snapshot is still to be taken.
        version = replace(version.ready(version.revision_id), revision_id=version.revision_id)
    version.put(tx)
    replace(latest, revision_id=make.ids.uuid()).put(tx)
    changed(tx, ref)
    return version


def publish_update(tx: Transaction, make: Maker, latest: Version) -> Version:
    """The version that an update publishes, pending as the update is."""
    if (same := _last_published(tx, latest)) is not None:
        return same
    _check_storage(tx, latest.ref, latest.code_bytes)
    version = _numbered(tx, make, latest)
    version.put(tx)
    return version


def delete(tx: Transaction, ref: FunctionRef) -> None:
    """Delete the function, or the one version that `ref` names. A version that is not there is none to delete."""
    if ref.qualifier == LATEST:
        raise InvalidParameterValue("$LATEST version cannot be deleted without deleting the function.")
    if is_alias(ref.qualifier):
        raise InvalidParameterValue("Deletion of aliases is not currently supported.")
    function = tables.function(tx, ref)
    if function is None:
        raise ref.qualified("").not_found()
    if not ref.qualifier:
        if function[2] is not None or provisioned_tables.of_function(tx, ref):
            reserved_changed(tx, ref)
        used = [digest for row in tables.digests(tx, ref) for digest in row] + layer_tables.drop_uses(tx, ref)
        url_config.delete_all(tx, ref)
        tables.delete_function(tx, ref)
    else:
        used = _delete_version(tx, ref)
    packages.release(tx, used)
    changed(tx, ref)


def _delete_version(tx: Transaction, ref: FunctionRef) -> list[str]:
    sequence = sequence_of(ref.qualifier)
    if names := tables.names_of_aliases(tx, ref, sequence, limit=100):
        raise ResourceConflict(
            f"Unable to delete version because the following aliases reference it: [{', '.join(names)}]"
        )
    row = tables.version(tx, ref, sequence)
    if row is None:
        return []
    version = Version.from_row(row)
    if provisioned_tables.one(tx, ref) is not None:
        reserved_changed(tx, ref)
    tables.delete_version(tx, ref, sequence)
    return [version.code_digest, version.serving_digest, *layer_tables.set_uses(tx, ref, sequence, ())]


def _last_published(tx: Transaction, latest: Version) -> Version | None:
    """The version published last, when it is still what $LATEST is."""
    function = tables.function(tx, latest.ref)
    number = int(function[0]) - 1 if function else 0
    row = tables.version(tx, latest.ref, number) if number else None
    if row is None:
        return None
    version = Version.from_row(row)
    return version if version.fingerprint == latest.content_fingerprint() else None


def _numbered(tx: Transaction, make: Maker, latest: Version) -> Version:
    """A new version with the content of `latest`, pending."""
    return replace(
        pending(
            latest.ref,
            tables.take_version_number(tx, latest.ref),
            make.environment_and_revision(),
            make.now_ms(),
            code_digest=latest.code_digest,
            code_bytes=latest.code_bytes,
            configuration=latest.configuration,
        ),
        fingerprint=latest.content_fingerprint(),
    )


def _check_storage(tx: Transaction, ref: FunctionRef, more_bytes: int) -> None:
    if more_bytes > 0:
        _, used_bytes, _ = tables.usage(tx, ref.account, ref.region)
        if used_bytes + more_bytes > limits.TOTAL_CODE_BYTES:
            raise CodeStorageExceeded("Code storage limit exceeded.")
