"""What a request says of its body: that it is compressed, and which checksums it has.

Both hold for some operations only, and their models say which
(https://smithy.io/2.0/spec/behavior-traits.html#requestcompression-trait,
https://smithy.io/2.0/aws/aws-core.html#aws-protocols-httpchecksum-trait). CRC-32C and CRC-64/NVME are not checked:
Python has neither, and counting them in Python would take seconds for a large object.
"""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable
from dataclasses import replace

from cloudlet.errors import RequestTooLarge, SerializationError, ServiceError
from cloudlet.wire.http import HttpRequest
from cloudlet.wire.shapes import OperationModel

MAXIMUM_INFLATED_BYTES = 16 * 1024 * 1024
"""What a compressed body may grow to; the largest that AWS takes compressed is PutMetricData's, 1 MB."""

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_CHECKSUMS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "x-amz-checksum-crc32": ("CRC32", lambda body: zlib.crc32(body).to_bytes(4, "big")),
    "x-amz-checksum-sha1": ("SHA1", lambda body: hashlib.sha1(body, usedforsecurity=False).digest()),
    "x-amz-checksum-sha256": ("SHA256", lambda body: hashlib.sha256(body).digest()),
    "x-amz-checksum-sha512": ("SHA512", lambda body: hashlib.sha512(body).digest()),
    "x-amz-checksum-md5": ("MD5", lambda body: hashlib.md5(body, usedforsecurity=False).digest()),
}


class BadDigest(ServiceError):
    """The checksum that a request gives is not that of its body."""

    code = "BadDigest"


class InvalidDigest(ServiceError):
    """The Content-MD5 that a request gives is not one."""

    code = "InvalidDigest"


class InvalidChecksum(ServiceError):
    """The checksum that a request gives is not one."""

    code = "InvalidRequest"


def preparation(operation: OperationModel) -> Callable[[HttpRequest], HttpRequest] | None:
    """What is to be done with a request before it is decoded; None for nearly all operations.

    The function checks checksums and inflates a compressed body. It raises BadDigest, InvalidDigest, InvalidChecksum,
    SerializationError and RequestTooLarge.
    """
    compressed = bool(operation.traits.get("requestcompression"))
    checked = "httpChecksum" in operation.traits or "httpChecksumRequired" in operation.traits
    if not compressed and not checked:
        return None

    def prepare(request: HttpRequest) -> HttpRequest:
        if checked:
            verify(request)
        if compressed and "gzip" in request.headers.get("content-encoding", ""):
            return replace(request, body=inflate(request.body))
        return request

    return prepare


def verify(request: HttpRequest) -> None:
    """Compare the checksums in a request's headers with its body."""
    for header, (name, digest) in _CHECKSUMS.items():
        given = request.headers.get(header)
        if given is not None:
            expected = _decode(given)
            if expected is None:
                raise InvalidChecksum(f"Value for {header} header is invalid.")
            if expected != digest(request.body):
                raise BadDigest(f"The {name} you specified did not match the calculated checksum.")
    given = request.headers.get("content-md5")
    if given is not None:
        expected = _decode(given)
        if expected is None or len(expected) != 16:
            raise InvalidDigest("The Content-MD5 you specified was invalid.")
        if expected != hashlib.md5(request.body, usedforsecurity=False).digest():
            raise BadDigest("The Content-MD5 you specified did not match what we received.")


def inflate(body: bytes) -> bytes:
    """The content of a gzip body. Raises SerializationError, and RequestTooLarge before it takes the memory."""
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        content = inflater.decompress(body, MAXIMUM_INFLATED_BYTES + 1)
    except zlib.error as error:
        raise SerializationError("The request's body is not valid gzip.") from error
    if len(content) > MAXIMUM_INFLATED_BYTES:
        raise RequestTooLarge("The request's body is too large when it is not compressed.")
    if not inflater.eof:
        raise SerializationError("The request's body is not valid gzip.")
    return content


def _decode(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
