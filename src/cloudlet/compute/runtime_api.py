"""The state of one sandbox's runtime: it asks for events, and gives answers (Lambda Runtime API, 2018-06-01).

A runtime goes through these states; a call that does not fit is refused as AWS refuses it:

    STARTED --next--> READY --deliver--> RUNNING --response or error--> ANSWERED --next--> READY ...
       \\--init/error--> INIT_ERROR

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final, Protocol

from cloudlet.compute.api_messages import ApiRequest
from cloudlet.compute.extension import Poller
from cloudlet.compute.reports import MAX_RESPONSE_BYTES
from cloudlet.compute.response_stream import ResponseStream
from cloudlet.compute.runtime_connection import RuntimeConnection, answer, error_answer

STARTED: Final = "Started"
READY: Final = "Ready"
RUNNING: Final = "Running"
ANSWERED: Final = "RuntimeResponseSentState"
INIT_ERROR: Final = "InitError"

MAX_CONNECTIONS: Final = 256
"""Of one sandbox: its runtime, its extensions, and what they may have left open. Those beyond are closed at once."""
MAX_HELD_BYTES: Final = 4 * MAX_RESPONSE_BYTES
"""What the requests of one sandbox may take of the node's memory while they are not whole."""

_ACCEPTED: Final = answer("202 Accepted", b'{"status":"OK"}\n')
_INVALID_REQUEST_ID: Final = error_answer("400 Bad Request", "InvalidRequestID", "Invalid request ID")
_TOO_LARGE: Final = error_answer(
    "413 Request Entity Too Large",
    "RequestEntityTooLarge",
    f"Exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes).",
)


class RuntimeEvents(Protocol):
    """Who is told what the runtime does. Called from the event loop; must not raise."""

    def runtime_ready(self) -> None:
        """The runtime waits for an invocation: its init phase or its last invocation is over."""

    def runtime_answered(self, payload: bytes, is_error: bool) -> None:
        """The runtime gave the result of the invocation that it was handed."""

    def runtime_answer_too_large(self) -> None:
        """The result was over the limit, and has been refused."""

    def runtime_init_failed(self, payload: bytes, error_type: str) -> None:
        """The runtime could not initialise the function."""

    def extension_calls(self, request: ApiRequest, poller: Poller) -> None:
        """A call of the Extensions, Telemetry or Logs API; answered by `poller.answer`, at once or later."""


class RuntimeApi:
    """Serves one sandbox's runtime, and hands it one invocation after the other."""

    __slots__ = (
        "_connections",
        "_event",
        "_events",
        "_on_disconnected",
        "_polling",
        "_server",
        "_stream",
        "request_id",
        "state",
    )

    def __init__(self, events: RuntimeEvents, on_disconnected: Callable[[], None]) -> None:
        """`on_disconnected` is called when the last open connection has gone: all that it sent has been seen."""
        self._events = events
        self._on_disconnected = on_disconnected
        self._server: asyncio.Server | None = None
        self._connections: set[RuntimeConnection] = set()
        self._polling: RuntimeConnection | None = None
        self._event = b""
        self._stream: ResponseStream | None = None
        self.request_id = ""
        self.state: str = STARTED

    @property
    def is_connected(self) -> bool:
        """True while the runtime has a connection open."""
        return any(not connection.is_beside for connection in self._connections)

    async def serve(self, listening: socket.socket) -> None:
        """Answer on `listening`, which only this sandbox can reach, until `close`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: RuntimeConnection(self), sock=listening)

    def deliver(self, request_id: str, event: bytes, stream: ResponseStream | None = None) -> None:
        """Give the runtime an invocation. `event` is the whole HTTP answer (see `invocation_event`).

        A response that the runtime streams goes to `stream` as it comes; without one it is gathered.
        """
        assert self.state == READY, f"runtime is {self.state}"
        self.state = RUNNING
        self.request_id = request_id
        self._event = event
        self._stream = stream
        if self._polling is not None:
            self._polling.answer(event)
            self._polling = None

    def close(self) -> None:
        """Hang up. May be called twice."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self._connections):
            connection.abort()

    def next(self, connection: RuntimeConnection) -> None:
        state = self.state
        if state == RUNNING:
            # Asked again without an answer, or on a new connection after the old one broke: the same event.
            connection.answer(self._event)
            return
        if state == INIT_ERROR:
            connection.answer(self._refusal(READY))
            return
        self._polling = connection
        if state != READY:
            self.state = READY
            self._event = b""
            self._events.runtime_ready()

    def stream(self, connection: RuntimeConnection, request_id: str, content_type: str) -> ResponseStream | None:
        stream = self._stream
        if stream is None or stream.has_begun or self.state != RUNNING or request_id != self.request_id:
            return None
        stream.begin(connection, content_type)
        return stream

    def answered(
        self,
        connection: RuntimeConnection,
        request_id: str,
        payload: bytes | None,
        is_error: bool,
        reply: bytes | None = None,
    ) -> None:
        if request_id != self.request_id:
            connection.answer(_INVALID_REQUEST_ID)
        elif self.state != RUNNING:
            connection.answer(self._refusal("InvocationErrorResponse" if is_error else "InvocationResponse"))
        elif payload is None:
            self.state = ANSWERED
            connection.answer(_TOO_LARGE)
            self._events.runtime_answer_too_large()
        else:
            self.state = ANSWERED
            connection.answer(reply or _ACCEPTED)
            self._events.runtime_answered(payload, is_error)

    def init_failed(self, connection: RuntimeConnection, payload: bytes, error_type: str) -> None:
        if self.state != STARTED:
            connection.answer(self._refusal(INIT_ERROR))
            return
        self.state = INIT_ERROR
        connection.answer(_ACCEPTED)
        self._events.runtime_init_failed(payload, error_type)

    # -- RuntimeRequests

    def beside(self, connection: RuntimeConnection, request: ApiRequest) -> None:
        self._events.extension_calls(request, connection)

    def has_room(self) -> bool:
        return sum(connection.held_bytes for connection in self._connections) <= MAX_HELD_BYTES

    def waits(self, connection: RuntimeConnection) -> bool:
        return self._polling is connection

    def connected(self, connection: RuntimeConnection) -> None:
        self._connections.add(connection)
        if len(self._connections) > MAX_CONNECTIONS:
            connection.abort()

    def disconnected(self, connection: RuntimeConnection) -> None:
        self._connections.discard(connection)
        if self._polling is connection:
            self._polling = None
        if not self.is_connected:
            self._on_disconnected()

    def _refusal(self, wanted: str) -> bytes:
        text = (
            f"State transition from {self.state} to {wanted} failed for runtime. Error: State transition is not allowed"
        )
        return error_answer("403 Forbidden", "InvalidStateTransition", text)


def invocation_event(
    request_id: str,
    payload: bytes,
    deadline_ms: int,
    function_arn: str,
    trace_id: str = "",
    client_context: str = "",
    cognito_identity: str = "",
) -> bytes:
    """The answer to a `next` that hands over an invocation. `deadline_ms`: since the epoch, on the host's clock."""
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: {request_id}\r\n"
        f"Lambda-Runtime-Deadline-Ms: {deadline_ms}\r\nLambda-Runtime-Invoked-Function-Arn: {_header(function_arn)}\r\n"
    )
    if trace_id:
        head += f"Lambda-Runtime-Trace-Id: {_header(trace_id)}\r\n"
    if client_context:
        head += f"Lambda-Runtime-Client-Context: {_header(client_context)}\r\n"
    if cognito_identity:
        head += f"Lambda-Runtime-Cognito-Identity: {_header(cognito_identity)}\r\n"
    return f"{head}Content-Length: {len(payload)}\r\n\r\n".encode() + payload


def _header(value: str) -> str:
    """`value` as it may stand in a header. JSON may hold line breaks between its parts, which mean nothing there."""
    if value.isprintable():
        return value
    return "".join(character if character.isprintable() else " " for character in value)
