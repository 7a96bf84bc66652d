"""Blobs as they come in: in one piece, in several, or from another repository.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs
"""

import re
from collections.abc import AsyncIterator

from cloudlet.compute.images.reference import NAME
from cloudlet.errors import ServiceError
from cloudlet.services.ecr.registry.answers import RegistryError, answer, translated
from cloudlet.services.ecr.registry.blobs import digest_of
from cloudlet.services.ecr.registry.exchange import Exchange
from cloudlet.services.ecr.uploads import Uploads
from cloudlet.wire.http import HttpResponse

PIECE_BYTES = 4 * 1024 * 1024
"""A body is handed on in pieces of this size: what an upload takes of memory."""
MAX_GATHERED_BYTES = 64 * 1024 * 1024
"""What all uploads of a node may have gathered. Beyond it what comes is handed on as it comes."""
_UPLOAD_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


async def begin(exchange: Exchange) -> HttpResponse:
    """POST: begin an upload; do all of it; or mount a blob of another repository."""
    mounted, source = exchange.query("mount"), exchange.query("from")
    if mounted and source and await _mount(exchange, digest_of(mounted), source):
        return _created(exchange, mounted)
    begun = await exchange.call("InitiateLayerUpload", "NAME_INVALID")
    exchange.target = begun["uploadId"]
    if digest := exchange.query("digest"):
        try:
            await _append(exchange, 0)
            return await _complete(exchange, digest_of(digest))
        finally:  # nobody knows it by its name who could go on with it
            exchange.registry.uploads.forget(exchange.target)
    return _accepted(exchange, 0)


async def _mount(exchange: Exchange, digest: str, source: str) -> bool:
    """Take a layer of another repository of the registry that the caller may read; false when that is not so."""
    if not NAME.fullmatch(source):
        return False
    about = {"registryId": exchange.caller.account, "repositoryName": source}
    calls, context = exchange.registry.platform.calls, exchange.caller.context
    begun = await exchange.call("InitiateLayerUpload", "NAME_INVALID")  # whoever may not push may not mount
    exchange.registry.uploads.end(exchange.registry.uploads.find(exchange.key, begun["uploadId"]))
    part = digest.partition(":")[2]
    async with exchange.registry.parts.hold([part]):
        try:
            found = await calls.call(context, "ecr", "BatchCheckLayerAvailability", {**about, "layerDigests": [digest]})
            await calls.call(context, "ecr", "GetDownloadUrlForLayer", {**about, "layerDigest": digest})
        except ServiceError:
            return False
        await exchange.registry.link_layer(exchange.key, digest, found["layers"][0]["layerSize"])
    return True


def _upload(exchange: Exchange) -> str:
    if not _UPLOAD_ID.fullmatch(exchange.target):
        raise RegistryError(404, "BLOB_UPLOAD_UNKNOWN", "There is no such upload.")
    return exchange.target


async def status(exchange: Exchange) -> HttpResponse:
    """GET: how much has come."""
    received = await _received(exchange)
    return answer(204, _progress(exchange, received))


async def _received(exchange: Exchange) -> int:
    """How many bytes of an upload are here, for who may send more."""
    upload_id = _upload(exchange)
    await exchange.call("BatchCheckLayerAvailability", layerDigests=[f"sha256:{'0' * 64}"])
    try:
        return exchange.registry.uploads.find(exchange.key, upload_id).incoming.size
    except ServiceError as error:
        raise translated(error) from error


async def add_part(exchange: Exchange) -> HttpResponse:
    """PATCH: one more part."""
    first = await _received(exchange)
    _check_range(exchange, first)
    return _accepted(exchange, await _append(exchange, first))


def _check_range(exchange: Exchange, first: int) -> None:
    """Raises RegistryError when a part says of itself that it is not the one that follows."""
    if "content-range" not in exchange.headers:
        return
    begin, _, last = exchange.headers["content-range"].removeprefix("bytes ").partition("-")
    length = exchange.headers.get("content-length", "")
    is_whole = not (last and length.isdecimal()) or last == str(first + int(length) - 1)
    if begin != str(first) or not is_whole:
        message = f"The upload goes on at byte {first}, with as many as there are in the request."
        raise RegistryError(416, "BLOB_UPLOAD_INVALID", message, _progress(exchange, first))


async def _append(exchange: Exchange, first: int) -> int:
    """Add the request's body to an upload, piece by piece; how many bytes it has then."""
    upload_id = _upload(exchange)
    async for piece in _portions(exchange.request.body, exchange.registry.uploads):
        last = first + len(piece) - 1
        await exchange.call(
            "UploadLayerPart",
            "BLOB_UPLOAD_INVALID",
            uploadId=upload_id,
            partFirstByte=first,
            partLastByte=last,
            layerPartBlob=piece,
        )
        first = last + 1
    return first


async def _portions(body: AsyncIterator[bytes], uploads: Uploads) -> AsyncIterator[bytes]:
    """What comes in small pieces, in larger ones, as far as there is memory for what all uploads gather."""
    gathered = bytearray()
    try:
        async for piece in body:
            gathered += piece
            uploads.gathered_bytes += len(piece)
            if len(gathered) >= PIECE_BYTES or uploads.gathered_bytes > MAX_GATHERED_BYTES:
                portion = bytes(gathered)
                uploads.gathered_bytes -= len(portion)
                gathered.clear()
                yield portion
        if gathered:
            yield bytes(gathered)
    finally:
        uploads.gathered_bytes -= len(gathered)


async def end(exchange: Exchange) -> HttpResponse:
    """PUT: the last part, and the digest of the whole."""
    digest = digest_of(exchange.query("digest"))
    first = await _received(exchange)
    _check_range(exchange, first)
    await _append(exchange, first)
    return await _complete(exchange, digest)


async def _complete(exchange: Exchange, digest: str) -> HttpResponse:
    try:
        await exchange.call("CompleteLayerUpload", "DIGEST_INVALID", uploadId=_upload(exchange), layerDigests=[digest])
    except RegistryError as error:
        cause = error.__cause__
        if not isinstance(cause, ServiceError) or cause.code != "LayerAlreadyExistsException":
            raise
    return _created(exchange, digest)


async def cancel(exchange: Exchange) -> HttpResponse:
    """DELETE: forget it."""
    await _received(exchange)
    exchange.registry.uploads.end(exchange.registry.uploads.find(exchange.key, exchange.target))
    return answer(204)


def _progress(exchange: Exchange, received: int) -> dict[str, str]:
    return {
        "location": f"/v2/{exchange.name}/blobs/uploads/{exchange.target}",
        "range": f"0-{max(received - 1, 0)}",
        "docker-upload-uuid": exchange.target,
    }


def _accepted(exchange: Exchange, received: int) -> HttpResponse:
    return answer(202, _progress(exchange, received))


def _created(exchange: Exchange, digest: str) -> HttpResponse:
    headers = {"location": f"/v2/{exchange.name}/blobs/{digest}", "docker-content-digest": digest}
    return answer(201, headers)
