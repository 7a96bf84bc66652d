"""The keys of OpenID Connect issuers, fetched as OpenID Connect Discovery says, and kept for a while.

Fetched in a thread, with limits on time and size, without following redirects. Plain HTTP is for an issuer on this
machine only, and only while the node is open (dev mode). A server that the machine's certificate authorities do not
vouch for has to show a certificate that chains to one whose thumbprint the provider was given.

https://openid.net/specs/openid-connect-discovery-1_0.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc_verify-thumbprint.html
"""

import asyncio
import contextlib
import hashlib
import http.client
import socket
import ssl
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

import orjson

from cloudlet.clock import Clock
from cloudlet.errors import CloudletError
from cloudlet.services.sts.jwt import Jwk

TIMEOUT_S = 5.0
"""For each step of a connection, and then for the whole answer."""
FETCHES_AT_ONCE = 8
MAX_BYTES = 256 * 1024
MAX_KEYS = 100
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
KEPT_S = 300.0
REFETCH_S = 15.0
"""A key that is not in the set may be new: but the issuer is asked again no more often than this."""
RETRY_S = 1.0
"""An issuer that failed is left alone for so long: anybody can send tokens in its name."""
KEPT_ISSUERS = 256
_DISCOVERY = "/.well-known/openid-configuration"


class IssuerUnreachable(CloudletError):
    """The issuer did not answer, or not in time."""


class IssuerUnusable(CloudletError):
    """The issuer answered with something that holds no keys, or may not be asked."""


class CertificateMismatch(CloudletError):
    """Neither the machine's certificate authorities nor a thumbprint vouch for the issuer's server."""


@dataclass(slots=True)
class _Kept:
    keys: tuple[Jwk, ...] = ()
    fetched: float = float("-inf")
    """On the monotonic clock."""
    failure: CloudletError | None = None
    failed: float = float("-inf")
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class IssuerKeys:
    """Fetches and keeps key sets. One per node."""

    def __init__(self, clock: Clock, *, with_http: bool) -> None:
        """`with_http`: issuers on plain HTTP of this machine are asked too."""
        self._clock = clock
        self._with_http = with_http
        self._kept: OrderedDict[tuple[str, tuple[str, ...]], _Kept] = OrderedDict()
        self._fetches = asyncio.Semaphore(FETCHES_AT_ONCE)

    async def of(
        self, issuer: str, thumbprints: Sequence[str], is_enough: Callable[[Sequence[Jwk]], bool]
    ) -> list[Jwk]:
        """The keys of `issuer`: those kept, fetched anew when they are old or not `is_enough`.

        Raises IssuerUnreachable, IssuerUnusable, CertificateMismatch.
        """
        # Who is trusted to answer for an issuer is the provider's matter, so that accounts do not share keys.
        key = issuer, tuple(thumbprints)
        kept = self._kept.setdefault(key, _Kept())
        self._kept.move_to_end(key)
        if len(self._kept) > KEPT_ISSUERS:
            self._kept.popitem(last=False)
        async with kept.lock:
            age_s = self._clock.monotonic() - kept.fetched
            if age_s > KEPT_S or (age_s > REFETCH_S and not is_enough(kept.keys)):
                await self._fetch(kept, issuer, thumbprints)
        return list(kept.keys)

    async def _fetch(self, kept: _Kept, issuer: str, thumbprints: Sequence[str]) -> None:
        if kept.failure is not None and self._clock.monotonic() - kept.failed < RETRY_S:
            raise kept.failure
        kept.failure = None
        try:
            async with self._fetches:
                kept.keys = await asyncio.to_thread(fetch_keys, issuer, thumbprints, with_http=self._with_http)
        except CloudletError as error:
            kept.failure, kept.failed = error.with_traceback(None), self._clock.monotonic()
            raise
        kept.fetched = self._clock.monotonic()


def fetch_keys(issuer: str, thumbprints: Sequence[str], *, with_http: bool = False) -> tuple[Jwk, ...]:
    """The key set of an issuer, asked now. Raises as `IssuerKeys.of`."""
    where = _allowed(issuer, with_http)
    configuration = _get(_allowed(issuer.rstrip("/") + _DISCOVERY, with_http), thumbprints)
    found, uri = configuration.get("issuer"), configuration.get("jwks_uri")
    if found != issuer or not isinstance(uri, str):
        raise IssuerUnusable("the configuration is another issuer's")
    there = _allowed(uri, with_http)
    if there.scheme not in (where.scheme, "https"):
        raise IssuerUnusable("the keys are less safe than their issuer")
    # A thumbprint vouches for the issuer's own server; the keys may be with another one.
    keys = _get(there, thumbprints).get("keys")
    if not isinstance(keys, list) or len(keys) > MAX_KEYS:
        raise IssuerUnusable("no key set")
    return tuple(key for key in keys if isinstance(key, dict))


def is_allowed_issuer(issuer: str, *, with_http: bool) -> bool:
    """True for what can be an issuer: an https URL, or, with `with_http`, an http URL of this machine."""
    try:
        _allowed(issuer, with_http)
    except IssuerUnusable:
        return False
    return True


def _allowed(url: str, with_http: bool) -> SplitResult:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise IssuerUnusable("not a URL") from error
    is_safe = parts.scheme == "https" or (with_http and parts.scheme == "http" and _is_loopback(host or ""))
    if (
        not is_safe
        or not host
        or parts.username
        or parts.query
        or parts.fragment
        or not url.isprintable()
        or " " in url
    ):
        raise IssuerUnusable("not a URL that is asked")
    return parts


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _get(url: SplitResult, thumbprints: Sequence[str]) -> dict[str, Any]:
    try:
        answer = _request(url, ssl.create_default_context())
    except ssl.SSLCertVerificationError as error:
        answer = _request_by_thumbprint(url, thumbprints, error)
    try:
        content = orjson.loads(answer)
    except ValueError as error:
        raise IssuerUnusable("not JSON") from error
    if not isinstance(content, dict):
        raise IssuerUnusable("not an object")
    return content


def _request(url: SplitResult, context: ssl.SSLContext) -> bytes:
    connection: http.client.HTTPConnection
    if url.scheme == "https":
        connection = http.client.HTTPSConnection(url.hostname or "", url.port, timeout=TIMEOUT_S, context=context)
    else:
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=TIMEOUT_S)
    try:
        connection.connect()
        with _deadline(connection.sock):
            connection.request("GET", url.path or "/", headers={"Accept": "application/json", "Connection": "close"})
            response = connection.getresponse()
            body = response.read(MAX_BYTES + 1)
    except ssl.SSLCertVerificationError:
        raise
    except (OSError, http.client.HTTPException) as error:
        raise IssuerUnreachable(str(error)) from error
    finally:
        connection.close()
    if response.status != 200 or len(body) > MAX_BYTES:
        raise IssuerUnusable(f"status {response.status}")
    return body


@contextlib.contextmanager
def _deadline(sock: socket.socket) -> Iterator[None]:
    """End a connection that goes on for too long, even one that sends a byte now and then."""

    def end() -> None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(TIMEOUT_S, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _request_by_thumbprint(url: SplitResult, thumbprints: Sequence[str], cause: Exception) -> bytes:
    """The answer of a server whose certificate chains to one that a thumbprint names. Raises CertificateMismatch."""
    wanted = {text.lower() for text in thumbprints}
    for certificate in _shown_chain(url) if wanted else ():
        if hashlib.sha1(certificate, usedforsecurity=False).hexdigest() in wanted:
            context = ssl.create_default_context(cadata=ssl.DER_cert_to_PEM_cert(certificate))
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            try:
                return _request(url, context)
            except ssl.SSLCertVerificationError:
                break  # shown, but not what the server's own certificate was signed with
    raise CertificateMismatch(str(cause)) from cause


def _shown_chain(url: SplitResult) -> list[bytes]:
    """The certificates that a server shows, verified by nothing yet: which of them is trusted is what is asked."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(url.hostname or "", url.port, timeout=TIMEOUT_S, context=context)
    try:
        connection.connect()
        sock: Any = connection.sock
        if hasattr(sock, "get_unverified_chain"):  # Python 3.13
            return [bytes(one) for one in sock.get_unverified_chain()]
        return [ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in sock._sslobj.get_unverified_chain() or ()]
    except OSError as error:
        raise IssuerUnreachable(str(error)) from error
    finally:
        connection.close()
