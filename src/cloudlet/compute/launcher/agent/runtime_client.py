"""The transport of AWS's Python runtime client, in Python on one plain socket.

awslambdaric brings a C extension on libcurl for these three calls. This module has the same functions and takes its
place in the zygote; all the rest of the official client (handlers, events, errors, logs) stays as it is. It is faster
because it does less: no curl handle is set up per request, and an answer goes out together with the question for the
next event, so that an invocation costs the sandbox one write and one read.

    next()                     POST of the last answer, if one waits here + GET next  ->  (event, headers)
    post_invocation_result()   kept for `next`, which the client calls at once; a large one is sent now
    post_error()               the same, for an error

A connection belongs to the process that made it; nothing is open until the first `next`.
"""

from __future__ import annotations

import os
import socket
from typing import Any, Dict, List, Tuple

_BASE = "/2018-06-01/runtime/invocation/"
_KEPT_BYTES = 256 * 1024
"""A larger answer is sent at once, and what becomes of it waited for."""
_READ_BYTES = 64 * 1024
_MAX_HEAD_BYTES = 4 * 1024 * 1024
_HEAD_END = b"\r\n\r\n"
_DEADLINE = "Lambda-Runtime-Deadline-Ms"

_agent = ""
_connection: _Connection | None = None
_kept: List[bytes] = []


class _Connection:
    """A connection to the Runtime API, which is kept open."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.host = address
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def send(self, parts: List[bytes]) -> None:
        """Send all of `parts`, in one piece unless they are long."""
        if sum(map(len, parts)) <= _KEPT_BYTES:
            self._socket.sendall(b"".join(parts))
            return
        for part in parts:
            self._socket.sendall(part)

    def receive(self) -> Tuple[int, Dict[str, str], bytes]:
        """An answer: status, headers by the names that the node writes, body. Raises OSError when the node hung up."""
        data = self._rest
        end = data.find(_HEAD_END)
        while end < 0:
            more = self._socket.recv(_READ_BYTES)
            if not more or len(data) > _MAX_HEAD_BYTES:
                raise ConnectionError("the Runtime API hung up")
            start = max(0, len(data) - 3)
            data += more
            end = data.find(_HEAD_END, start)
        status, headers = _parsed(data[:end])
        length = int(headers.get("Content-Length", "0"))
        body_start = end + len(_HEAD_END)
        body_end = body_start + length
        if len(data) >= body_end:
            self._rest = data[body_end:]
            return status, headers, data[body_start:body_end]
        self._rest = b""
        return status, headers, self._body(data[body_start:], length)

    def _body(self, begun: bytes, length: int) -> bytes:
        body = bytearray(length)
        body[: len(begun)] = begun
        view = memoryview(body)
        position = len(begun)
        while position < length:
            count = self._socket.recv_into(view[position:])
            if not count:
                raise ConnectionError("the Runtime API hung up")
            position += count
        return bytes(body)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def _parsed(head: bytes) -> Tuple[int, Dict[str, str]]:
    lines = head.decode("utf-8").split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name] = value.strip()
    return int(lines[0].split(" ", 2)[1]), headers


def initialize_client(user_agent: str) -> None:
    """Called once, with how the client calls itself."""
    global _agent
    _agent = user_agent


def next() -> Tuple[bytes, Dict[str, Any]]:
    """Wait for the next event: it, and its headers, the deadline as a number.

    Raises RuntimeError when the node refuses or hangs up.
    """
    kept, _kept[:] = list(_kept), []
    try:
        connection = _connected()
        request = f"GET {_BASE}next HTTP/1.1\r\nHost: {connection.host}\r\nUser-Agent: {_agent}\r\n\r\n"
        connection.send([*kept, request.encode()])
        if kept:
            _check_taken(connection.receive())
        status, headers, body = connection.receive()
    except OSError as error:
        _hang_up()
        raise RuntimeError(f"Failed to get next: {error}") from error
    if status != 200:
        _hang_up()
        raise RuntimeError(f"Failed to get next. Response code: {status}")
    event_headers: Dict[str, Any] = {**headers, _DEADLINE: int(headers[_DEADLINE])}
    return body, event_headers


def post_invocation_result(
    invoke_id: str,
    result_data: bytes,
    content_type: str = "application/json",
    invocation_id: str | None = None,
) -> None:
    """Give the answer to an event."""
    _post(f"{invoke_id}/response", result_data, content_type, _invocation(invocation_id))


def post_error(
    invoke_id: str, error_response_data: str, xray_fault: str = "", invocation_id: str | None = None
) -> None:
    """Give the error that came of an event, with its cause for X-Ray."""
    headers = _invocation(invocation_id)
    if xray_fault and xray_fault.isprintable():
        cause = xray_fault.encode("utf-8").decode("latin-1")
        headers += f"Lambda-Runtime-Function-XRay-Error-Cause: {cause}\r\n"
    _post(f"{invoke_id}/error", error_response_data.encode("utf-8"), "application/json", headers)


def _invocation(invocation_id: str | None) -> str:
    return f"Lambda-Runtime-Invocation-Id: {invocation_id}\r\n" if invocation_id else ""


def _post(path: str, body: bytes, content_type: str, headers: str) -> None:
    connection = _connected()
    head = (
        f"POST {_BASE}{path} HTTP/1.1\r\nHost: {connection.host}\r\nUser-Agent: {_agent}\r\n"
        f"Content-Type: {content_type}\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    )
    parts = [head.encode("latin-1"), bytes(body)]
    if len(body) <= _KEPT_BYTES:
        _kept.extend(parts)
        return
    try:
        connection.send(parts)
        _check_taken(connection.receive())
    except OSError as error:
        _hang_up()
        raise RuntimeError(f"Failed to post invocation response: {error}") from error


def _check_taken(answer: Tuple[int, Dict[str, str], bytes]) -> None:
    status = answer[0]
    if not 200 <= status < 300:
        raise RuntimeError(f"Failed to post invocation response. Response code: {status}")


def _connected() -> _Connection:
    global _connection
    if _connection is None:
        _connection = _Connection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    return _connection


def _hang_up() -> None:
    global _connection
    connection, _connection = _connection, None
    if connection is not None:
        connection.close()
