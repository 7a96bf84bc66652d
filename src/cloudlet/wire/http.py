"""Requests and answers between the edge and the codecs."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class HttpRequest:
    """A request as it came: nothing decoded but the header names, which are lower case.

    `headers` joins repeated headers with a comma; `raw_headers` keeps them all in their order.
    """

    method: str
    raw_path: str
    """The path as sent, percent-encoding and all, without the query string."""
    query_string: str
    headers: Mapping[str, str]
    body: bytes = b""
    raw_headers: Iterable[tuple[str, str]] = ()
    source_ip: str = ""
    scheme: str = "http"
    sandboxed: bool = False
    """True for one from inside a sandbox, where the keys of dev mode mean nothing."""

    @property
    def host(self) -> str:
        """The Host header, lower case, with the port when there is one."""
        return self.headers.get("host", "").lower()


@dataclass(slots=True)
class HttpResponse:
    """An answer. A body that is an iterator is sent chunk by chunk as it comes."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | AsyncIterator[bytes] = b""
    cookies: Sequence[str] = ()
    """Values of `Set-Cookie`, the one header that comes several times."""
