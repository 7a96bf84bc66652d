"""Code packages: taken from the caller, kept as blobs, deleted when no version needs them (`compute.keeping`).

A package is one blob, however many versions and accounts use it. A container image goes the same way by the digest of
its manifest; its parts are kept elsewhere (`compute.images`), and are let go of where a package's blob is deleted.
"""

import asyncio
import contextlib
import hashlib
import io
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from cloudlet.compute import archive
from cloudlet.compute.images.store import disuse
from cloudlet.compute.keeping import Keeper, KeptTables
from cloudlet.errors import OperationNotImplemented, ServiceError
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Platform
from cloudlet.services.lambda_ import limits
from cloudlet.services.lambda_.errors import InvalidParameterValue, RequestEntityTooLarge
from cloudlet.store.base import Transaction

logger = logging.getLogger(__name__)

LEASE_MS = 15 * 60 * 1000
KEPT = KeptTables(
    "lambda_leases",
    "lambda_garbage",
    (
        ("lambda_versions", "code_digest"),
        ("lambda_versions", "serving_digest"),
        ("lambda_layer_versions", "digest"),
        ("lambda_layer_uses", "digest"),
    ),
    "lambda-garbage",
    ("account", "region"),
)


@dataclass(frozen=True, slots=True)
class Package:
    """A package that is kept."""

    digest: str
    size_bytes: int


class Packages:
    """Keeps packages while something needs them."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._keeper = Keeper(
            platform.store,
            platform.clock,
            platform.ids,
            KEPT,
            "code packages",
            LEASE_MS,
            lambda digest: platform.blobs.delete(digest),  # noqa: PLW0108 - asked each time
            lambda tx, digest: disuse(tx, image_user(digest)),
        )

    @contextlib.asynccontextmanager
    async def hold(self, context: RequestContext, content: bytes) -> AsyncIterator[Package]:
        """Keep `content` at least as long as this context lasts; longer when a version has its digest by then."""
        digest = await asyncio.to_thread(lambda: hashlib.sha256(content).hexdigest())
        async with self.hold_digest(context, digest):
            await self._platform.blobs.put(content)
            yield Package(digest, len(content))

    def hold_digest(self, context: RequestContext, digest: str) -> AbstractAsyncContextManager[None]:
        """Let what has this digest, or will have it in a moment, not be deleted while this lasts."""
        return self._keeper.hold([digest], (context.account, context.region))

    async def run(self) -> None:
        """Delete what is no longer needed, as it comes. Ends when it is cancelled."""
        await self._keeper.run()

    def close(self) -> None:
        """Hear of no more garbage."""
        self._keeper.close()

    async def collect(self) -> int:
        """Delete a batch of unused packages; how many."""
        return await self._keeper.collect()

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
    KEPT.discard(tx, filter(None, digests))


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
