import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from cloudlet.clock import PlatformClock
from cloudlet.gateway import connection as limits
from cloudlet.gateway import server as listening
from cloudlet.gateway.connection import Message, Receive, Send
from cloudlet.gateway.server import HttpServer

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


async def hello(scope: Message, _receive: Receive, send: Send) -> None:
    body = scope["raw_path"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def echo(_scope: Message, receive: Receive, send: Send) -> None:
    message = await receive()
    body = message.get("body", b"")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


def bound() -> socket.socket:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


@asynccontextmanager
async def serving(application: limits.Application) -> AsyncIterator[tuple[HttpServer, int]]:
    sock = bound()
    async with HttpServer(PlatformClock()) as server:
        await server.listen(sock, application)
        yield server, sock.getsockname()[1]


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body of the next answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
    return int(head.split()[1]), await reader.readexactly(length)


async def ended(reader: asyncio.StreamReader) -> None:
    """Hold that the server has closed the connection without another byte."""
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_connection_serves_one_request_after_another() -> None:
    async with serving(hello) as (_, port), connection(port) as (reader, writer):
        for path in (b"/one", b"/two"):
            writer.write(GET.replace(b"/ ", path + b" "))
            assert await answer(reader) == (200, path)


async def test_requests_sent_ahead_are_answered_in_order() -> None:
    async with serving(hello) as (_, port), connection(port) as (reader, writer):
        writer.write(b"".join(GET.replace(b"/ ", b"/%d " % number) for number in range(5)))
        assert [(await answer(reader))[1] for _ in range(5)] == [b"/%d" % number for number in range(5)]


async def test_answers_have_the_hosts_date() -> None:
    async with serving(hello) as (_, port), connection(port) as (reader, writer):
        writer.write(GET)
        assert b"\r\ndate: " in await reader.readuntil(b"\r\n\r\n")


async def test_a_client_that_asks_is_told_to_continue() -> None:
    async with serving(echo) as (_, port), connection(port) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ok")
        assert await answer(reader) == (200, b"ok")


async def test_what_is_no_http_is_refused() -> None:
    async with serving(hello) as (_, port), connection(port) as (reader, writer):
        writer.write(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")


async def begun(server: HttpServer) -> None:
    """Return when the first line of a request has come."""
    while not any(one.headers_since for listener in server._listeners for one in listener.open):
        await asyncio.sleep(0)


async def test_headers_have_a_limit() -> None:
    async with serving(hello) as (server, port), connection(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n")
        await begun(server)
        writer.write(b"x: " + b"y" * limits.HEADERS_LIMIT_BYTES)
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 431 ")


async def test_slow_headers_end_the_connection() -> None:
    async with serving(hello) as (server, port), connection(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost")
        await begun(server)
        server.sweep(now() + limits.HEADERS_TIMEOUT_S - 1)
        assert server.connections == 1
        server.sweep(now() + limits.HEADERS_TIMEOUT_S + 1)
        await ended(reader)


async def test_a_body_that_stalls_ends_the_connection() -> None:
    async with serving(echo) as (server, port), connection(port) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n")
        while not server.running:
            await asyncio.sleep(0)
        server.sweep(now() + limits.STALL_TIMEOUT_S + 1)
        await ended(reader)


async def test_idle_connections_end() -> None:
    async with serving(hello) as (server, port), connection(port) as (reader, writer):
        writer.write(GET)
        await answer(reader)
        server.sweep(now() + limits.IDLE_TIMEOUT_S - 1)
        assert server.connections == 1
        server.sweep(now() + limits.IDLE_TIMEOUT_S + 1)
        await ended(reader)


async def test_a_long_answer_is_waited_for() -> None:
    go = asyncio.Event()

    async def slow(scope: Message, receive: Receive, send: Send) -> None:
        await go.wait()
        await hello(scope, receive, send)

    async with serving(slow) as (server, port), connection(port) as (reader, writer):
        writer.write(GET)
        while not server.running:
            await asyncio.sleep(0)
        server.sweep(now() + 3600)
        drained = asyncio.create_task(server.drain())
        server.stop_accepting()
        go.set()
        assert await answer(reader) == (200, b"/")
        await drained
        assert await reader.read() == b""


async def test_connections_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "MAX_CONNECTIONS", 1)
    async with serving(hello) as (_, port), connection(port) as (reader, writer):
        writer.write(GET)
        await answer(reader)
        async with connection(port) as (refused, _):
            await ended(refused)


async def test_a_socket_of_its_own_is_served_until_it_is_closed() -> None:
    async with HttpServer(PlatformClock()) as server:
        sock = bound()
        sock.listen()
        port = sock.getsockname()[1]
        close = await server.serve_socket(sock, hello)
        async with connection(port) as (reader, writer):
            writer.write(GET)
            assert await answer(reader) == (200, b"/")
            close()
            close()
            await ended(reader)
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_a_socket_that_cannot_be_served_is_closed() -> None:
    sock = socket.socket(type=socket.SOCK_DGRAM)
    async with HttpServer(PlatformClock()) as server:
        with pytest.raises(ValueError, match=r"(?i)stream"):
            await server.serve_socket(sock, hello)
        assert sock.fileno() == -1
        assert server._listeners == set()


async def whole(scope: Message, _receive: Receive, send: Send) -> None:
    """Answers by the extension; in ASGI's own way, with 500, where it does not take what it is given."""
    path = scope["raw_path"].decode()
    head = (
        "a: b\r\nbad: \n\r\n" if path == "/bad" else "a: b\r\ncontent-length: 9\r\n" if path == "/own" else "a: b\r\n"
    )
    if not scope["extensions"][limits.ANSWER](
        204 if path == "/none" else 200, head, b"" if path == "/none" else b"body"
    ):
        await send({"type": "http.response.start", "status": 500, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


async def test_a_whole_answer_is_sent_at_once() -> None:
    async with serving(whole) as (_, port), connection(port) as (reader, writer):
        writer.write(GET + GET)
        for _ in range(2):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
            assert head.endswith(b"\r\na: b\r\ncontent-length: 4\r\n\r\n")
            assert await reader.readexactly(4) == b"body"
        writer.write(GET.replace(b"/ ", b"/none "))
        head = await reader.readuntil(b"\r\n\r\n")
        assert (head.split()[1], b"content-length" in head) == (b"204", False)


@pytest.mark.parametrize("path", [b"/bad", b"/own"])
async def test_a_head_that_could_break_the_answer_goes_the_longer_way(path: bytes) -> None:
    async with serving(whole) as (_, port), connection(port) as (reader, writer):
        writer.write(GET.replace(b"/ ", path + b" "))
        assert await answer(reader) == (500, b"")


async def test_the_last_whole_answer_closes_the_connection() -> None:
    async with serving(whole) as (_, port), connection(port) as (reader, writer):
        writer.write(GET.replace(b"host: x", b"host: x\r\nconnection: close"))
        assert b"connection: close\r\n" in await reader.readuntil(b"\r\n\r\n")
        assert await reader.read() == b"body"


async def test_a_head_request_gets_no_body() -> None:
    async with serving(whole) as (_, port), connection(port) as (reader, writer):
        writer.write(GET.replace(b"GET", b"HEAD"))
        assert (await reader.readuntil(b"\r\n\r\n")).split()[1] == b"500"  # the longer way, which knows about HEAD


async def heard(scope: Message, receive: Receive, send: Send) -> None:
    """Answers with the names of the headers, and the whole body."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    said = b",".join(name for name, _ in scope["headers"]) + b"|" + body
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(said))]})
    await send({"type": "http.response.body", "body": said})


async def test_a_trailer_is_no_header() -> None:
    """Nobody on the way has looked at it: a proxy that takes away a header would be walked around."""
    async with serving(heard) as (_, port), connection(port) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-amz-target: A.B\r\n\r\n")
        assert await answer(reader) == (200, b"transfer-encoding|hi")


@pytest.mark.parametrize("bare", [b"2;x=", b"0\r\nx: "], ids=["extension", "trailer"])
async def test_what_comes_beside_a_bodys_content_has_a_limit(bare: bytes) -> None:
    async with serving(heard) as (server, port), connection(port) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n" + bare)
        while not server.running:
            await asyncio.sleep(0)
        for _ in range(2):
            writer.write(b"y" * limits.HEADERS_LIMIT_BYTES)
            await writer.drain()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await answer(reader)


UPGRADE = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n"
"""What Java's HttpClient sends with its first request."""
HEARD = b"connection,upgrade,http2-settings,"


@pytest.mark.parametrize("pieces", [1, 2], ids=["at once", "apart"])
@pytest.mark.parametrize(
    ("framing", "sent"),
    [
        (b"content-length", b"content-length: 5\r\n\r\nhello"),
        (b"transfer-encoding", b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    ],
    ids=["length", "chunks"],
)
async def test_a_request_that_offers_another_protocol_keeps_its_body(pieces: int, framing: bytes, sent: bytes) -> None:
    head, _, body = sent.partition(b"\r\n\r\n")
    async with serving(heard) as (server, port), connection(port) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\n" + UPGRADE + head + b"\r\n\r\n" + (body if pieces == 1 else b""))
        if pieces == 2:
            while not server.running:
                await asyncio.sleep(0)
            writer.write(body)
        assert await answer(reader) == (200, HEARD + framing + b"|hello")
        writer.write(b"POST / HTTP/1.1\r\nx: y\r\ncontent-length: 2\r\n\r\nhi")
        assert await answer(reader) == (200, b"x,content-length|hi")


async def test_requests_behind_one_that_offers_another_protocol_are_answered() -> None:
    one = b"POST / HTTP/1.1\r\n" + UPGRADE + b"content-length: 2\r\n\r\nhi"
    async with serving(heard) as (_, port), connection(port) as (reader, writer):
        writer.write((one + GET) * 500)
        for _ in range(500):
            assert await answer(reader) == (200, HEARD + b"content-length|hi")
            assert await answer(reader) == (200, b"host|")
