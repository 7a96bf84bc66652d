"""The Lambda Runtime API (2018-06-01) of one sandbox: what its runtime asks for events and gives answers to.

It is on every invocation's path, so it is an `asyncio.Protocol` over `httptools` and nothing more. One runtime goes
through these states; a call that does not fit is refused as AWS refuses it:

    STARTED --next--> READY --deliver--> RUNNING --response or error--> ANSWERED --next--> READY ...
       \\--init/error--> INIT_ERROR

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import asyncio
import base64
import binascii
import socket
from collections.abc import Callable
from typing import Final, Protocol, cast

import httptools
import orjson

from cloudlet.compute.reports import MAX_RESPONSE_BYTES

STARTED: Final = "Started"
READY: Final = "Ready"
RUNNING: Final = "Running"
ANSWERED: Final = "RuntimeResponseSentState"
INIT_ERROR: Final = "InitError"

MAX_HEADER_BYTES: Final = 2 * 1024 * 1024
"""Of one request. The official clients send up to 1 MB of error cause in a header."""

_NEXT: Final = b"/2018-06-01/runtime/invocation/next"
_NEXT_REQUEST: Final = b"GET " + _NEXT + b" HTTP/1.1\r\n"
_INIT_ERROR: Final = b"/2018-06-01/runtime/init/error"
_INVOCATION: Final = b"/2018-06-01/runtime/invocation/"
_PING: Final = b"/2018-06-01/ping"
_RESPONSE: Final = b"/response"
_ERROR: Final = b"/error"
_ERROR_CAUSE_TYPE: Final = b"application/vnd.aws.lambda.error.cause+json"
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


def _answer(status: str, body: bytes, content_type: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _error(status: str, error_type: str, message: str) -> bytes:
    return _answer(status, orjson.dumps({"errorMessage": message, "errorType": error_type}) + b"\n")


_ACCEPTED: Final = _answer("202 Accepted", b'{"status":"OK"}\n')
_INVALID_REQUEST_ID: Final = _error("400 Bad Request", "InvalidRequestID", "Invalid request ID")
_INVALID_MODE: Final = _error("400 Bad Request", "InvalidFunctionResponseMode", "Invalid function response mode")
_MODE_ERROR: Final = orjson.dumps({"errorType": "Runtime.InvalidResponseModeHeader", "errorMessage": ""})
_TOO_LARGE: Final = _error(
    "413 Request Entity Too Large",
    "RequestEntityTooLarge",
    f"Exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes).",
)
_PONG: Final = _answer("200 OK", b"pong", "text/plain; charset=utf-8")
_NOT_FOUND: Final = _answer("404 Not Found", b"404 page not found\n", "text/plain; charset=utf-8")
_NOT_ALLOWED: Final = b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n"
_BAD_REQUEST: Final = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


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


class RuntimeApi:
    """Serves one sandbox's runtime, and hands it one invocation after the other."""

    __slots__ = ("_connections", "_event", "_events", "_on_disconnected", "_polling", "_server", "request_id", "state")

    def __init__(self, events: RuntimeEvents, on_disconnected: Callable[[], None]) -> None:
        """`on_disconnected` is called when the last open connection has gone: all that it sent has been seen."""
        self._events = events
        self._on_disconnected = on_disconnected
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._polling: _Connection | None = None
        self._event = b""
        self.request_id = ""
        self.state: str = STARTED

    @property
    def is_connected(self) -> bool:
        """True while the runtime has a connection open."""
        return bool(self._connections)

    async def serve(self, listening: socket.socket) -> None:
        """Answer on `listening`, which only this sandbox can reach, until `close`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), sock=listening)

    def deliver(self, request_id: str, event: bytes) -> None:
        """Give the runtime an invocation. `event` is the whole HTTP answer (see `invocation_event`)."""
        assert self.state == READY, f"runtime is {self.state}"
        self.state = RUNNING
        self.request_id = request_id
        self._event = event
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

    def next(self, connection: "_Connection") -> None:
        """GET /runtime/invocation/next"""
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

    def answered(
        self,
        connection: "_Connection",
        request_id: str,
        payload: bytes | None,
        is_error: bool,
        reply: bytes = _ACCEPTED,
    ) -> None:
        """POST /runtime/invocation/{id}/response and /error. `payload` is None when it was too large."""
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
            connection.answer(reply)
            self._events.runtime_answered(payload, is_error)

    def init_failed(self, connection: "_Connection", payload: bytes, error_type: str) -> None:
        """POST /runtime/init/error"""
        if self.state != STARTED:
            connection.answer(self._refusal(INIT_ERROR))
            return
        self.state = INIT_ERROR
        connection.answer(_ACCEPTED)
        self._events.runtime_init_failed(payload, error_type)

    def connected(self, connection: "_Connection") -> None:
        """A connection was made."""
        self._connections.add(connection)

    def disconnected(self, connection: "_Connection") -> None:
        """A connection ended."""
        self._connections.discard(connection)
        if self._polling is connection:
            self._polling = None
        if not self._connections:
            self._on_disconnected()

    def _refusal(self, wanted: str) -> bytes:
        text = (
            f"State transition from {self.state} to {wanted} failed for runtime. Error: State transition is not allowed"
        )
        return _error("403 Forbidden", "InvalidStateTransition", text)


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


class _Connection(asyncio.Protocol):
    """One connection of a runtime. Each request is handled once it is whole."""

    __slots__ = (
        "_api",
        "_body",
        "_content_type",
        "_error_body",
        "_error_type",
        "_header_bytes",
        "_is_between",
        "_is_expecting",
        "_is_in_head",
        "_is_last",
        "_is_too_large",
        "_mode",
        "_parser",
        "_transport",
        "_url",
    )

    def __init__(self, api: RuntimeApi) -> None:
        self._api = api
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self.on_message_begin()
        self._is_between = True
        self._is_last = False
        """True once the runtime has said that it will not use this connection again."""

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._api.connected(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        self._transport = None
        self._api.disconnected(self)

    def data_received(self, data: bytes) -> None:
        if self._is_between and data.startswith(_NEXT_REQUEST) and _is_plain(data):
            # Every second request is this one, whole and in one piece: the parser would say the same of it.
            self._api.next(self)
            return
        try:
            if self._is_in_head:
                self._count(len(data))
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if self._transport is not None:
                self._transport.write(_BAD_REQUEST)
                self._transport.close()

    def answer(self, message: bytes) -> None:
        """Send an answer, unless the runtime has hung up."""
        if self._transport is not None:
            self._transport.write(message)
            if self._is_last:
                self._transport.close()

    def abort(self) -> None:
        """Hang up at once."""
        if self._transport is not None:
            self._transport.abort()

    # -- httptools

    def on_message_begin(self) -> None:
        self._url = b""
        self._body: bytes | bytearray = b""
        self._content_type = b""
        self._error_type = b""
        self._error_body = b""
        self._mode = b""
        self._header_bytes = 0
        self._is_in_head = True
        self._is_between = False
        self._is_expecting = False
        self._is_too_large = False

    def on_url(self, url: bytes) -> None:
        self._url = self._url + url if self._url else url

    def on_header(self, name: bytes, value: bytes | None) -> None:
        # Called for trailers too. Only few names matter, told apart by their length first.
        length = len(name)
        value = value or b""
        if not self._is_in_head:
            self._count(length + len(value))
        if length == 6:
            self._is_expecting = self._is_expecting or name.lower() == b"expect"
        elif length == 12:
            if name.lower() == b"content-type":
                self._content_type = value
        elif length == 34:
            name = name.lower()
            if name == b"lambda-runtime-function-error-type":
                self._error_type = value
            elif name == b"lambda-runtime-function-error-body":
                self._error_body = value
        elif length == 37 and name.lower() == b"lambda-runtime-function-response-mode":
            self._mode = value

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        if self._is_expecting and self._transport is not None:
            self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        if self._is_too_large:
            return
        if not self._body:
            self._body = body
        else:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += body
        if len(self._body) > MAX_RESPONSE_BYTES:
            self._is_too_large = True
            self._body = b""

    def on_message_complete(self) -> None:
        self._is_between = True
        self._is_last = not self._parser.should_keep_alive()
        url = self._url
        if url == _NEXT:
            if self._parser.get_method() == b"GET":
                self._api.next(self)
            else:
                self.answer(_NOT_ALLOWED)
        elif url.startswith(_INVOCATION) and url.endswith((_RESPONSE, _ERROR)):
            self._on_answer(url)
        elif url == _INIT_ERROR:
            self._on_init_error()
        elif url == _PING:
            self.answer(_PONG)
        else:
            self.answer(_NOT_FOUND)

    def _on_answer(self, url: bytes) -> None:
        if self._parser.get_method() != b"POST":
            self.answer(_NOT_ALLOWED)
            return
        is_error = url.endswith(_ERROR)
        request_id = url[len(_INVOCATION) : url.rindex(b"/")].decode("latin-1")
        if self._mode and self._mode.lower() != b"streaming" and not is_error:
            self._api.answered(self, request_id, _MODE_ERROR, True, _INVALID_MODE)
            return
        payload = None if self._is_too_large else bytes(self._body)
        if is_error:
            if payload is not None and self._content_type == _ERROR_CAUSE_TYPE:
                payload = _without_cause(payload)
        elif self._error_type:
            # A stream that broke off: the trailers say how.
            is_error, payload = True, _trailing_error(self._error_type, self._error_body)
        self._api.answered(self, request_id, payload, is_error)

    def _on_init_error(self) -> None:
        if self._parser.get_method() != b"POST":
            self.answer(_NOT_ALLOWED)
            return
        self._api.init_failed(self, bytes(self._body), self._error_type.decode("latin-1"))

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > MAX_HEADER_BYTES:
            raise httptools.HttpParserError("headers too large")


def _is_plain(request: bytes) -> bool:
    """True when `request` is one whole request without a body, and says nothing about its connection."""
    if request.find(b"\r\n\r\n") != len(request) - 4:
        return False
    lower = request.lower()
    return b"connection:" not in lower and b"content-" not in lower and b"transfer-" not in lower


def _without_cause(payload: bytes) -> bytes:
    """The part for the caller of an error that was posted with its cause for X-Ray."""
    try:
        error = orjson.loads(payload)
        return orjson.dumps(
            {name: error[name] for name in ("errorMessage", "errorType", "stackTrace") if name in error}
        )
    except (orjson.JSONDecodeError, TypeError):
        return b'"Invalid error body"'


def _trailing_error(error_type: bytes, error_body: bytes) -> bytes:
    try:
        return base64.b64decode(error_body, validate=True)
    except binascii.Error:
        return orjson.dumps({"errorType": error_type.decode("latin-1"), "errorMessage": ""})
