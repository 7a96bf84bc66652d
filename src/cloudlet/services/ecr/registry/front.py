"""What comes to `/v2/`: who asks, what for, and which handler answers.

Each handler does what it does by ECR's operations, as the caller: their permissions hold.
https://github.com/opencontainers/distribution-spec/blob/main/spec.md#endpoints
"""

import re
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from cloudlet.compute.images.reference import NAME
from cloudlet.errors import ServiceError
from cloudlet.iam.credentials import Credentials
from cloudlet.services.base import StreamedRequest
from cloudlet.services.ecr.registry import blob_uploads, blobs, lists, manifests
from cloudlet.services.ecr.registry.answers import RegistryError, answer, translated
from cloudlet.services.ecr.registry.callers import authenticate
from cloudlet.services.ecr.registry.exchange import Exchange, Registry
from cloudlet.wire.http import HttpResponse

PREFIX = "/v2/"
_PATHS = (
    ("catalog", re.compile(r"/v2/_catalog")),
    ("tags", re.compile(r"/v2/(?P<name>.+)/tags/list")),
    ("manifest", re.compile(r"/v2/(?P<name>.+)/manifests/(?P<target>[^/]+)")),
    ("referrers", re.compile(r"/v2/(?P<name>.+)/referrers/(?P<target>[^/]+)")),
    ("uploads", re.compile(r"/v2/(?P<name>.+)/blobs/uploads/?")),
    ("upload", re.compile(r"/v2/(?P<name>.+)/blobs/uploads/(?P<target>[^/]+)")),
    ("blob", re.compile(r"/v2/(?P<name>.+)/blobs/(?P<target>[^/]+)")),
)


class RegistryFront:
    """Answers what comes to `/v2/`."""

    def __init__(self, registry: Registry, credentials: Credentials) -> None:
        self._registry = registry
        self._credentials = credentials
        self._handlers: dict[tuple[str, str], Callable[[Exchange], Awaitable[HttpResponse]]] = {
            ("catalog", "GET"): lists.catalog,
            ("tags", "GET"): lists.tags,
            ("manifest", "GET"): manifests.get_manifest,
            ("manifest", "HEAD"): manifests.get_manifest,
            ("manifest", "PUT"): manifests.put_manifest,
            ("manifest", "DELETE"): manifests.delete_manifest,
            ("referrers", "GET"): manifests.referrers,
            ("blob", "GET"): blobs.get_blob,
            ("blob", "HEAD"): blobs.get_blob,
            ("uploads", "POST"): blob_uploads.begin,
            ("upload", "GET"): blob_uploads.status,
            ("upload", "PATCH"): blob_uploads.add_part,
            ("upload", "PUT"): blob_uploads.end,
            ("upload", "DELETE"): blob_uploads.cancel,
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
