"""Blobs: layers and configurations, to read and to check."""

from cloudlet.compute.images.reference import DIGEST
from cloudlet.services.ecr.downloads import file_answer
from cloudlet.services.ecr.registry.answers import RegistryError, answer
from cloudlet.services.ecr.registry.exchange import Exchange
from cloudlet.wire.http import HttpResponse


def digest_of(text: str) -> str:
    """`text`, if it is a sha256 digest. Raises RegistryError."""
    if not DIGEST.fullmatch(text):
        raise RegistryError(400, "DIGEST_INVALID", f"Not a sha256 digest: {text[:200]}")
    return text


async def get_blob(exchange: Exchange) -> HttpResponse:
    """GET or HEAD of a blob, or of a range of it."""
    digest, is_head = digest_of(exchange.target), exchange.method == "HEAD"
    if is_head:
        found = await exchange.call("BatchCheckLayerAvailability", layerDigests=[digest])
        if found["layers"][0]["layerAvailability"] != "AVAILABLE":
            raise RegistryError(404, "BLOB_UNKNOWN", f"There is no blob {digest}.")
    else:
        await exchange.call("GetDownloadUrlForLayer", layerDigest=digest)
    try:
        path = await exchange.registry.parts.path(digest.partition(":")[2])
    except KeyError as error:
        raise RegistryError(404, "BLOB_UNKNOWN", f"There is no blob {digest}.") from error
    headers = dict(answer(200, {"content-type": "application/octet-stream", "docker-content-digest": digest}).headers)
    return await file_answer(path, headers, exchange.headers.get("range", ""), head=is_head)
