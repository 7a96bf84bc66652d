"""What a function writes becomes log events."""

import asyncio
import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.compute import log_pipes
from cloudlet.compute.log_pipes import MAX_EVENT_BYTES, FrameSplitter, LineSplitter, LogPipe


class Written:
    """Takes what splitters give out."""

    def __init__(self) -> None:
        self.events: list[tuple[str, int]] = []

    def __call__(self, message: str, microseconds: int) -> None:
        self.events.append((message, microseconds))

    @property
    def messages(self) -> list[str]:
        return [message for message, _ in self.events]


@pytest.fixture
def written() -> Written:
    return Written()


def frame(message: bytes, kind: int = 0xA55A0003, microseconds: int = 0) -> bytes:
    head = kind.to_bytes(4, "big") + len(message).to_bytes(4, "big")
    return head + (b"" if kind == 0xA55A0001 else microseconds.to_bytes(8, "big")) + message


def test_every_line_is_an_event(written: Written) -> None:
    LineSplitter(written).feed(b"one\ntwo\n\nthree\n")
    assert written.messages == ["one\n", "two\n", "\n", "three\n"]


def test_a_line_may_come_in_parts(written: Written) -> None:
    splitter = LineSplitter(written)
    splitter.feed(b"be")
    splitter.feed("gün".encode()[:-1])
    assert written.messages == []
    splitter.feed(b"n\nnext")
    assert written.messages == ["begün\n"]


def test_a_line_without_an_end_is_given_out_at_the_end(written: Written) -> None:
    splitter = LineSplitter(written)
    splitter.feed(b"no end")
    splitter.flush()
    splitter.flush()
    assert written.messages == ["no end"]


def test_a_line_over_the_limit_is_several_events(written: Written) -> None:
    splitter = LineSplitter(written)
    splitter.feed(b"x" * (MAX_EVENT_BYTES * 2 + 5))
    splitter.feed(b"\n")
    assert [len(message) for message in written.messages] == [MAX_EVENT_BYTES, MAX_EVENT_BYTES, 6]
    splitter.feed(b"y" * MAX_EVENT_BYTES + b"\nz\n")
    assert [len(message) for message in written.messages[3:]] == [MAX_EVENT_BYTES, 1, 2]


def test_bytes_that_are_no_text_are_replaced(written: Written) -> None:
    LineSplitter(written).feed(b"\xff\xfe\n")
    assert written.messages == ["��\n"]


@given(st.lists(st.binary(max_size=20)))
def test_no_byte_of_output_is_lost(parts: list[bytes]) -> None:
    written = Written()
    splitter = LineSplitter(written)
    for part in parts:
        splitter.feed(part)
    splitter.flush()
    assert "".join(written.messages) == "".join(
        line.decode(errors="replace") for line in b"".join(parts).splitlines(keepends=True)
    ) or b"\r" in b"".join(parts)
    assert b"".join(parts).count(b"\n") == sum(message.endswith("\n") for message in written.messages)


def test_a_frame_is_one_event_with_its_time(written: Written) -> None:
    FrameSplitter(written).feed(frame(b"one\ntwo", microseconds=12) + frame(b"[ERROR]", 0xA55A0017, 13))
    assert written.events == [("one\ntwo", 12), ("[ERROR]", 13)]


def test_the_oldest_form_of_frames_has_no_time(written: Written) -> None:
    FrameSplitter(written).feed(frame(b"old", 0xA55A0001) + frame(b"new"))
    assert written.events == [("old", 0), ("new", 0)]


@given(st.lists(st.binary(max_size=30), max_size=5), st.integers(1, 40))
def test_frames_may_come_in_any_parts(messages: list[bytes], size: int) -> None:
    written = Written()
    splitter = FrameSplitter(written)
    data = b"".join(frame(message) for message in messages)
    for start in range(0, len(data), size):
        splitter.feed(data[start : start + size])
    assert written.messages == [message.decode(errors="replace") for message in messages]


def test_what_is_no_frame_is_dropped(written: Written) -> None:
    splitter = FrameSplitter(written)
    splitter.feed(b"a function wrote here by hand")
    splitter.feed(frame(b"and then its logger"))
    assert written.messages == ["and then its logger"]


def test_a_message_over_the_limit_is_cut(written: Written) -> None:
    splitter = FrameSplitter(written)
    data = frame(b"x" * (MAX_EVENT_BYTES + 100_000)) + frame(b"next")
    for start in range(0, len(data), 65536):
        splitter.feed(data[start : start + 65536])
    assert [len(message) for message in written.messages] == [MAX_EVENT_BYTES, 4]


def test_a_frame_that_claims_gigabytes_takes_no_memory(written: Written) -> None:
    splitter = FrameSplitter(written)
    head = (0xA55A0003).to_bytes(4, "big") + (0xFFFFFFFF).to_bytes(4, "big") + bytes(8)
    splitter.feed(head + b"x" * MAX_EVENT_BYTES)
    for _ in range(10):
        splitter.feed(b"x" * 65536)
    assert [len(message) for message in written.messages] == [MAX_EVENT_BYTES]


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.set_blocking(write_end, False)
    yield read_end, write_end
    os.close(read_end)
    os.close(write_end)


async def test_a_pipe_is_read_as_it_fills(pipe: tuple[int, int]) -> None:
    seen = asyncio.Event()
    log = LogPipe(pipe[0], LineSplitter(lambda *_: seen.set()))
    os.write(pipe[1], b"hello\n")
    await seen.wait()
    log.close()


async def test_draining_takes_what_is_there_now(pipe: tuple[int, int], written: Written) -> None:
    log = LogPipe(pipe[0], LineSplitter(written))
    os.write(pipe[1], b"first\nand no end")
    log.drain()
    assert written.messages == ["first\n", "and no end"]
    log.close()


async def test_a_flood_is_read_in_portions(
    pipe: tuple[int, int], written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_pipes, "PORTION_BYTES", 1000)
    monkeypatch.setattr(log_pipes, "READ_BYTES", 500)
    log = LogPipe(pipe[0], LineSplitter(written))
    os.write(pipe[1], b"x" * 99 + b"\n" * 1 + b"y" * 4899 + b"\n")
    log.drain()
    assert sum(map(len, written.messages)) == 1000
    log.close()


async def test_a_flood_is_read_to_its_end_all_the_same(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_pipes, "PORTION_BYTES", 1000)
    monkeypatch.setattr(log_pipes, "READ_BYTES", 500)
    monkeypatch.setattr(log_pipes, "PAUSE_S", 0.001)
    all_there = asyncio.Event()
    count = 0

    def take(*_: object) -> None:
        nonlocal count
        count += 1
        if count == 1000:
            all_there.set()

    log = LogPipe(pipe[0], LineSplitter(take))
    os.write(pipe[1], b"0123\n" * 1000)
    await all_there.wait()
    log.close()


async def test_the_end_of_a_pipe_is_no_error(written: Written) -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    log = LogPipe(read_end, LineSplitter(written))
    os.close(write_end)
    log.drain()
    log.close()
    os.close(read_end)
    assert written.messages == []
