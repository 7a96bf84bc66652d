"""HTTP as the endpoints inside a sandbox speak it: one request, and answers made of bytes."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from cloudlet.compute.extension import Refused


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A whole request of an extension."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Those whose names begin with `lambda-extension-`, in lower case."""
    body: bytes


def answer(status: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """A whole answer. `status` is `200 OK`; `headers` must be free of line breaks."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def refusal(error: Refused) -> bytes:
    """A refused call, as AWS's own server words it."""
    body = orjson.dumps({"errorMessage": error.message, "errorType": error.error_type}) + b"\n"
    return answer(error.status, body)


NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 19\r\n\r\n404 page not found\n"
NOT_ALLOWED = b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n"
ACCEPTED = answer("202 Accepted", b'{"status":"OK"}\n')
SUBSCRIBED = answer("200 OK", b'"OK"')
