"""A response on its way from a sandbox to a reader."""

import asyncio

from cloudlet.compute.response_stream import HIGH_BYTES, MAX_STREAM_BYTES, ResponseStream


class Pausable:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pause_reading(self) -> None:
        self.told.append("pause")

    def resume_reading(self) -> None:
        self.told.append("resume")


def begun() -> tuple[ResponseStream, Pausable]:
    stream, source = ResponseStream(), Pausable()
    stream.begin(source, "text/plain")
    return stream, source


async def test_what_is_written_is_read_in_order() -> None:
    stream, _ = begun()
    for data in (b"a", b"b"):
        assert stream.write(data)
    stream.end()
    assert [chunk async for chunk in stream] == [b"a", b"b"]


async def test_a_slow_reader_holds_the_writer_up() -> None:
    stream, source = begun()
    half = bytes(HIGH_BYTES // 2 + 1)
    stream.write(half)
    assert source.told == []
    stream.write(half)
    stream.write(b"last")
    assert source.told == ["pause"]
    await anext(stream)
    assert source.told == ["pause"]
    await anext(stream)
    assert source.told == ["pause", "resume"]
    assert await anext(stream) == b"last"


async def test_who_goes_away_lets_the_writer_go_on() -> None:
    stream, source = begun()
    stream.write(bytes(HIGH_BYTES + 1))
    stream.abandon()
    assert source.told == ["pause", "resume"]
    assert stream.write(bytes(HIGH_BYTES + 1))
    assert source.told == ["pause", "resume"]


async def test_a_reader_waits_for_what_comes() -> None:
    stream, _ = begun()
    reading = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    assert not reading.done()
    stream.write(b"late")
    assert await reading == b"late"


async def test_a_function_that_never_streams() -> None:
    stream = ResponseStream()
    waiting = asyncio.ensure_future(stream.begun())
    await asyncio.sleep(0)
    stream.end()
    assert await waiting is False


def test_a_response_has_a_limit() -> None:
    stream, _ = begun()
    stream.abandon()
    block = bytes(MAX_STREAM_BYTES // 4)
    assert [stream.write(block) for _ in range(4)] == [True] * 4
    assert stream.write(b"x") is False
