"""aws-chunked: a body sent in chunks, each with its size and, where it is signed, its signature; then trailers.

    signed      400;chunk-signature=<64 hex>\r\n <1024 bytes> \r\n ... 0;chunk-signature=<64 hex>\r\n
                [x-amz-checksum-crc32c:<base64>\r\n x-amz-trailer-signature:<64 hex>\r\n] \r\n
    unsigned    400\r\n <1024 bytes> \r\n ... 0\r\n x-amz-checksum-crc32c:<base64>\r\n \r\n

Each chunk's signature signs the one before it, the first one that of the request's header, so that chunks can be
neither changed nor moved nor left out. `ChunkedDecoder` is fed as bytes come and holds no more than a chunk's header
and the trailers; what it gives out counts only once `finish` has returned.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html,
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
"""

import hmac
import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Self

from cloudlet.errors import ServiceError
from cloudlet.wire import sigv4

MAX_HEADER_BYTES = 1024
"""A chunk's header: its size in hexadecimal and its signature."""
MAX_TRAILERS_BYTES = 16 * 1024
MIN_CHUNK_BYTES = 8192
"""Every signed chunk but the last has at least this size."""
_FED_BYTES = 1024 * 1024
_SIZE = re.compile(r"[0-9a-fA-F]{1,16}")
_LENGTH = re.compile(r"[0-9]{1,16}")
_SIGNATURE_TRAILER = "x-amz-trailer-signature"


class IncompleteBody(ServiceError):
    """You did not provide the number of bytes specified by the Content-Length HTTP header."""

    code = "IncompleteBody"


class InvalidRequest(ServiceError):
    """The request's body cannot be read in the form that its headers announce."""

    code = "InvalidRequest"


class MissingContentLength(ServiceError):
    """You must provide the Content-Length HTTP header."""

    code = "MissingContentLength"
    status = 411


class InvalidChunkSize(ServiceError):
    """Only the last chunk is allowed to have a size less than 8192 bytes."""

    code = "InvalidChunkSizeError"
    status = 403


class MalformedTrailer(ServiceError):
    """The request contained trailing data that was not well-formed or did not conform to our published schema."""

    code = "MalformedTrailerError"


class ChunkSignatureDoesNotMatch(ServiceError):
    """The request signature we calculated does not match the signature you provided."""

    code = "SignatureDoesNotMatch"
    status = 403


def _fail(error: type[ServiceError]) -> ServiceError:
    """An error whose docstring is its message."""
    return error(error.__doc__ or "")


class ChunkSigner:
    """The chain of signatures of one body."""

    def __init__(self, key: bytes, timestamp: str, scope: str, seed_signature: str) -> None:
        self._key = key
        self._prefix = f"{timestamp}\n{scope}\n"
        self._previous = seed_signature

    @classmethod
    def of(cls, claim: sigv4.Claim, secret: str) -> Self:
        """The chain that starts at the verified signature of a request's header."""
        credential = claim.credential
        key = sigv4.signing_key(secret, credential.date, credential.region, credential.service)
        return cls(key, claim.timestamp, credential.scope, claim.signature)

    def chunk(self, content_sha256: str) -> str:
        """The signature of the next chunk."""
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{self._prefix}{self._previous}\n{sigv4.EMPTY_SHA256}"
        return self._next(text, content_sha256)

    def trailers(self, content_sha256: str) -> str:
        """The signature of the trailers."""
        return self._next(f"AWS4-HMAC-SHA256-TRAILER\n{self._prefix}{self._previous}", content_sha256)

    def _next(self, text: str, content_sha256: str) -> str:
        digest = hmac.digest(self._key, f"{text}\n{content_sha256}".encode("latin-1"), "sha256")
        self._previous = digest.hex()
        return self._previous


class ChunkedDecoder:
    """Takes a body apart as it comes: `feed` what arrives, `finish` at its end, then read `trailers`.

    `mode` is the request's x-amz-content-sha256. `decoded_length` is what x-amz-decoded-content-length announces: more
    than that is refused before it is given out. `announced` are the names in x-amz-trailer. `signer` is None where
    signatures are not to be checked.
    """

    def __init__(
        self, mode: str, decoded_length: int, announced: frozenset[str] = frozenset(), signer: ChunkSigner | None = None
    ) -> None:
        self.trailers: dict[str, str] = {}
        self._is_signed = mode != sigv4.STREAMING_UNSIGNED_TRAILER
        self._signer = signer if self._is_signed else None
        self._announced = announced
        self._expected = decoded_length
        self._pending = bytearray()
        self._step: Callable[[list[bytes]], bool] = self._header
        self._left = 0
        self._signature = ""
        self._hash = sha256()
        self._was_small = False

    def feed(self, data: bytes) -> bytes:
        """The content in what has come. Raises ServiceError."""
        self._pending += data
        content: list[bytes] = []
        while self._step(content):
            pass
        return b"".join(content)

    def finish(self) -> None:
        """The body is at its end. Raises ServiceError when it is not whole or its trailers are not as announced."""
        if self._step != self._collect_trailers or self._expected:
            raise _fail(IncompleteBody)
        lines = [line.strip() for line in self._pending.decode("latin-1").split("\n")]
        pairs = [line.partition(":") for line in lines if line]
        if not all(name and separator for name, separator, _ in pairs):
            raise _fail(MalformedTrailer)
        self.trailers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        signature = self.trailers.pop(_SIGNATURE_TRAILER, "")
        if len(pairs) != len(self.trailers) + bool(signature) or self.trailers.keys() != self._announced:
            raise _fail(MalformedTrailer)
        if self._signer is not None and (self.trailers or signature):
            signed = "".join(f"{name}:{value}\n" for name, value in self.trailers.items())
            expected = self._signer.trailers(sha256(signed.encode("latin-1")).hexdigest())
            if not sigv4.equal(expected, signature):
                raise _fail(ChunkSignatureDoesNotMatch)

    def _header(self, _content: list[bytes]) -> bool:
        end = self._pending.find(b"\r\n", 0, MAX_HEADER_BYTES)
        if end < 0:
            if len(self._pending) >= MAX_HEADER_BYTES:
                raise InvalidRequest("The header of a chunk is too long.")
            return False
        size, separator, extension = self._pending[:end].decode("latin-1").partition(";")
        del self._pending[: end + 2]
        name, _, self._signature = extension.partition("=")
        if self._is_signed != (separator == ";" and name == "chunk-signature"):
            raise InvalidRequest("The header of a chunk is not well-formed.")
        self._left = _chunk_size(size)
        if self._left > self._expected:
            raise _fail(IncompleteBody)
        if not self._left:
            self._verify_chunk()
            self._step = self._collect_trailers
            return True
        if self._is_signed and self._was_small:
            raise _fail(InvalidChunkSize)
        self._was_small = self._left < MIN_CHUNK_BYTES
        self._step = self._content
        return True

    def _content(self, content: list[bytes]) -> bool:
        part = bytes(self._pending[: self._left])
        del self._pending[: self._left]
        self._left -= len(part)
        self._expected -= len(part)
        if self._signer is not None:
            self._hash.update(part)
        content.append(part)
        if self._left:
            return False
        self._step = self._end
        return True

    def _end(self, _content: list[bytes]) -> bool:
        if len(self._pending) < 2:
            return False
        if self._pending[:2] != b"\r\n":
            raise InvalidRequest("A chunk does not end where its header says.")
        del self._pending[:2]
        self._verify_chunk()
        self._step = self._header
        return True

    def _verify_chunk(self) -> None:
        if self._signer is not None:
            if not sigv4.equal(self._signer.chunk(self._hash.hexdigest()), self._signature):
                raise _fail(ChunkSignatureDoesNotMatch)
            self._hash = sha256()

    def _collect_trailers(self, _content: list[bytes]) -> bool:
        if len(self._pending) > MAX_TRAILERS_BYTES:
            raise _fail(MalformedTrailer)
        return False


def _chunk_size(text: str) -> int:
    if not _SIZE.fullmatch(text):
        raise InvalidRequest("The size of a chunk is not a hexadecimal number.")
    return int(text, 16)


def is_chunked(headers: Mapping[str, str]) -> bool:
    """True when the body comes in chunks of this form."""
    return headers.get("x-amz-content-sha256", "").startswith("STREAMING-")


def decoder(headers: Mapping[str, str], signer: ChunkSigner | None) -> ChunkedDecoder:
    """The decoder of a request with these headers. Raises ServiceError when they do not say what is needed."""
    mode = headers["x-amz-content-sha256"]
    if mode not in sigv4.STREAMING:
        raise InvalidRequest(f"{mode} is not supported. Use {sigv4.STREAMING_SIGNED}.")
    length = headers.get("x-amz-decoded-content-length", "")
    if not _LENGTH.fullmatch(length):
        raise _fail(MissingContentLength)
    names = (name.strip().lower() for name in headers.get("x-amz-trailer", "").split(","))
    announced = frozenset(name for name in names if name) if mode != sigv4.STREAMING_SIGNED else frozenset[str]()
    return ChunkedDecoder(mode, int(length), announced, signer)


def decode_body(body: bytes, headers: Mapping[str, str], signer: ChunkSigner | None) -> tuple[bytes, dict[str, str]]:
    """The content and the trailers of a body that is here as a whole. Raises ServiceError."""
    chunks = decoder(headers, signer)
    parts = [chunks.feed(body[start : start + _FED_BYTES]) for start in range(0, len(body), _FED_BYTES)]
    chunks.finish()
    return b"".join(parts), chunks.trailers
