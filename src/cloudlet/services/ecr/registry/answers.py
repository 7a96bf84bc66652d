"""Errors as the distribution protocol has them.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
"""

from collections.abc import Mapping

import orjson

from cloudlet.errors import AccessDenied, ServiceError
from cloudlet.wire.http import HttpResponse

VERSION = {"docker-distribution-api-version": "registry/2.0"}

_CODES: Mapping[str, tuple[int, str]] = {
    "RepositoryNotFoundException": (404, "NAME_UNKNOWN"),
    "LayersNotFoundException": (404, "BLOB_UNKNOWN"),
    "ImageNotFoundException": (404, "MANIFEST_UNKNOWN"),
    "UploadNotFoundException": (404, "BLOB_UPLOAD_UNKNOWN"),
    "InvalidLayerException": (400, "DIGEST_INVALID"),
    "ImageDigestDoesNotMatchException": (400, "DIGEST_INVALID"),
    "ImageTagAlreadyExistsException": (400, "TAG_INVALID"),
    "ReferencedImagesNotFoundException": (400, "MANIFEST_BLOB_UNKNOWN"),
    "EmptyUploadException": (400, "BLOB_UPLOAD_INVALID"),
    "InvalidLayerPartException": (416, "BLOB_UPLOAD_INVALID"),
    "LimitExceededException": (429, "TOOMANYREQUESTS"),
    "InvalidParameterException": (400, "MANIFEST_INVALID"),
}


class RegistryError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})

    def answer(self) -> HttpResponse:
        """As clients read it."""
        body = orjson.dumps({"errors": [{"code": self.code, "message": str(self)}]})
        return HttpResponse(self.status, {**VERSION, "content-type": "application/json", **self.headers}, body)


def translated(error: ServiceError, name_code: str = "") -> RegistryError:
    """An error of ECR's API. `name_code` is what an invalid parameter means here."""
    if isinstance(error, AccessDenied):
        return RegistryError(403, "DENIED", error.message)
    if error.code in ("ValidationException", "InvalidParameterException") and name_code:
        return RegistryError(400, name_code, error.message)
    status, code = _CODES.get(error.code, (error.status if error.status >= 500 else 400, "UNKNOWN"))
    return RegistryError(status, code, error.message)


def answer(status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> HttpResponse:
    """An answer of the registry."""
    return HttpResponse(status, {**VERSION, **(headers or {})}, body)
