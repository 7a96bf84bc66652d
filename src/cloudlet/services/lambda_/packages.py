"""Code packages: taken from the caller, kept as blobs, deleted when no version needs them.

A container image goes the same way by the digest of its manifest; its parts are kept elsewhere (`compute.images`), and
are let go of where a package's blob is deleted.

A package is one blob, however many versions and accounts use it, so it may go only when none does, also when another
node is about to use it again:

- an upload takes a lease on the digest before the bytes are put, and gives it back once a version has the digest;
- what was the last use of a digest puts it among the garbage, in the transaction that ends the use;
- the collector claims garbage that no version and no lease names, deletes the blob, then forgets the claim;
- an upload that meets a claim waits until the deletion is done.

Leases and claims of nodes that died run out, on the host's clock: who works is not overtaken by time that is moved.
"""

import asyncio
import contextlib
import hashlib
import io
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudlet.clock import wall_ms
from cloudlet.compute import archive
from cloudlet.compute.collecting import collect_for_ever
from cloudlet.compute.images.store import disuse
from cloudlet.errors import OperationNotImplemented, ServiceError
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Platform
from cloudlet.services.lambda_ import limits, package_tables
from cloudlet.services.lambda_.errors import InvalidParameterValue, RequestEntityTooLarge
from cloudlet.store.base import StoreError, Transaction

logger = logging.getLogger(__name__)

LEASE_MS = 15 * 60 * 1000
CLAIM_MS = 60 * 1000
"""A deletion that has not ended after this time belongs to a node that died."""
COLLECT_BATCH = 100
WAIT_FOR_CLAIM_S = 0.05
GARBAGE_CHANNEL = "lambda-garbage"


@dataclass(frozen=True, slots=True)
class Package:
    """A package that is kept."""

    digest: str
    size_bytes: int


class Packages:
    """Keeps packages while something needs them."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._wake = asyncio.Event()
        self._stop_listening = platform.store.listen(GARBAGE_CHANNEL, lambda _: self._wake.set())

    @contextlib.asynccontextmanager
    async def hold(self, context: RequestContext, content: bytes) -> AsyncIterator[Package]:
        """Keep `content` at least as long as this context lasts; longer when a version has its digest by then."""
        digest = await asyncio.to_thread(lambda: hashlib.sha256(content).hexdigest())
        async with self.hold_digest(context, digest):
            await self._platform.blobs.put(content)
            yield Package(digest, len(content))

    @contextlib.asynccontextmanager
    async def hold_digest(self, context: RequestContext, digest: str) -> AsyncIterator[None]:
        """Let what has this digest, or will have it in a moment, not be deleted while this lasts."""
        lease_id = self._platform.ids.uuid()
        await self._lease(context, lease_id, digest)

        def give_back(tx: Transaction) -> None:
            package_tables.delete_lease(tx, context.account, context.region, lease_id)
            release(tx, [digest])

        try:
            yield
        finally:
            try:
                await self._platform.store.transact(give_back)
            except StoreError:
                # What the caller did has been done all the same, and the lease runs out by itself.
                logger.warning("a lease on a code package could not be given back", exc_info=True)

    async def _lease(self, context: RequestContext, lease_id: str, digest: str) -> None:
        def lease(tx: Transaction) -> bool:
            now = wall_ms(self._platform.clock)
            claimed_ms = package_tables.garbage(tx, digest)
            if claimed_ms is not None and claimed_ms > now - CLAIM_MS:
                return False
            package_tables.delete_garbage(tx, digest)
            package_tables.insert_lease(tx, context.account, context.region, lease_id, digest, now + LEASE_MS)
            return True

        while not await self._platform.store.transact(lease):  # noqa: ASYNC110 - the deletion may be another node's
            await asyncio.sleep(WAIT_FOR_CLAIM_S)

    async def run(self) -> None:
        """Delete what is no longer needed, as it comes. Ends when it is cancelled."""
        await collect_for_ever(self.collect, self._wake, logger, "unused code packages")

    def close(self) -> None:
        """Hear of no more garbage."""
        self._stop_listening()

    async def collect(self) -> int:
        """Delete a batch of unused packages; how many."""

        def claim(tx: Transaction) -> list[str]:
            now = wall_ms(self._platform.clock)
            release(tx, package_tables.delete_expired_leases(tx, now))
            claimed = []
            for digest in package_tables.unclaimed_garbage(tx, now - CLAIM_MS, COLLECT_BATCH):
                if package_tables.is_used(tx, digest):
                    package_tables.delete_garbage(tx, digest)
                else:
                    package_tables.claim_garbage(tx, digest, now)
                    claimed.append(digest)
            return claimed

        digests = await self._platform.store.transact(claim)
        for digest in digests:
            await self._platform.blobs.delete(digest)

        def forget(tx: Transaction) -> None:
            for digest in digests:
                package_tables.delete_garbage(tx, digest)
                disuse(tx, image_user(digest))

        if digests:
            await self._platform.store.transact(forget)
        return len(digests)

    async def content(self, context: RequestContext, code: Mapping[str, Any]) -> bytes:
        """The package that CreateFunction's Code or UpdateFunctionCode names.

        Raises InvalidParameterValue, RequestEntityTooLarge.
        """
        package: bytes | None = code.get("ZipFile")
        from_bucket = any(code.get(member) for member in ("S3Bucket", "S3Key", "S3ObjectVersion"))
        if package is not None and len(package) > limits.ZIPPED_BYTES:
            raise RequestEntityTooLarge(f"Zipped size must be smaller than {limits.ZIPPED_BYTES} bytes")
        if package is not None and from_bucket:
            raise InvalidParameterValue("Please do not provide other FunctionCode parameters when providing a ZipFile.")
        if package is None and not from_bucket:
            raise InvalidParameterValue("Please provide a source for function code.")
        if package is None:
            return await self._from_bucket(context, code)
        if not package:
            raise InvalidParameterValue("Uploaded file must be a non-empty zip")
        return package

    async def check(self, content: bytes) -> int:
        """How many bytes `content` has unpacked.

        Raises InvalidParameterValue when it is not a package that can be unpacked within the limits.
        """
        try:
            info = await asyncio.to_thread(archive.inspect, io.BytesIO(content))
        except archive.PackageError as error:
            logger.info("a code package was refused: %s", error.reason)
            raise InvalidParameterValue(str(error)) from error
        return info.unpacked_size

    async def unpacked_bytes(self, digest: str) -> int:
        """How many bytes a package that is kept has unpacked."""
        return await self.check(await self._platform.blobs.get(digest))

    async def _from_bucket(self, context: RequestContext, code: Mapping[str, Any]) -> bytes:
        if not code.get("S3Bucket") or not code.get("S3Key"):
            raise InvalidParameterValue("Both S3Bucket and S3Key are required to locate the function code.")
        request = {"Bucket": code["S3Bucket"], "Key": code["S3Key"]}
        if version := code.get("S3ObjectVersion"):
            request["VersionId"] = version
        call = context.for_call(context.principal, self._platform.ids.uuid(), "lambda.amazonaws.com")
        try:
            answer = await self._platform.calls.call(call, "s3", "GetObject", request)
            return await _read(answer["Body"])
        except OperationNotImplemented as error:
            # Without S3 there are no buckets.
            raise _s3_error("NoSuchBucket", "The specified bucket does not exist") from error
        except ServiceError as error:
            raise _s3_error(error.code, error.message) from error


def image_user(digest: str) -> str:
    """By what name functions use the parts of the container image with this digest."""
    return f"functions/{digest}"


def release(tx: Transaction, digests: Iterable[str]) -> None:
    """Call this where a use of `digests` ends: those that nothing else uses become garbage."""
    found = False
    for digest in {digest for digest in digests if digest}:
        if not package_tables.is_used(tx, digest):
            package_tables.insert_garbage(tx, digest)
            found = True
    if found:
        tx.notify(GARBAGE_CHANNEL)


def _s3_error(code: str, message: str) -> InvalidParameterValue:
    return InvalidParameterValue(f"Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}")


async def _read(body: bytes | AsyncIterator[bytes]) -> bytes:
    if isinstance(body, bytes):
        return body
    parts, size = [], 0
    async for part in body:
        size += len(part)
        if size > limits.UNZIPPED_BYTES:
            raise InvalidParameterValue(f"Unzipped size must be smaller than {limits.UNZIPPED_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)
