"""From a request of the distribution protocol to ECR's operations, and back."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import parse_qs, quote, unquote

import orjson

from cloudlet.compute.images.manifest import MAX_MANIFEST_BYTES, OCI_INDEX
from cloudlet.compute.images.reference import DIGEST, NAME, TAG
from cloudlet.compute.images.store import ImageStore
from cloudlet.errors import ServiceError
from cloudlet.iam.credentials import Credentials
from cloudlet.services.base import Platform, StreamedRequest
from cloudlet.services.ecr.downloads import file_answer
from cloudlet.services.ecr.registry.answers import RegistryError, answer, translated
from cloudlet.services.ecr.registry.callers import Caller, authenticate
from cloudlet.services.ecr.tables import Key
from cloudlet.services.ecr.tokens import RegistryTokens
from cloudlet.services.ecr.uploads import Uploads
from cloudlet.wire.http import HttpResponse

PREFIX = "/v2/"
PIECE_BYTES = 4 * 1024 * 1024
"""A body is handed on in pieces of this size: what an upload takes of memory."""
_PAGE = 1000
_UPLOAD_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_PATHS = (
    ("catalog", re.compile(r"/v2/_catalog")),
    ("tags", re.compile(r"/v2/(?P<name>.+)/tags/list")),
    ("manifest", re.compile(r"/v2/(?P<name>.+)/manifests/(?P<target>[^/]+)")),
    ("referrers", re.compile(r"/v2/(?P<name>.+)/referrers/(?P<target>[^/]+)")),
    ("uploads", re.compile(r"/v2/(?P<name>.+)/blobs/uploads/?")),
    ("upload", re.compile(r"/v2/(?P<name>.+)/blobs/uploads/(?P<target>[^/]+)")),
    ("blob", re.compile(r"/v2/(?P<name>.+)/blobs/(?P<target>[^/]+)")),
)


class Registry(Protocol):
    """What of the ECR service the front needs."""

    platform: Platform
    parts: ImageStore
    tokens: RegistryTokens
    uploads: Uploads

    async def link_layer(self, key: Key, digest: str, size: int) -> None:
        """Let a repository have a layer that is kept, and held by the caller."""


class Exchange:
    """One request with who makes it and what it is about."""

    def __init__(self, request: StreamedRequest, caller: Caller, registry: Registry, name: str, target: str) -> None:
        self.request = request
        self.caller = caller
        self.registry = registry
        self.name = name
        self.target = target
        self.method = request.head.method
        self.headers = request.head.headers
        self._query = parse_qs(request.head.query_string)

    @property
    def key(self) -> Key:
        """The repository."""
        return Key(self.caller.account, self.caller.context.region, self.name)

    def query(self, name: str) -> str:
        """A parameter of the query; empty when there is none."""
        return self._query.get(name, [""])[0]

    async def call(self, operation: str, invalid: str = "", **params: Any) -> dict[str, Any]:
        """Call ECR as the caller, on the repository. Raises RegistryError; `invalid` is the code of a bad parameter."""
        about = {"registryId": self.caller.account, "repositoryName": self.name, **params}
        try:
            result: dict[str, Any] = await self.registry.platform.calls.call(
                self.caller.context, "ecr", operation, about
            )
        except ServiceError as error:
            raise translated(error, invalid) from error
        return result


class RegistryFront:
    """Answers what comes to `/v2/`."""

    def __init__(self, registry: Registry, credentials: Credentials) -> None:
        self._registry = registry
        self._credentials = credentials
        self._handlers: dict[tuple[str, str], Callable[[Exchange], Awaitable[HttpResponse]]] = {
            ("catalog", "GET"): _catalog,
            ("tags", "GET"): _tags,
            ("manifest", "GET"): _get_manifest,
            ("manifest", "HEAD"): _get_manifest,
            ("manifest", "PUT"): _put_manifest,
            ("manifest", "DELETE"): _delete_manifest,
            ("referrers", "GET"): _referrers,
            ("blob", "GET"): _get_blob,
            ("blob", "HEAD"): _get_blob,
            ("uploads", "POST"): _begin_upload,
            ("upload", "GET"): _upload_status,
            ("upload", "PATCH"): _upload_part,
            ("upload", "PUT"): _end_upload,
            ("upload", "DELETE"): _cancel_upload,
        }

    async def serve(self, request: StreamedRequest) -> HttpResponse:
        """The answer to a request."""
        try:
            return await self._serve(request)
        except RegistryError as error:
            return error.answer()
        except ServiceError as error:
            return translated(error).answer()

    async def _serve(self, request: StreamedRequest) -> HttpResponse:
        region = self._registry.platform.config.region
        caller = await authenticate(request, self._registry.tokens, self._credentials, region)
        path = unquote(request.head.raw_path)
        if path == PREFIX:
            return answer(200, {"content-type": "application/json"}, b"{}")
        matches = ((kind, match) for kind, pattern in _PATHS if (match := pattern.fullmatch(path)))
        kind, match = next(matches, ("", None))
        if match is None:
            raise RegistryError(404, "UNSUPPORTED", f"There is nothing at {path[:200]}.")
        found = match.groupdict()
        name = found.get("name", "")
        if "name" in found and (not NAME.fullmatch(name) or len(name) > 256):
            raise RegistryError(400, "NAME_INVALID", f"This cannot be the name of a repository: {name[:200]}")
        handler = self._handlers.get((kind, request.head.method))
        if handler is None:
            raise RegistryError(405, "UNSUPPORTED", f"{request.head.method} of a {kind} is not supported.")
        return await handler(Exchange(request, caller, self._registry, name, found.get("target", "")))


# Lists


async def _catalog(exchange: Exchange) -> HttpResponse:
    names: list[str] = []
    token: dict[str, str] = {}
    while True:
        found = await _describe(exchange, token)
        names += [one["repositoryName"] for one in found["repositories"]]
        if not found.get("nextToken"):
            break
        token = {"nextToken": found["nextToken"]}
    return _list(exchange, "/v2/_catalog", "repositories", sorted(names), {})


async def _describe(exchange: Exchange, token: dict[str, str]) -> dict[str, Any]:
    params = {"registryId": exchange.caller.account, "maxResults": _PAGE, **token}
    try:
        found: dict[str, Any] = await exchange.registry.platform.calls.call(
            exchange.caller.context, "ecr", "DescribeRepositories", params
        )
    except ServiceError as error:
        raise translated(error) from error
    return found


async def _tags(exchange: Exchange) -> HttpResponse:
    tags: list[str] = []
    token: dict[str, Any] = {}
    while True:
        found = await exchange.call("ListImages", maxResults=_PAGE, filter={"tagStatus": "TAGGED"}, **token)
        tags += [one["imageTag"] for one in found["imageIds"]]
        if not found.get("nextToken"):
            break
        token = {"nextToken": found["nextToken"]}
    return _list(exchange, f"/v2/{exchange.name}/tags/list", "tags", sorted(tags), {"name": exchange.name})


def _list(exchange: Exchange, path: str, member: str, values: list[str], more: dict[str, str]) -> HttpResponse:
    """A page of `values`, as `n` and `last` in the query ask for."""
    wanted, last = exchange.query("n"), exchange.query("last")
    if wanted and not (wanted.isascii() and wanted.isdigit() and len(wanted) < 10):
        raise RegistryError(400, "PAGINATION_NUMBER_INVALID", f"Not a number: {wanted[:100]}")
    values = [value for value in values if value > last]
    headers = {"content-type": "application/json"}
    count = int(wanted) if wanted else len(values)
    page = values[:count]
    if page and len(values) > count:
        headers["link"] = f'<{path}?n={count}&last={quote(page[-1])}>; rel="next"'
    return answer(200, headers, orjson.dumps({**more, member: page}))


# Manifests


def _image_id(target: str) -> dict[str, str]:
    if DIGEST.fullmatch(target):
        return {"imageDigest": target}
    if ":" in target:
        raise RegistryError(400, "DIGEST_INVALID", f"Not a digest: {target[:200]}")
    if not TAG.fullmatch(target):
        raise RegistryError(400, "TAG_INVALID", f"Not a tag: {target[:200]}")
    return {"imageTag": target}


async def _get_manifest(exchange: Exchange) -> HttpResponse:
    found = await exchange.call("BatchGetImage", imageIds=[_image_id(exchange.target)])
    if not found["images"]:
        raise RegistryError(404, "MANIFEST_UNKNOWN", "Requested image not found")
    image = found["images"][0]
    headers = {
        "content-type": image["imageManifestMediaType"],
        "docker-content-digest": image["imageId"]["imageDigest"],
    }
    return answer(200, headers, image["imageManifest"].encode())


async def _put_manifest(exchange: Exchange) -> HttpResponse:
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


async def _delete_manifest(exchange: Exchange) -> HttpResponse:
    done = await exchange.call("BatchDeleteImage", imageIds=[_image_id(exchange.target)])
    for failure in done["failures"]:
        if failure["failureCode"] == "ImageNotFound":
            raise RegistryError(404, "MANIFEST_UNKNOWN", failure["failureReason"])
        raise RegistryError(400, "MANIFEST_INVALID", failure["failureReason"])
    return answer(202)


async def _referrers(exchange: Exchange) -> HttpResponse:
    if not DIGEST.fullmatch(exchange.target):
        raise RegistryError(400, "DIGEST_INVALID", f"Not a digest: {exchange.target[:200]}")
    wanted = exchange.query("artifactType")
    params: dict[str, Any] = {"subjectId": {"imageDigest": exchange.target}}
    if wanted:
        params["filter"] = {"artifactTypes": [wanted]}
    found = await exchange.call("ListImageReferrers", **params)
    manifests = [
        {name: one[name] for name in ("mediaType", "digest", "size", "artifactType") if one.get(name)}
        for one in found["referrers"]
    ]
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}
    headers = {"content-type": OCI_INDEX, **({"oci-filters-applied": "artifactType"} if wanted else {})}
    return answer(200, headers, orjson.dumps(index))


# Blobs


def _digest(text: str) -> str:
    if not DIGEST.fullmatch(text):
        raise RegistryError(400, "DIGEST_INVALID", f"Not a sha256 digest: {text[:200]}")
    return text


async def _get_blob(exchange: Exchange) -> HttpResponse:
    digest, is_head = _digest(exchange.target), exchange.method == "HEAD"
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


async def _begin_upload(exchange: Exchange) -> HttpResponse:
    mounted, source = exchange.query("mount"), exchange.query("from")
    if mounted and source and await _mount(exchange, _digest(mounted), source):
        return _created(exchange, mounted)
    begun = await exchange.call("InitiateLayerUpload", "NAME_INVALID")
    exchange.target = begun["uploadId"]
    if digest := exchange.query("digest"):
        await _append(exchange, 0)
        return await _complete(exchange, _digest(digest))
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


async def _upload_status(exchange: Exchange) -> HttpResponse:
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


async def _upload_part(exchange: Exchange) -> HttpResponse:
    first = await _received(exchange)
    if "content-range" in exchange.headers:
        begin = exchange.headers["content-range"].removeprefix("bytes ").partition("-")[0]
        if begin != str(first):
            message = f"The upload goes on at byte {first}."
            raise RegistryError(416, "BLOB_UPLOAD_INVALID", message, _progress(exchange, first))
    return _accepted(exchange, await _append(exchange, first))


async def _append(exchange: Exchange, first: int) -> int:
    """Add the request's body to an upload, piece by piece; how many bytes it has then."""
    upload_id = _upload(exchange)
    async for piece in _portions(exchange.request.body):
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


async def _portions(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """What comes in small pieces, in larger ones."""
    gathered = bytearray()
    async for piece in body:
        gathered += piece
        if len(gathered) >= PIECE_BYTES:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


async def _end_upload(exchange: Exchange) -> HttpResponse:
    digest = _digest(exchange.query("digest"))
    await _append(exchange, await _received(exchange))
    return await _complete(exchange, digest)


async def _complete(exchange: Exchange, digest: str) -> HttpResponse:
    try:
        await exchange.call("CompleteLayerUpload", "DIGEST_INVALID", uploadId=_upload(exchange), layerDigests=[digest])
    except RegistryError as error:
        cause = error.__cause__
        if not isinstance(cause, ServiceError) or cause.code != "LayerAlreadyExistsException":
            raise
    return _created(exchange, digest)


async def _cancel_upload(exchange: Exchange) -> HttpResponse:
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
