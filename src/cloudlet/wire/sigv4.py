"""AWS Signature Version 4, the verifier's side: what a request claims, and what its signature must be.

Pure functions, no state but bounded caches of things that repeat from call to call: the part of the `Authorization`
header before the signature, the signing key of a day, the second of a timestamp. Texts that go into a signature hold
the request's bytes as latin-1, as `HttpRequest` does, so that any byte a client sends counts as it was sent.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import calendar
import hmac
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote, unquote, unquote_to_bytes

from cloudlet.errors import CloudletError
from cloudlet.wire.http import HttpRequest

ALGORITHM = "AWS4-HMAC-SHA256"
ALGORITHM_V4A = "AWS4-ECDSA-P256-SHA256"
TERMINATOR = "aws4_request"
EMPTY_SHA256 = sha256(b"").hexdigest()

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
STREAMING_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
STREAMING_SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
STREAMING_UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
STREAMING = frozenset({STREAMING_SIGNED, STREAMING_SIGNED_TRAILER, STREAMING_UNSIGNED_TRAILER})

PRESIGNED_PARAMETERS = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature")
MAX_PRESIGNED_S = 7 * 86400
"""https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html"""

_CACHED_PREFIX_LENGTH = 2048
_CACHED_TEXT_LENGTH = 256
"""Longer texts are parsed or encoded each time, so that the caches' memory stays bounded."""
_PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)*/?")
"""A path that is its own canonical form: nothing to encode, no empty and no dot segments."""
_PLAIN_TEXT = re.compile(r"[A-Za-z0-9_.~-]*")
_HEX64 = re.compile(r"[0-9a-f]{64}")
_TIMESTAMP = re.compile(r"\d{8}T\d{6}Z")
_SPACES = re.compile(r"[ \t\r\n\f\v]+")


class SignatureFormatError(CloudletError):
    """The request says that it is signed, but not in a form that can be read. `missing` names absent parameters."""

    def __init__(self, message: str, missing: tuple[str, ...] = (), pair: str = "", algorithm: str = "") -> None:
        super().__init__(message)
        self.missing = missing
        self.pair = pair
        """The part of the header that is no `key=value`."""
        self.algorithm = algorithm
        """The algorithm, where it is one that is not verified here."""


class Credential(NamedTuple):
    """`<access key>/<date>/<region>/<service>/aws4_request`. All but the first are empty when it has another form."""

    access_key_id: str
    date: str
    region: str
    service: str
    terminator: str
    text: str
    """As the client wrote it."""

    @property
    def scope(self) -> str:
        """What the string to sign says of it."""
        return f"{self.date}/{self.region}/{self.service}/{self.terminator}"


class Claim(NamedTuple):
    """What a request says of its signature."""

    credential: Credential
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    """`YYYYMMDDTHHMMSSZ`; empty when the request has none, anything when it is malformed."""
    session_token: str | None
    presigned: bool = False
    expires: str | None = None
    """X-Amz-Expires of a presigned request as it was sent, in seconds."""


def claim(request: HttpRequest) -> Claim | None:
    """What `request` claims in its Authorization header or, without one, in its query; None when it is not signed.

    Raises SignatureFormatError.
    """
    headers = request.headers
    authorization = headers.get("authorization")
    if authorization is None:
        return _presigned_claim(request.query_string)
    prefix, separator, signature = authorization.rpartition("Signature=")
    if separator and len(prefix) <= _CACHED_PREFIX_LENGTH and "," not in signature:
        credential, signed_headers = _cached_prefix(prefix)
    else:
        credential, signed_headers, signature = _parse_parameters(authorization)
    timestamp = headers.get("x-amz-date")
    if timestamp is None:
        timestamp = _basic_format(headers.get("date", ""))
    return Claim(credential, signed_headers, signature.strip(), timestamp, headers.get("x-amz-security-token"))


@lru_cache(maxsize=1024)
def _cached_prefix(prefix: str) -> tuple[Credential, tuple[str, ...]]:
    return _parse_parameters(prefix + "Signature=")[:2]


def _parse_parameters(authorization: str) -> tuple[Credential, tuple[str, ...], str]:
    algorithm, _, text = authorization.strip().partition(" ")
    if algorithm != ALGORITHM:
        raise SignatureFormatError(f"unsupported algorithm {algorithm!r}", algorithm=algorithm)
    parameters: dict[str, str] = {}
    for pair in text.split(","):
        name, equals, value = pair.strip().partition("=")
        if not equals:
            raise SignatureFormatError(f"not a valid key=value pair: {pair!r}", pair=pair.strip())
        parameters[name] = value
    missing = tuple(name for name in ("Credential", "Signature", "SignedHeaders") if name not in parameters)
    if missing:
        raise SignatureFormatError(f"missing: {', '.join(missing)}", missing=missing)
    signed_headers = tuple(parameters["SignedHeaders"].split(";"))
    return parse_credential(parameters["Credential"]), signed_headers, parameters["Signature"]


def parse_credential(text: str) -> Credential:
    """The parts of a credential; only the access key is set when it has not five of them."""
    parts = text.split("/")
    if len(parts) != 5:
        return Credential(parts[0], "", "", "", "", text)
    access_key_id, date, region, service, terminator = parts
    return Credential(access_key_id, date, region, service, terminator, text)


def _presigned_claim(query_string: str) -> Claim | None:
    if "X-Amz-" not in query_string or ("X-Amz-Algorithm=" not in query_string and "X-Amz-Cred" not in query_string):
        return None
    parameters = presigned_parameters(query_string)
    algorithm = parameters.get("X-Amz-Algorithm", "")
    if "X-Amz-Algorithm" in parameters and algorithm != ALGORITHM:
        raise SignatureFormatError(f"unsupported algorithm {algorithm!r}", algorithm=algorithm)
    if missing := tuple(name for name in PRESIGNED_PARAMETERS if name not in parameters):
        raise SignatureFormatError(f"missing: {', '.join(missing)}", missing=missing)
    return Claim(
        parse_credential(parameters["X-Amz-Credential"]),
        tuple(parameters["X-Amz-SignedHeaders"].split(";")),
        parameters["X-Amz-Signature"],
        parameters["X-Amz-Date"],
        parameters.get("X-Amz-Security-Token"),
        presigned=True,
        expires=parameters.get("X-Amz-Expires"),
    )


def presigned_parameters(query_string: str) -> dict[str, str]:
    """The `X-Amz-` parameters of a query, decoded."""
    pairs = (part.partition("=") for part in query_string.split("&") if part.startswith("X-Amz-"))
    return {name: unquote(value, "latin-1") if "%" in value else value for name, _, value in pairs}


def _basic_format(date: str) -> str:
    """A Date header as `YYYYMMDDTHHMMSSZ`; as it is when it is in that form already or in none that HTTP knows."""
    if not date or _TIMESTAMP.fullmatch(date):
        return date
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return date
    return time.strftime("%Y%m%dT%H%M%SZ", moment.utctimetuple())


@lru_cache(maxsize=1024)
def epoch(timestamp: str) -> int:
    """Seconds since the epoch of a `YYYYMMDDTHHMMSSZ`. Raises ValueError."""
    if not _TIMESTAMP.fullmatch(timestamp):
        raise ValueError(f"not in basic format: {timestamp!r}")
    return calendar.timegm(time.strptime(timestamp, "%Y%m%dT%H%M%SZ"))


def basic_format(moment: float) -> str:
    """Seconds since the epoch as `YYYYMMDDTHHMMSSZ`."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(moment))


def canonical_path(raw_path: str, *, is_s3: bool) -> str:
    """The path as it is signed. S3 signs it encoded once and as it is; all others encode again what was sent, and
    resolve empty and dot segments.
    """
    if _PLAIN_PATH.fullmatch(raw_path):
        return raw_path or "/"
    if is_s3:
        return quote(unquote_to_bytes(_raw(raw_path)), safe="/-_.~")
    segments: list[str] = []
    for segment in raw_path.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    tail = "/" if segments and raw_path.endswith("/") else ""
    return quote(_raw("/" + "/".join(segments) + tail), safe="/-_.~")


def canonical_query(query_string: str) -> str:
    """The query as it is signed: encoded, in order of names and values, and without the signature itself."""
    if not query_string:
        return ""
    pairs = []
    for part in query_string.split("&"):
        name, _, value = part.partition("=")
        if part and name != "X-Amz-Signature":
            pairs.append((_encoded(name), _encoded(value)))
    return "&".join([f"{name}={value}" for name, value in sorted(pairs)])


def _encoded(text: str) -> str:
    if _PLAIN_TEXT.fullmatch(text):
        return text
    return _cached_encoding(text) if len(text) <= _CACHED_TEXT_LENGTH else _encode(text)


def _encode(text: str) -> str:
    return quote(unquote_to_bytes(_raw(text)), safe="-_.~")


_cached_encoding = lru_cache(maxsize=1024)(_encode)


def _raw(text: str) -> bytes:
    """The bytes that `text` stands for. What is no latin-1 was never on a wire, but is taken for UTF-8."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def canonical_headers(headers: Mapping[str, str], names: tuple[str, ...]) -> str:
    """One line for each signed header; an absent one counts as empty."""
    lines = []
    for name in names:
        value = headers.get(name, "").strip(" \t")
        if "  " in value or "\t" in value or "\n" in value:
            value = _SPACES.sub(" ", value)
        lines.append(f"{name}:{value}\n")
    return "".join(lines)


def canonical_request(request: HttpRequest, signed_headers: tuple[str, ...], payload_hash: str, *, is_s3: bool) -> str:
    """All that the signature protects."""
    return (
        f"{request.method}\n{canonical_path(request.raw_path, is_s3=is_s3)}\n{canonical_query(request.query_string)}\n"
        f"{canonical_headers(request.headers, signed_headers)}\n{';'.join(signed_headers)}\n{payload_hash}"
    )


def string_to_sign(timestamp: str, scope: str, canonical: str) -> str:
    """What the signing key signs."""
    return f"{ALGORITHM}\n{timestamp}\n{scope}\n{sha256(_raw(canonical)).hexdigest()}"


@lru_cache(maxsize=8192)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key of one secret, day, region and service."""
    key = hmac.digest(f"AWS4{secret}".encode(), _raw(date), "sha256")
    for part in (region, service, TERMINATOR):
        key = hmac.digest(key, _raw(part), "sha256")
    return key


def sign(secret: str, credential: Credential, text: str) -> str:
    """The signature of a string to sign, as 64 hexadecimal digits."""
    key = signing_key(secret, credential.date, credential.region, credential.service)
    return hmac.digest(key, _raw(text), "sha256").hex()


def equal(expected: str, given: str) -> bool:
    """Compare two signatures in a time that does not tell where they differ."""
    return hmac.compare_digest(expected.encode(), _raw(given))


def is_payload_hash(value: str) -> bool:
    """True for a literal SHA-256."""
    return _HEX64.fullmatch(value) is not None


def verify(request: HttpRequest, claimed: Claim, secret: str, payload_hash: str, *, is_s3: bool) -> bool:
    """True when `request` was signed with `secret` and is as it was signed.

    `payload_hash` is the SHA-256 of the body, or the word that stands for it (UNSIGNED-PAYLOAD and the like).
    """
    canonical = canonical_request(request, claimed.signed_headers, payload_hash, is_s3=is_s3)
    text = string_to_sign(claimed.timestamp, claimed.credential.scope, canonical)
    return equal(sign(secret, claimed.credential, text), claimed.signature)
