"""Listening sockets and connections: uvicorn's HTTP protocol, with limits, on as many sockets as there are sandboxes.

uvicorn's own `Server` serves one set of sockets and handles signals; a node adds and removes a listening socket with
each sandbox, so `gateway.connection` keeps uvicorn's protocol (httptools), and this module brings the loop around it:
one sweep watches all connections, instead of timers for each request.
"""

import asyncio
import socket
from collections.abc import Callable
from email.utils import formatdate
from typing import Self

from uvicorn.config import Config as UvicornConfig
from uvicorn.server import ServerState

from cloudlet.clock import Clock
from cloudlet.gateway.connection import Application, EdgeProtocol

Closer = Callable[[], None]
"""Ends a listening socket and its connections; may be called twice."""

MAX_CONNECTIONS = 8192
"""Connections of one address; those beyond are closed at once."""
MAX_SANDBOX_CONNECTIONS = 256
"""Connections that one sandbox may hold to the platform's endpoint."""
BACKLOG = 2048
SWEEP_INTERVAL_S = 1.0


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
        try:
            listener.server = await asyncio.get_running_loop().create_server(listener.connect, sock=sock)
        except BaseException:
            self._listeners.discard(listener)
            sock.close()
            raise

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
