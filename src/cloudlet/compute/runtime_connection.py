"""One connection of a runtime: HTTP of the Lambda Runtime API, told to whoever keeps the runtime's state.

It is on every invocation's path, so it is an `asyncio.Protocol` over `httptools` and nothing more. Each request is
handled once it is whole. Answers that come while a read is handled go out together; and while the runtime already waits
for its next event (our Python client sends an answer and the next question in one piece), they go out with that event:
an invocation costs one read and one write.
"""

import asyncio
from typing import Final, Protocol, cast

import httptools
import orjson

from cloudlet.compute.api_messages import ApiRequest
from cloudlet.compute.posted_errors import trailing_error, without_cause
from cloudlet.compute.reports import MAX_RESPONSE_BYTES
from cloudlet.compute.response_stream import ResponseStream

MAX_HEADER_BYTES: Final = 2 * 1024 * 1024
"""Of one request. The official clients send up to 1 MB of error cause in a header."""
MAX_PIPELINED: Final = 16
"""Answers that may wait for one read to end. No client sends more than an answer and the next question together."""
LARGE_BYTES: Final = 64 * 1024
"""Requests and answers of less are not worth to be counted."""
_MAX_EXTENSION_HEADERS: Final = 16

_NEXT: Final = b"/2018-06-01/runtime/invocation/next"
_NEXT_REQUEST: Final = b"GET " + _NEXT + b" HTTP/1.1\r\n"
_INIT_ERROR: Final = b"/2018-06-01/runtime/init/error"
_INVOCATION: Final = b"/2018-06-01/runtime/invocation/"
_PING: Final = b"/2018-06-01/ping"
_BESIDE: Final = (
    b"/2020-01-01/extension/",
    b"/2022-07-01/telemetry",
    b"/2020-08-15/logs",
    b"/2021-04-23/credentials",
    b"/2018-06-01/runtime/restore/",
)
_RESPONSE: Final = b"/response"
_ERROR: Final = b"/error"
_ERROR_CAUSE_TYPE: Final = b"application/vnd.aws.lambda.error.cause+json"
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


def answer(status: str, body: bytes, content_type: str = "application/json") -> bytes:
    """A whole HTTP answer."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def error_answer(status: str, error_type: str, message: str) -> bytes:
    """A whole HTTP answer that says what is wrong with a request."""
    return answer(status, orjson.dumps({"errorMessage": message, "errorType": error_type}) + b"\n")


_INVALID_MODE: Final = error_answer("400 Bad Request", "InvalidFunctionResponseMode", "Invalid function response mode")
_MODE_ERROR: Final = orjson.dumps({"errorType": "Runtime.InvalidResponseModeHeader", "errorMessage": ""})
_PONG: Final = answer("200 OK", b"pong", "text/plain; charset=utf-8")
_NOT_FOUND: Final = answer("404 Not Found", b"404 page not found\n", "text/plain; charset=utf-8")
_NOT_ALLOWED: Final = b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n"
_BAD_REQUEST: Final = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class RuntimeRequests(Protocol):
    """Who keeps a runtime's state. Each request is answered by `connection.answer`, at once or later."""

    def connected(self, connection: "RuntimeConnection") -> None:
        """A connection was made."""

    def disconnected(self, connection: "RuntimeConnection") -> None:
        """A connection ended."""

    def waits(self, connection: "RuntimeConnection") -> bool:
        """True while the runtime waits on this connection for its next event."""

    def next(self, connection: "RuntimeConnection") -> None:
        """GET /runtime/invocation/next"""

    def stream(self, connection: "RuntimeConnection", request_id: str, content_type: str) -> ResponseStream | None:
        """A response begins that the runtime streams: where its bytes go, None to gather them."""

    def answered(
        self,
        connection: "RuntimeConnection",
        request_id: str,
        payload: bytes | None,
        is_error: bool,
        reply: bytes | None = None,
    ) -> None:
        """POST /runtime/invocation/{id}/response and /error. `payload` is None when it was too large; `reply` is what
        the runtime is told where that is not the usual."""

    def init_failed(self, connection: "RuntimeConnection", payload: bytes, error_type: str) -> None:
        """POST /runtime/init/error"""

    def has_room(self) -> bool:
        """False when the requests of a sandbox that are not whole yet take too much memory together."""

    def beside(self, connection: "RuntimeConnection", request: ApiRequest) -> None:
        """A call of the Extensions, Telemetry or Logs API, or of SnapStart."""


class RuntimeConnection(asyncio.Protocol):
    """One connection."""

    __slots__ = (
        "_api",
        "_body",
        "_content_type",
        "_error_body",
        "_error_type",
        "_extension_headers",
        "_header_bytes",
        "_is_between",
        "_is_expecting",
        "_is_held_up",
        "_is_in_head",
        "_is_last",
        "_is_reading",
        "_is_stream_full",
        "_is_too_large",
        "_mode",
        "_out",
        "_parser",
        "_stream",
        "_transport",
        "_url",
        "is_beside",
    )

    def __init__(self, api: RuntimeRequests) -> None:
        self._api = api
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        """Answers that have not been sent yet."""
        self._extension_headers: dict[str, str] = {}
        self.on_message_begin()
        self._is_between = True
        self._is_last = False
        """True once the runtime has said that it will not use this connection again."""
        self._is_reading = False
        self._is_held_up = False
        """True while the other end does not read what it was answered: nothing more is taken from it then."""
        self._is_stream_full = False
        """True while the reader of a streamed response is slower than the function."""
        self.is_beside = False
        """True once it was an extension's: then it says nothing of the runtime."""

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._api.connected(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        self._transport = None
        self._api.disconnected(self)

    def data_received(self, data: bytes) -> None:
        self._is_reading = True
        try:
            if self._is_between and data.startswith(_NEXT_REQUEST) and _is_plain(data):
                # A whole `next` in one piece: the parser would say the same of it.
                self._api.next(self)
            else:
                if self._is_in_head:
                    self._count(len(data))
                self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._out.append(_BAD_REQUEST)
            self._is_last = True
        self._is_reading = False
        if self._out and (self._is_last or not self._api.waits(self)):
            self._send()

    def answer(self, message: bytes) -> None:
        """Send an answer, unless the runtime has hung up."""
        self._out.append(message)
        if not self._is_reading:
            self._send()

    def _send(self) -> None:
        out, self._out = self._out, []
        if self._transport is not None:
            if len(out) == 1 or len(out[-1]) > LARGE_BYTES:  # an event is not copied for each connection that asks
                for message in out:
                    self._transport.write(message)
            else:
                self._transport.write(b"".join(out))
            if self._is_last:
                self._transport.close()

    @property
    def is_open(self) -> bool:
        """False once the other end has hung up."""
        return self._transport is not None

    @property
    def held_bytes(self) -> int:
        """What it keeps of the request that comes in."""
        return self._header_bytes + len(self._body)

    def pause_writing(self) -> None:
        self._is_held_up = True
        self._go_on_or_wait()

    def resume_writing(self) -> None:
        self._is_held_up = False
        self._go_on_or_wait()

    def pause_reading(self) -> None:
        """Take nothing more from the runtime for now."""
        self._is_stream_full = True
        self._go_on_or_wait()

    def resume_reading(self) -> None:
        """Go on."""
        self._is_stream_full = False
        self._go_on_or_wait()

    def _go_on_or_wait(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._is_held_up or self._is_stream_full:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def abort(self) -> None:
        """Hang up at once."""
        if self._transport is not None:
            self._transport.abort()

    # -- httptools

    def on_message_begin(self) -> None:
        if self._out and (len(self._out) >= MAX_PIPELINED or len(self._out[-1]) > LARGE_BYTES):
            raise httptools.HttpParserError("too many requests without a look at their answers")
        if self._extension_headers:
            self._extension_headers = {}
        self._url = b""
        self._body: bytes | bytearray = b""
        self._content_type = b""
        self._error_type = b""
        self._error_body = b""
        self._mode = b""
        self._stream: ResponseStream | None = None
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
        elif (
            length > 20
            and name[:17].lower() == b"lambda-extension-"
            and len(self._extension_headers) < _MAX_EXTENSION_HEADERS
        ):
            self._extension_headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        if self._is_expecting:
            self._out.append(_CONTINUE)
        if self._mode and self._mode.lower() == b"streaming":
            url = self._url
            if url.startswith(_INVOCATION) and url.endswith(_RESPONSE) and self._parser.get_method() == b"POST":
                request_id = url[len(_INVOCATION) : -len(_RESPONSE)].decode("latin-1")
                self._stream = self._api.stream(self, request_id, self._content_type.decode("latin-1"))

    def on_body(self, body: bytes) -> None:
        if self._is_too_large:
            return
        if self._stream is not None:
            self._is_too_large = not self._stream.write(body)
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
        elif len(self._body) > LARGE_BYTES:
            self._require_room()

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
        elif url.startswith(_BESIDE):
            self._on_beside(url)
        else:
            self.answer(_NOT_FOUND)
        self._body = b""

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
                payload = without_cause(payload)
        elif self._error_type:
            # A stream that broke off: the trailers say how.
            is_error, payload = True, trailing_error(self._error_type, self._error_body)
        self._api.answered(self, request_id, payload, is_error)

    def _on_init_error(self) -> None:
        if self._parser.get_method() != b"POST":
            self.answer(_NOT_ALLOWED)
            return
        self._api.init_failed(self, bytes(self._body), self._error_type.decode("latin-1"))

    def _on_beside(self, url: bytes) -> None:
        self.is_beside = True
        headers, self._extension_headers = self._extension_headers, {}
        method = self._parser.get_method().decode("latin-1")
        path = url.partition(b"?")[0].decode("latin-1")
        self._api.beside(self, ApiRequest(method, path, headers, bytes(self._body)))

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > MAX_HEADER_BYTES:
            raise httptools.HttpParserError("headers too large")
        if self._header_bytes > LARGE_BYTES:
            self._require_room()

    def _require_room(self) -> None:
        if not self._api.has_room():
            self._body = b""
            raise httptools.HttpParserError("too many requests at once")


def _is_plain(request: bytes) -> bool:
    """True when `request` is one whole request without a body, and says nothing about its connection."""
    if request.find(b"\r\n\r\n") != len(request) - 4:
        return False
    lower = request.lower()
    return b"connection:" not in lower and b"content-" not in lower and b"transfer-" not in lower
