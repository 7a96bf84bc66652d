from collections.abc import Iterable

import pytest

from cloudlet.errors import RequestTooLarge, ServiceUnavailable
from cloudlet.gateway.body import BodyReader, ClientGone, platform_limit
from cloudlet.gateway.connection import Message, Receive
from cloudlet.wire.http import HttpRequest

LIMIT = platform_limit(10)


class Client:
    """Sends chunks; remembers how much of them was asked for."""

    def __init__(self, chunks: Iterable[bytes], *, goes_away: bool = False) -> None:
        self.chunks = list(chunks)
        self.goes_away = goes_away
        self.asked = 0

    async def receive(self) -> Message:
        self.asked += 1
        if not self.chunks and self.goes_away:
            return {"type": "http.disconnect"}
        body = self.chunks.pop(0) if self.chunks else b""
        return {"type": "http.request", "body": body, "more_body": bool(self.chunks) or self.goes_away}


def head(**headers: str) -> HttpRequest:
    return HttpRequest("POST", "/", "", {name.replace("_", "-"): value for name, value in headers.items()})


async def read(receive: Receive, reader: BodyReader | None = None, **headers: str) -> bytes:
    return await (reader or BodyReader()).read(head(**headers), receive, LIMIT)


async def test_a_body_at_the_limit_is_read() -> None:
    assert await read(Client([b"01234", b"56789"]).receive, content_length="10") == b"0123456789"


async def test_without_a_length_nothing_is_waited_for() -> None:
    client = Client([])
    assert await read(client.receive) == b""
    assert client.asked == 0


async def test_a_declared_length_over_the_limit_is_refused_and_read_away() -> None:
    client = Client([b"01234567", b"890"])
    with pytest.raises(RequestTooLarge, match="smaller than 10 bytes"):
        await read(client.receive, content_length="11")
    assert client.chunks == []


async def test_a_client_that_asks_first_is_not_told_to_go_on() -> None:
    client = Client([b"01234567890"])
    with pytest.raises(RequestTooLarge):
        await read(client.receive, content_length="11", expect="100-continue")
    assert client.asked == 0


async def test_an_endless_length_is_not_read_away() -> None:
    client = Client([b"0"])
    with pytest.raises(RequestTooLarge):
        await read(client.receive, content_length="99999999999999")
    assert client.asked == 0


async def test_chunks_over_the_limit_are_refused_while_reading() -> None:
    with pytest.raises(RequestTooLarge):
        await read(Client([b"012345", b"67890"]).receive, transfer_encoding="chunked")


async def test_one_chunk_over_the_limit_is_refused() -> None:
    with pytest.raises(RequestTooLarge):
        await read(Client([b"01234567890"]).receive, transfer_encoding="chunked")


@pytest.mark.parametrize("length", ["10", "11"])
async def test_a_client_that_goes_away_gets_no_answer(length: str) -> None:
    with pytest.raises(ClientGone):
        await read(Client([b"0"], goes_away=True).receive, content_length=length)


async def test_all_bodies_together_have_a_budget_that_is_given_back() -> None:
    reader = BodyReader(budget_bytes=4)
    for _ in range(2):
        with pytest.raises(ServiceUnavailable):
            await read(Client([b"012345", b"6"]).receive, reader, content_length="7")
    assert await read(Client([b"01", b"2"]).receive, reader, content_length="3") == b"012"
