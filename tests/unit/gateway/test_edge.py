import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from cloudlet.gateway.connection import Message
from cloudlet.gateway.edge import read_head, send_response
from cloudlet.wire.http import HttpResponse

CONTINUES = {"type": "http.request", "body": b"", "more_body": False}
GONE = {"type": "http.disconnect"}


class Wire:
    """What an ASGI server would send; the client stays until it is told to go."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.went = asyncio.Event()
        self._first = True

    async def receive(self) -> Message:
        if self._first:
            self._first = False
            return CONTINUES
        await self.went.wait()
        return GONE

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])

    async def answer(self, response: HttpResponse) -> None:
        await send_response(response, "the-id", self.receive, self.send)


async def test_an_answer_has_its_length_and_an_id() -> None:
    wire = Wire()
    await wire.answer(HttpResponse(200, {"content-type": "text/plain"}, b"hello"))
    assert wire.sent[0]["status"] == 200
    assert wire.headers == {
        b"content-type": b"text/plain",
        b"x-amzn-RequestId": b"the-id",
        b"content-length": b"5",
    }
    assert wire.body == b"hello"


@pytest.mark.parametrize("name", ["x-amzn-RequestId", "x-amz-request-id"])
async def test_an_id_that_is_there_is_kept(name: str) -> None:
    wire = Wire()
    await wire.answer(HttpResponse(200, {name: "own"}))
    assert wire.headers == {name.encode(): b"own", b"content-length": b"0"}


async def test_no_content_has_no_length() -> None:
    wire = Wire()
    await wire.answer(HttpResponse(204))
    assert b"content-length" not in wire.headers


async def test_a_stream_is_sent_as_it_comes() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    wire = Wire()
    await wire.answer(HttpResponse(200, {}, chunks()))
    assert (wire.body, wire.sent[-1].get("more_body", False)) == (b"one two", False)
    assert b"content-length" not in wire.headers


async def test_a_stream_ends_when_nobody_listens_any_more() -> None:
    closed = asyncio.Event()
    wire = Wire()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"more "
                wire.went.set()
                await asyncio.sleep(0)
        finally:
            closed.set()

    await wire.answer(HttpResponse(200, {}, endless()))
    assert closed.is_set()


async def test_a_stream_that_breaks_is_not_ended_as_if_whole(caplog: pytest.LogCaptureFixture) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("broken")

    wire = Wire()
    with caplog.at_level(logging.ERROR), pytest.raises(RuntimeError):
        await wire.answer(HttpResponse(200, {}, breaking()))
    assert wire.sent[-1] == {"type": "http.response.body", "body": b"half", "more_body": True}
    assert caplog.records[0].__dict__["request_id"] == "the-id"


def test_headers_that_come_twice_are_joined_and_kept_apart() -> None:
    raw = [(b"host", b"x"), (b"a", b"1"), (b"a", b"\xe9")]
    request = read_head(
        {
            "method": "GET",
            "raw_path": b"/a%20b",
            "query_string": b"c=d",
            "headers": raw,
            "client": ("10.0.0.1", 1),
            "scheme": "http",
        }
    )
    assert request.headers == {"host": "x", "a": "1,\xe9"}
    assert list(request.raw_headers) == [("host", "x"), ("a", "1"), ("a", "\xe9")]
    assert (request.raw_path, request.query_string, request.source_ip) == ("/a%20b", "c=d", "10.0.0.1")
