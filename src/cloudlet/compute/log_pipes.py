"""What a function writes: two pipes, cut into log events.

`output` is the sandbox's standard output and error: every line is an event. `telemetry` carries frames, so that a
message of several lines stays one event; the official clients write there what goes through the language's logger:

    +---------------+------------------+------------------------+---------+
    | type, 4 bytes | length, 4 bytes  | microseconds, 8 bytes  | message |      big endian
    +---------------+------------------+------------------------+---------+

A function that floods its log is slowed down, not the node: a pipe is read in bounded portions, and then not at all for
a moment, so that the function waits in its own `write`.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Final

MAX_EVENT_BYTES: Final = 256 * 1024
"""Longer lines become several events: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"""
READ_BYTES: Final = 64 * 1024
PORTION_BYTES: Final = 256 * 1024
"""Read at once from one pipe before others have their turn."""
PAUSE_S: Final = 0.02
"""How long a pipe is left alone after a full portion: a function can write 13 MB/s."""

_UNTIMED_FRAME: Final = 0xA55A0001
"""The first form of frames, without a time."""
_FRAME_MAGIC: Final = 0xA55A
_HEADER: Final = 16

Write = Callable[[str, int], None]
"""Takes a message and its time in microseconds since the epoch on the host's clock; 0 for now."""


class LineSplitter:
    """Cuts standard output into lines."""

    __slots__ = ("_rest", "_write")

    def __init__(self, write: Write) -> None:
        self._write = write
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take bytes as they came."""
        if self._rest:
            data = self._rest + data
            self._rest = b""
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            self._emit(data[start : end + 1])
            start = end + 1
        rest = data[start:] if start else data
        while len(rest) >= MAX_EVENT_BYTES:
            self._emit(rest[:MAX_EVENT_BYTES])
            rest = rest[MAX_EVENT_BYTES:]
        self._rest = rest

    def flush(self) -> None:
        """Give out a line that has no end yet."""
        if self._rest:
            rest, self._rest = self._rest, b""
            self._emit(rest)

    def _emit(self, line: bytes) -> None:
        if len(line) > MAX_EVENT_BYTES:
            for start in range(0, len(line), MAX_EVENT_BYTES):
                self._write(line[start : start + MAX_EVENT_BYTES].decode(errors="replace"), 0)
        else:
            self._write(line.decode(errors="replace"), 0)


class FrameSplitter:
    """Cuts the telemetry pipe into messages. What is no frame is dropped: the function can write there as it likes."""

    __slots__ = ("_rest", "_skip", "_write")

    def __init__(self, write: Write) -> None:
        self._write = write
        self._rest = b""
        self._skip = 0

    def feed(self, data: bytes) -> None:
        """Take bytes as they came."""
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        data = self._rest + data if self._rest else data
        start = 0
        while len(data) - start >= _HEADER:
            kind = int.from_bytes(data[start : start + 4], "big")
            if kind >> 16 != _FRAME_MAGIC:
                self._rest = b""
                return
            end = self._message(data, start, 8 if kind == _UNTIMED_FRAME else _HEADER)
            if end is None:
                break
            start = end
        self._rest = data[start:]

    def flush(self) -> None:
        """A frame that is not whole stays until it is."""

    def _message(self, data: bytes, start: int, header: int) -> int | None:
        """Give out the frame at `start`; where the next one begins, or None when more bytes are needed."""
        length = int.from_bytes(data[start + 4 : start + 8], "big")
        begin = start + header
        kept = min(length, MAX_EVENT_BYTES)
        if len(data) - begin < kept:
            return None
        microseconds = int.from_bytes(data[start + 8 : start + 16], "big") if header == _HEADER else 0
        self._write(data[begin : begin + kept].decode(errors="replace"), microseconds)
        over = begin + length - len(data)
        if over > 0:
            self._skip = over
            return len(data)
        return begin + length


class LogPipe:
    """Reads one pipe while the sandbox lives."""

    __slots__ = ("_descriptor", "_is_reading", "_loop", "_splitter", "_timer")

    def __init__(self, descriptor: int, splitter: LineSplitter | FrameSplitter) -> None:
        self._descriptor = descriptor
        self._splitter = splitter
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._is_reading = False
        self._resume()

    def drain(self) -> None:
        """Take what is in the pipe now (a portion of it, when the function floods it), and unfinished lines."""
        self._take()
        self._splitter.flush()

    def close(self) -> None:
        """Read no more. The descriptor belongs to the sandbox."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._pause()

    def _on_readable(self) -> None:
        if self._take():
            self._pause()
            self._timer = self._loop.call_later(PAUSE_S, self._resume)

    def _take(self) -> bool:
        """Read until the pipe is empty. True when a portion came and there may be more."""
        taken = 0
        while taken < PORTION_BYTES:
            try:
                data = os.read(self._descriptor, READ_BYTES)
            except BlockingIOError:
                return False
            except OSError:
                data = b""
            if not data:
                self._pause()
                return False
            self._splitter.feed(data)
            taken += len(data)
            if len(data) < READ_BYTES:
                return False  # a pipe gives all it has
        return True

    def _resume(self) -> None:
        self._timer = None
        if not self._is_reading:
            self._loop.add_reader(self._descriptor, self._on_readable)
            self._is_reading = True

    def _pause(self) -> None:
        if self._is_reading:
            self._loop.remove_reader(self._descriptor)
            self._is_reading = False
