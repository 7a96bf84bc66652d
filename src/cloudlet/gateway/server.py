"""Listening sockets and connections: uvicorn's HTTP protocol, with limits, on as many sockets as there are sandboxes.

uvicorn's own `Server` serves one set of sockets and handles signals; a node adds and removes a listening socket with
each sandbox, so this module keeps uvicorn's protocol (httptools) and brings the loop around it: one sweep watches all
connections, instead of timers for each request.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from typing import Any, Self

import httptools
from uvicorn.config import Config as UvicornConfig
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from cloudlet.clock import Clock

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]
Answer = Callable[[int, str, bytes], bool]
Closer = Callable[[], None]
"""Ends a listening socket and its connections; may be called twice."""

HEADERS_LIMIT_BYTES = 64 * 1024
"""A request's line and headers together."""
HEADERS_TIMEOUT_S = 20.0
"""A request's line and headers have to be there this long after their first byte."""
STALL_TIMEOUT_S = 60.0
"""A body, or a client that reads its answer, may stop for this long."""
IDLE_TIMEOUT_S = 75.0
"""A connection without a request is closed after this time."""
MAX_CONNECTIONS = 8192
"""Connections of one address; those beyond are closed at once."""
MAX_SANDBOX_CONNECTIONS = 256
"""Connections that one sandbox may hold to the platform's endpoint."""
BACKLOG = 2048
SWEEP_INTERVAL_S = 1.0

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
    max_connections = MAX_CONNECTIONS
    headers_since: float | None = None
    """When the first byte of a request came whose headers are not complete."""
    header_bytes = 0
    last_data = 0.0
    """When the client last sent something, or took something after a pause."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.access_log = False
        self.last_data = self.loop.time()
        super().connection_made(JoinedWrites(transport, self.loop))  # type: ignore[arg-type]
        if len(self.connections) > self.max_connections:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        self.last_data = self.loop.time()
        if self.headers_since is not None:
            self.header_bytes += len(data)
            if self.header_bytes > HEADERS_LIMIT_BYTES:
                self.transport.write(HEADERS_TOO_LARGE)
                self.transport.close()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        self.headers_since = self.last_data
        self.header_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """As uvicorn's, for what is served here: no WebSockets, no limit of its own, no prefix of paths."""
        self.headers_since = None
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


class Listener(ServerState):
    """One listening socket and its connections."""

    def __init__(self, config: UvicornConfig, max_connections: int) -> None:
        super().__init__()
        self._config = config
        self._max_connections = max_connections
        self._loop = asyncio.get_running_loop()
        self.server: asyncio.AbstractServer | None = None
        self.default_head = b""

    def set_default_headers(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Send `headers` with each answer."""
        self.default_headers = headers
        self.default_head = b"".join(b"%s: %s\r\n" % each for each in headers)

    def connect(self) -> EdgeProtocol:
        """The protocol of a new connection."""
        protocol = EdgeProtocol(self._config, self, {}, self._loop)
        protocol.max_connections = self._max_connections
        return protocol

    @property
    def open(self) -> list[EdgeProtocol]:
        """The connections that are open."""
        return [connection for connection in self.connections if isinstance(connection, EdgeProtocol)]

    def stop_accepting(self) -> None:
        """Take no new connection."""
        if self.server is not None:
            self.server.close()
            self.server = None

    def abort(self) -> None:
        """End all connections, whatever they are doing."""
        self.stop_accepting()
        for connection in self.open:
            connection.transport.abort()


class HttpServer:
    """Serves ASGI applications on listening sockets. An async context manager: leaving it aborts what is left."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._listeners: set[Listener] = set()
        self._public: list[Listener] = []
        """Those of `listen`: requests that come in, not those that functions make."""
        self._configs: dict[Application, UvicornConfig] = {}
        self._ticker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._ticker = asyncio.create_task(self._tick(), name="http-sweep")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.wait([self._ticker])
        tasks = [task for listener in self._listeners for task in listener.tasks]
        for listener in self._listeners:
            listener.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def listen(self, sock: socket.socket, application: Application) -> None:
        """Serve on a socket that is bound, until this server ends. The server owns `sock` from here on.

        Raises OSError when another process listens on its address.
        """
        listener = self._listener(application, MAX_CONNECTIONS)
        self._public.append(listener)
        listener.server = await asyncio.get_running_loop().create_server(listener.connect, sock=sock, backlog=BACKLOG)

    async def serve_socket(self, sock: socket.socket, application: Application) -> Closer:
        """Serve on a socket that is bound and listens. The server owns `sock` from here on."""
        listener = self._listener(application, MAX_SANDBOX_CONNECTIONS)
        listener.server = await asyncio.get_running_loop().create_server(listener.connect, sock=sock)

        def close() -> None:
            listener.abort()
            self._listeners.discard(listener)

        return close

    def stop_accepting(self) -> None:
        """Take no new connection on what `listen` serves, end the idle ones there, the others after their answer."""
        for listener in self._public:
            listener.stop_accepting()
            for connection in listener.open:
                connection.shutdown()

    async def drain(self) -> None:
        """Wait until every request to what `listen` serves has its answer. Cancel to stop waiting."""
        while tasks := [task for listener in self._public for task in listener.tasks]:
            await asyncio.wait(tasks)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return sum(len(listener.connections) for listener in self._listeners)

    @property
    def running(self) -> int:
        """How many requests are being answered."""
        return sum(len(listener.tasks) for listener in self._listeners)

    def _listener(self, application: Application, max_connections: int) -> Listener:
        if application not in self._configs:
            self._configs[application] = _uvicorn_config(application)
        listener = Listener(self._configs[application], max_connections)
        listener.set_default_headers(self._default_headers())
        self._listeners.add(listener)
        return listener

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_INTERVAL_S)
            self.sweep(asyncio.get_running_loop().time())

    def sweep(self, now: float) -> None:
        """Close the connections that overstay at the loop's time `now`, and renew the Date header."""
        default_headers = self._default_headers()
        for listener in self._listeners:
            listener.set_default_headers(default_headers)
            for connection in listener.open:
                if connection.overstays(now):
                    connection.transport.abort()

    def _default_headers(self) -> list[tuple[bytes, bytes]]:
        # The host's time, not the platform's: SDKs correct their clock for signing by this header.
        return [(b"date", formatdate(self._clock.wall(), usegmt=True).encode())]


def _uvicorn_config(application: Application) -> UvicornConfig:
    config = UvicornConfig(
        application,
        http=EdgeProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        interface="asgi3",
    )
    config.load()
    return config
