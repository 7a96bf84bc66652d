"""One connection: uvicorn's HTTP protocol (httptools) with limits, and answers that go out in one piece."""

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

if TYPE_CHECKING:
    from cloudlet.gateway.server import Listener

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]
Answer = Callable[[int, str, bytes], bool]

HEADERS_LIMIT_BYTES = 64 * 1024
"""A request's line and headers together; and what a body may have beside its content: trailers, chunks' extensions."""
HEADERS_TIMEOUT_S = 20.0
"""A request's line and headers have to be there this long after their first byte."""
STALL_TIMEOUT_S = 60.0
"""A body, or a client that reads its answer, may stop for this long."""
IDLE_TIMEOUT_S = 75.0
"""A connection without a request is closed after this time."""

ANSWER = "cloudlet.answer"
"""The extension of ASGI's scope that is `Cycle.answer`."""
PLAIN_HEAD = re.compile(
    r"(?:(?!(?:connection|content-length|transfer-encoding):)"
    r"[!#$%&'*+.^_`|~0-9a-z-]+: [^\x00-\x08\x0a-\x1f\x7f]*\r\n)*",
    re.IGNORECASE,
)
"""Header lines that are well formed, and leave the connection and the length of the body alone."""
HEADERS_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class JoinedWrites:
    """A transport whose writes within one turn of the loop go out in one: an answer's head and its body."""

    __slots__ = ("_loop", "_parts", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send `data` after what is written already, at the end of this turn."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def send(self, data: bytes) -> None:
        """Send `data` after what is written already; nothing else is written within this turn."""
        if self._parts:
            self._parts.append(data)
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Close after what is written has been sent."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts:
            self._transport.write(b"".join(parts))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Cycle(RequestResponseCycle):
    """One request and its answer."""

    default_head = b""
    """The lines that all answers have."""

    def answer(self, status: int, head: str, body: bytes) -> bool:
        """Send a whole answer at once; false when it has to go ASGI's own way, which costs three times as much.

        `head` is its header lines, each with its end.
        """
        has_content = status not in (204, 304)
        if self.flow.write_paused or self.scope["method"] == "HEAD" or (body and not has_content):
            return False
        if not PLAIN_HEAD.fullmatch(head):
            return False
        self.response_started = self.response_complete = True
        self.message_event.set()
        if self.disconnected:
            return True
        length = f"content-length: {len(body)}\r\n" if has_content else ""
        close = "" if self.keep_alive else "connection: close\r\n"
        lines = f"{head}{length}{close}\r\n".encode("latin-1", "replace")
        self.transport.send(b"".join((STATUS_LINE[status], self.default_head, lines, body)))  # type: ignore[attr-defined]
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
        return True


class EdgeProtocol(HttpToolsProtocol):
    """One connection. Adds to uvicorn's protocol the limits that `HttpServer.sweep` enforces."""

    server_state: "Listener"
    max_connections = 0
    """How many its listener may have, this one included."""
    headers_since: float | None = None
    """When the first byte of a request came whose headers are not complete."""
    bare_bytes = 0
    """What has come since the last that was something: whole headers, content of a body, a request's end."""
    last_data = 0.0
    """When the client last sent something, or took something after a pause."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.access_log = False
        self.last_data = self.loop.time()
        super().connection_made(JoinedWrites(transport, self.loop))  # type: ignore[arg-type]
        if len(self.connections) > self.max_connections:
            transport.abort()

    def data_received(self, data: bytes | memoryview) -> None:
        self.last_data = self.loop.time()
        self.bare_bytes += len(data)
        try:
            while data:
                try:
                    self.parser.feed_data(data)
                    break
                except httptools.HttpParserUpgrade as upgrade:
                    data = memoryview(data)[upgrade.args[0] :]
                    self._decline_upgrade()
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
            return
        if self.bare_bytes > HEADERS_LIMIT_BYTES:
            self._refuse_bare()

    def _decline_upgrade(self) -> None:
        """Go on in HTTP/1.1 after a request to change the protocol, as Java's HttpClient sends one with its first.

        The parser takes all behind such a head for the other protocol, so another one is told of the body.
        """
        framing = [each for each in self.headers if each[0] in (b"content-length", b"transfer-encoding")]
        if framing:
            self.cycle.more_body = True
            self.parser = httptools.HttpRequestParser(_Retold(self))
            self.parser.feed_data(b"POST / HTTP/1.1\r\n%s\r\n" % b"".join(b"%s: %s\r\n" % each for each in framing))

    def _refuse_bare(self) -> None:
        if self.headers_since is not None:
            self.transport.write(HEADERS_TOO_LARGE)
            self.transport.close()
        elif not self.is_idle:
            self.transport.abort()

    def on_message_begin(self) -> None:
        self.headers_since = self.last_data
        self.bare_bytes = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.headers_since is None:
            # A trailer is no header: whoever has checked the headers on their way here has not seen it.
            # https://www.rfc-editor.org/rfc/rfc9110#section-6.5.1
            return
        super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        self.bare_bytes = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        """As uvicorn's, for what is served here: no WebSockets, no limit of its own, no prefix of paths."""
        self.headers_since = None
        self.bare_bytes = 0
        parser, scope, before = self.parser, self.scope, self.cycle
        url = httptools.parse_url(self.url)
        scope["method"] = parser.get_method().decode("ascii")
        scope["http_version"] = version = parser.get_http_version()
        scope["raw_path"] = url.path
        scope["query_string"] = url.query or b""
        self.cycle = cycle = Cycle(
            scope,
            self.transport,
            self.flow,
            self.logger,
            self.access_logger,
            self.access_log,
            self.server_state.default_headers,
            asyncio.Event(),
            self.expect_100_continue,
            version != "1.0" and parser.should_keep_alive(),
            self.on_response_complete,
        )
        cycle.default_head = self.server_state.default_head
        scope["extensions"] = {ANSWER: cycle.answer}  # type: ignore[dict-item]
        if before is None or before.response_complete:
            self._start_asgi_task(cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def on_response_complete(self) -> None:
        """As uvicorn's, but idle connections are found by the sweep: no timer to set and cancel for each request."""
        self.last_data = self.loop.time()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)

    def resume_writing(self) -> None:
        self.last_data = self.loop.time()
        super().resume_writing()

    @property
    def is_idle(self) -> bool:
        """True between requests."""
        return self.cycle is None or self.cycle.response_complete

    def overstays(self, now: float) -> bool:
        """True when the client is too slow for its connection to be kept."""
        if self.headers_since is not None:
            return now - self.headers_since > HEADERS_TIMEOUT_S
        silent_s = now - self.last_data
        if self.is_idle:
            return silent_s > IDLE_TIMEOUT_S
        waits_for_body = self.cycle.more_body and not self.flow.read_paused and not self.cycle.response_started
        return (waits_for_body or self.flow.write_paused) and silent_s > STALL_TIMEOUT_S


class _Retold:
    """What a parser calls that is told again, before a body, how the body comes: nothing, until that head is over."""

    def __init__(self, connection: EdgeProtocol) -> None:
        self._connection = connection
        self._is_head = True

    def on_message_begin(self) -> None:
        if not self._is_head:
            self._connection.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._is_head:
            self._connection.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_head:
            self._connection.on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self._is_head:
            self._connection.on_headers_complete()
        self._is_head = False

    def on_body(self, body: bytes) -> None:
        self._connection.on_body(body)

    def on_message_complete(self) -> None:
        self._connection.on_message_complete()
