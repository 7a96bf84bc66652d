"""Taking images from a registry over HTTP: the pull half of the OCI distribution protocol.

TLS is asked of every registry but those on this machine. Passwords go to the registry itself, and to the token
service that it names, when that is asked by TLS too. A redirect is followed for blobs only, without them.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md, https://distribution.github.io/distribution/spec/auth/token/
"""

import base64
import contextlib
import http.client
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, quote, urlencode, urljoin, urlsplit

import orjson

from cloudlet import __version__
from cloudlet.compute.images.errors import ImageAccessDenied, ImageNotFound, InvalidImage, RegistryUnavailable
from cloudlet.compute.images.manifest import INDEXES, MANIFESTS, MAX_MANIFEST_BYTES, Descriptor
from cloudlet.compute.images.reference import DOCKER_HUB, Reference
from cloudlet.compute.images.sources import CHUNK_BYTES

OWN_AGENT = "cloudlet/"
"""How the node names itself to registries, and by which it knows a request of its own."""
TIMEOUT_S: Final = 30.0
"""For each step: to connect, and from one piece of an answer to the next."""
MAX_REDIRECTS: Final = 5
_MAX_TOKEN_BYTES: Final = 1024 * 1024
_HUB_HOST: Final = "registry-1.docker.io"
_ACCEPT: Final = ", ".join((*MANIFESTS, *INDEXES))
_PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')


class RegistrySource:
    """One repository of a registry. `close` may come from another thread: whoever is about to read is told."""

    def __init__(self, reference: Reference, login: str) -> None:
        """`login` is `user:password`, or empty."""
        self._host = _HUB_HOST if reference.host == DOCKER_HUB else reference.host
        self._name = reference.name
        self._login = login
        self._authorization = ""
        self._sockets: list[socket.socket] | None = []
        """Of all connections; none once it is closed."""
        self._lock = threading.Lock()
        scheme = "http" if is_this_machine(self._host) else "https"
        self._base = f"{scheme}://{self._host}/v2/{self._name}"

    def manifest(self, selector: str) -> tuple[bytes, str]:
        response = self._get(f"{self._base}/manifests/{quote(selector)}", _ACCEPT)
        with response, self._reading():
            content = response.read(MAX_MANIFEST_BYTES + 1)
        if len(content) > MAX_MANIFEST_BYTES:
            raise InvalidImage(f"The manifest of {self._host}/{self._name} is too large.")
        return content, response.headers.get("content-type", "")

    def blob(self, part: Descriptor) -> Iterator[bytes]:
        response = self._get(f"{self._base}/blobs/{part.digest}", "*/*", follow=True)
        with response, self._reading():
            while chunk := response.read(CHUNK_BYTES):
                yield chunk

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (OSError, http.client.HTTPException, ValueError) as error:  # a chunk's size may be no number
            raise RegistryUnavailable(f"{self._host} broke off: {error}") from error

    def close(self) -> None:
        with self._lock:
            sockets, self._sockets = self._sockets or [], None
        for sock in sockets:
            with contextlib.suppress(OSError):  # who waits for it in a thread hears of it by this only
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()  # once whoever reads from it has closed its response

    def _get(self, url: str, accept: str, *, follow: bool = False) -> http.client.HTTPResponse:
        for _ in range(MAX_REDIRECTS):
            is_own = urlsplit(url).netloc == self._host
            headers = {"Accept": accept}
            if is_own and self._authorization:
                headers["Authorization"] = self._authorization
            response = self._request(urlsplit(url), headers)
            if response.status == 200:
                return response
            response.close()
            if response.status == 401 and is_own and not self._authorization:
                self._authorization = self._authorize(response.headers.get_all("www-authenticate") or [])
                continue
            if follow and response.status in (301, 302, 303, 307, 308):
                url = self._redirected(url, response.headers.get("location", ""))
                continue
            raise self._failure(response.status)
        raise RegistryUnavailable(f"{self._host} sends from one place to the next.")

    def _redirected(self, url: str, location: str) -> str:
        try:
            target = urljoin(url, location)
            parts = urlsplit(target)
        except ValueError as error:
            raise RegistryUnavailable(f"{self._host} sends to a place that is none.") from error
        if parts.scheme != "https" and not (
            is_this_machine(self._host) and parts.scheme == "http" and is_this_machine(parts.netloc)
        ):
            raise RegistryUnavailable(f"{self._host} sends to a place that is not asked: {parts.scheme}.")
        return target

    def _failure(self, status: int) -> Exception:
        where = f"{self._host}/{self._name}"
        if status == 404:
            return ImageNotFound(f"{where} has no such image.")
        if status in (401, 403):
            return ImageAccessDenied(f"{where} may not be read: the registry answers {status}.")
        return RegistryUnavailable(f"{where} cannot be read: the registry answers {status}.")

    def _authorize(self, challenges: list[str]) -> str:
        """The Authorization header that a registry's challenge asks for."""
        for challenge in challenges:
            scheme, _, rest = challenge.partition(" ")
            if scheme.lower() == "bearer":
                return f"Bearer {self._token(dict(_PARAMETER.findall(rest)))}"
            if scheme.lower() == "basic" and self._login:
                return self._basic()
        raise self._failure(401)

    def _basic(self) -> str:
        return f"Basic {base64.b64encode(self._login.encode()).decode()}"

    def _token(self, asked: dict[str, str]) -> str:
        try:
            realm = urlsplit(asked.get("realm", ""))
        except ValueError as error:
            raise RegistryUnavailable(f"{self._host} names a token service that is none.") from error
        is_safe = realm.scheme == "https" or (
            realm.scheme == "http" and is_this_machine(realm.netloc) and is_this_machine(self._host)
        )
        if not is_safe:
            raise ImageAccessDenied(f"{self._host} names a token service that is not asked: {realm.scheme}.")
        scope = asked.get("scope") or f"repository:{self._name}:pull"
        query = urlencode({"service": asked.get("service", ""), "scope": scope})
        url = realm._replace(query=f"{realm.query}&{query}" if realm.query else query)
        response = self._request(url, {"Authorization": self._basic()} if self._login else {})
        with response, self._reading():
            content = response.read(_MAX_TOKEN_BYTES)
        if response.status != 200:
            raise self._failure(response.status)
        try:
            answer = orjson.loads(content)
            token = answer.get("token") or answer.get("access_token")
        except (orjson.JSONDecodeError, AttributeError):
            token = None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise RegistryUnavailable(f"The token service of {self._host} gives no token.")
        return token

    def _request(self, url: SplitResult, headers: dict[str, str]) -> http.client.HTTPResponse:
        connection: http.client.HTTPConnection
        if not _can_be_asked(url):
            raise RegistryUnavailable(f"{self._host} sends to a place that is none.")
        if url.scheme == "https":
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(str(url.hostname), url.port, timeout=TIMEOUT_S, context=context)
        else:
            connection = http.client.HTTPConnection(str(url.hostname), url.port, timeout=TIMEOUT_S)
        path = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
        try:
            self._connect(connection)
            connection.request("GET", path, headers={"User-Agent": f"{OWN_AGENT}{__version__}", **headers})
            return connection.getresponse()
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            raise RegistryUnavailable(f"{url.hostname} does not answer: {error}") from error

    def _connect(self, connection: http.client.HTTPConnection) -> None:
        """Raises OSError, also when it has been closed meanwhile."""
        connection.connect()
        with self._lock:
            if self._sockets is None:
                raise ConnectionAbortedError("nothing more is asked of it")
            self._sockets.append(connection.sock)


def _can_be_asked(url: SplitResult) -> bool:
    try:
        return bool(url.hostname) and url.port != 0 and url.geturl().isprintable() and not url.username
    except ValueError:  # a port that cannot be
        return False


def is_this_machine(host: str) -> bool:
    """True for `localhost` and loopback addresses, with or without a port."""
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
