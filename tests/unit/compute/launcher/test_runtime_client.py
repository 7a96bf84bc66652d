"""The socket that Python functions talk to the Runtime API on."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from cloudlet.compute.launcher.agent import runtime_client

ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 3\r\n\r\nok\n"
HEAD = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 1\r\nLambda-Runtime-Deadline-Ms: 17\r\n"

Script = Callable[[socket.socket], None]


def event(body: bytes) -> bytes:
    return f"{HEAD}Content-Length: {len(body)}\r\n\r\n".encode() + body


def read_until(connection: socket.socket, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        more = connection.recv(65536)
        assert more, f"hung up after {data[-100:]!r}"
        data += more
    return data


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Script], None]]:
    """Runs a script with the next connection of the client, in a thread of its own."""
    listening = socket.create_server(("127.0.0.1", 0))
    address, threads = listening.getsockname(), []
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", f"{address[0]}:{address[1]}")

    def run(script: Script) -> None:
        with listening.accept()[0] as connection:
            script(connection)

    def start(script: Script) -> None:
        threads.append(threading.Thread(target=run, args=(script,)))
        threads[-1].start()

    runtime_client.initialize_client("test")
    yield start
    runtime_client._hang_up()
    runtime_client._kept.clear()
    for thread in threads:
        thread.join()
    listening.close()


def test_an_event_comes_with_its_headers(serve: Callable[[Script], None]) -> None:
    def script(connection: socket.socket) -> None:
        assert read_until(connection, b"\r\n\r\n").startswith(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n")
        connection.sendall(event(b'{"a": 1}'))

    serve(script)
    body, headers = runtime_client.next()
    assert body == b'{"a": 1}'
    assert headers["Lambda-Runtime-Aws-Request-Id"] == "1"
    assert headers["Lambda-Runtime-Deadline-Ms"] == 17


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_event_may_come_in_pieces(serve: Callable[[Script], None], size: int) -> None:
    def script(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        read_until(connection, b"\r\n\r\n")
        whole = event(b"x" * 3000)
        for start in range(0, len(whole), size):
            connection.sendall(whole[start : start + size])

    serve(script)
    assert runtime_client.next()[0] == b"x" * 3000


def test_an_answer_goes_out_with_the_next_question(serve: Callable[[Script], None]) -> None:
    seen = []

    def script(connection: socket.socket) -> None:
        read_until(connection, b"\r\n\r\n")
        connection.sendall(event(b"1"))
        seen.append(connection.recv(65536))
        connection.sendall(ACCEPTED + event(b"2"))

    serve(script)
    runtime_client.next()
    runtime_client.post_invocation_result("1", b'{"ok": true}', "application/json")
    assert runtime_client.next()[0] == b"2"
    (sent,) = seen
    assert sent.startswith(b"POST /2018-06-01/runtime/invocation/1/response HTTP/1.1\r\n")
    assert b'\r\n\r\n{"ok": true}GET /2018-06-01/runtime/invocation/next' in sent


def test_a_large_answer_and_a_large_event_arrive_whole(serve: Callable[[Script], None]) -> None:
    large = bytes(range(256)) * 24_000 + b"!"

    def script(connection: socket.socket) -> None:
        read_until(connection, b"\r\n\r\n")
        connection.sendall(event(large))
        read_until(connection, b"!")
        connection.sendall(ACCEPTED)

    serve(script)
    assert runtime_client.next()[0] == large
    runtime_client.post_invocation_result("1", large)
    assert not runtime_client._kept


def test_an_error_says_what_caused_it(serve: Callable[[Script], None]) -> None:
    seen = []

    def script(connection: socket.socket) -> None:
        read_until(connection, b"\r\n\r\n")
        connection.sendall(event(b"1"))
        seen.append(connection.recv(65536))
        connection.sendall(ACCEPTED + event(b"2"))

    serve(script)
    runtime_client.next()
    runtime_client.post_error("1", '{"errorMessage": "\u00e9"}', '{"cause": "\u00e9"}')
    runtime_client.next()
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /2018-06-01/runtime/invocation/1/error ")
    assert 'Lambda-Runtime-Function-XRay-Error-Cause: {"cause": "\u00e9"}'.encode() in head
    assert body.startswith('{"errorMessage": "\u00e9"}'.encode())


def test_a_refused_answer_is_an_error(serve: Callable[[Script], None]) -> None:
    def script(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    serve(script)
    runtime_client.post_invocation_result("1", b"1")
    with pytest.raises(RuntimeError, match="403"):
        runtime_client.next()


def test_a_node_that_hangs_up_is_an_error(serve: Callable[[Script], None]) -> None:
    serve(lambda connection: connection.close())
    with pytest.raises(RuntimeError, match="Failed to get next"):
        runtime_client.next()
