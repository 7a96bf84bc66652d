"""Manifests, and who refers to them.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
"""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import orjson

from cloudlet.compute.images.manifest import MAX_MANIFEST_BYTES, OCI_INDEX
from cloudlet.compute.images.reference import DIGEST, TAG
from cloudlet.errors import ServiceError
from cloudlet.services.ecr.registry.answers import RegistryError, answer
from cloudlet.services.ecr.registry.exchange import Exchange
from cloudlet.wire.http import HttpResponse

_DESCRIPTOR = ("mediaType", "digest", "size", "artifactType", "annotations")


def _image_id(target: str) -> dict[str, str]:
    if DIGEST.fullmatch(target):
        return {"imageDigest": target}
    if ":" in target:
        raise RegistryError(400, "DIGEST_INVALID", f"Not a digest: {target[:200]}")
    if not TAG.fullmatch(target):
        raise RegistryError(400, "TAG_INVALID", f"Not a tag: {target[:200]}")
    return {"imageTag": target}


async def get_manifest(exchange: Exchange) -> HttpResponse:
    """GET or HEAD of a manifest, by tag or digest."""
    found = await exchange.call("BatchGetImage", imageIds=[_image_id(exchange.target)])
    if not found["images"]:
        raise RegistryError(404, "MANIFEST_UNKNOWN", "Requested image not found")
    image = found["images"][0]
    headers = {
        "content-type": image["imageManifestMediaType"],
        "docker-content-digest": image["imageId"]["imageDigest"],
    }
    return answer(200, headers, image["imageManifest"].encode())


async def put_manifest(exchange: Exchange) -> HttpResponse:
    """PUT of a manifest: an image, a list of images or an artifact."""
    content = await _whole(exchange.request.body)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise RegistryError(400, "MANIFEST_INVALID", "The manifest is not UTF-8.") from error
    params: dict[str, Any] = {"imageManifest": text, **_image_id(exchange.target)}
    if media_type := exchange.headers.get("content-type", "").partition(";")[0].strip():
        params["imageManifestMediaType"] = media_type
    try:
        put = await exchange.call("PutImage", "MANIFEST_INVALID", **params)
    except RegistryError as error:
        cause = error.__cause__
        if not isinstance(cause, ServiceError) or cause.code != "ImageAlreadyExistsException":
            if isinstance(cause, ServiceError) and cause.code == "LayersNotFoundException":
                raise RegistryError(400, "MANIFEST_BLOB_UNKNOWN", str(error)) from error
            raise
        found = await exchange.call("BatchGetImage", imageIds=[_image_id(exchange.target)])
        put = {"image": found["images"][0]}
    digest = put["image"]["imageId"]["imageDigest"]
    headers = {"location": f"/v2/{exchange.name}/manifests/{digest}", "docker-content-digest": digest}
    subject = _subject(content)
    return answer(201, {**headers, **({"oci-subject": subject} if subject else {})})


def _subject(content: bytes) -> str:
    subject = orjson.loads(content).get("subject")
    return str(subject["digest"]) if subject else ""


async def _whole(body: AsyncIterator[bytes]) -> bytes:
    """A body that is a manifest."""
    content = bytearray()
    async for piece in body:
        content += piece
        if len(content) > MAX_MANIFEST_BYTES:
            raise RegistryError(413, "MANIFEST_INVALID", f"A manifest has at most {MAX_MANIFEST_BYTES} bytes.")
    return bytes(content)


async def delete_manifest(exchange: Exchange) -> HttpResponse:
    """DELETE of a manifest or a tag."""
    done = await exchange.call("BatchDeleteImage", imageIds=[_image_id(exchange.target)])
    for failure in done["failures"]:
        if failure["failureCode"] == "ImageNotFound":
            raise RegistryError(404, "MANIFEST_UNKNOWN", failure["failureReason"])
        raise RegistryError(400, "MANIFEST_INVALID", failure["failureReason"])
    return answer(202)


async def referrers(exchange: Exchange) -> HttpResponse:
    """GET of the manifests whose subject is this one."""
    if not DIGEST.fullmatch(exchange.target):
        raise RegistryError(400, "DIGEST_INVALID", f"Not a digest: {exchange.target[:200]}")
    wanted = exchange.query("artifactType")
    params: dict[str, Any] = {"subjectId": {"imageDigest": exchange.target}}
    if wanted:
        params["filter"] = {"artifactTypes": [wanted]}
    if token := exchange.query("next"):
        params["nextToken"] = token
    found = await exchange.call("ListImageReferrers", "PAGINATION_NUMBER_INVALID", **params)
    manifests = [{name: one[name] for name in _DESCRIPTOR if one.get(name)} for one in found["referrers"]]
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}
    headers = {"content-type": OCI_INDEX, **({"oci-filters-applied": "artifactType"} if wanted else {})}
    if found.get("nextToken"):
        more = urlencode({**({"artifactType": wanted} if wanted else {}), "next": found["nextToken"]})
        headers["link"] = f'</v2/{exchange.name}/referrers/{exchange.target}?{more}>; rel="next"'
    return answer(200, headers, orjson.dumps(index))
