"""The log of one execution environment: the platform's lines and the function's, in order, to the sink in batches."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from cloudlet.clock import Clock
from cloudlet.compute import log_levels
from cloudlet.compute.function import FunctionVersion, LogEvent, LogSink
from cloudlet.compute.log_pipes import FrameSplitter, LineSplitter, LogPipe

TAIL_BYTES: Final = 4096
"""Of `LogType=Tail`: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"""
BATCH_EVENTS: Final = 1000
BATCH_BYTES: Final = 512 * 1024
FLUSH_S: Final = 0.5
"""A running invocation's lines are in the sink after this time."""
MAX_AGE_S: Final = 60.0
"""A line's own time counts only when it is not older than this."""


class _Tail:
    """The end of a text that grows."""

    __slots__ = ("_lines", "_size")

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque()
        self._size = 0

    def add(self, message: str) -> None:
        line = message.encode()
        self._lines.append(line)
        self._size += len(line)
        while self._size - len(self._lines[0]) >= TAIL_BYTES:
            self._size -= len(self._lines.popleft())

    def text(self) -> bytes:
        return b"".join(self._lines)[-TAIL_BYTES:]


class FunctionLog:
    """Collects lines. The sink gets them at the end of each invocation, when there are many, or after a while."""

    __slots__ = (
        "_clock",
        "_events",
        "_function",
        "_lowest",
        "_pipes",
        "_sink",
        "_size",
        "_tail",
        "_timer",
        "stream",
        "telemetry",
    )

    def __init__(self, function: FunctionVersion, stream: str, sink: LogSink, clock: Clock) -> None:
        self._function = function
        self.stream = stream
        self._sink = sink
        self._clock = clock
        self._lowest = log_levels.BY_NAME.get(function.application_log_level, log_levels.TRACE)
        """What is below it does not reach the log group."""
        self._events: list[LogEvent] = []
        self._size = 0
        self._pipes: tuple[LogPipe, ...] = ()
        self._tail: _Tail | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.telemetry: Callable[[str, str, float], None] | None = None
        """Who else gets the lines: of whom (`function` or `extension`), the line, and the platform's time of it."""

    def attach(self, output: int, telemetry: int | None, extensions: int | None = None) -> None:
        """Read a sandbox's pipes from now on."""
        pipes = [LogPipe(output, LineSplitter(self._from_function))]
        if telemetry is not None:
            pipes.append(LogPipe(telemetry, FrameSplitter(self._from_function)))
        if extensions is not None:
            pipes.append(LogPipe(extensions, LineSplitter(self._from_extension)))
        self._pipes = tuple(pipes)

    def detach(self) -> None:
        """Take what is left in the pipes, and read them no more."""
        for pipe in self._pipes:
            pipe.drain()
            pipe.close()
        self._pipes = ()

    def drain(self) -> None:
        """Take what the function has written so far."""
        for pipe in self._pipes:
            pipe.drain()

    def keep_tail(self, is_kept: bool) -> None:
        """Keep (or keep no more) the last lines for `tail`; those that are kept already stay."""
        if not is_kept:
            self._tail = None
        elif self._tail is None:
            self._tail = _Tail()

    def tail(self) -> bytes:
        """The last 4 KB since `keep_tail`."""
        return self._tail.text() if self._tail is not None else b""

    def platform(self, *messages: str, in_tail: bool = True) -> None:
        """Lines of the platform itself."""
        now_ms = int(self._clock.now() * 1000)
        for message in messages:
            self._events.append(LogEvent(now_ms, message))
            self._size += len(message)
            if in_tail and self._tail is not None:
                self._tail.add(message)

    def flush(self) -> None:
        """Hand over what there is."""
        if self._events:
            events, self._events, self._size = self._events, [], 0
            self._sink.write(self._function, self.stream, events)

    def flush_soon(self) -> None:
        """Hand over what there is in a while, if nothing else does it before.

        The timer is left to run when something does: one for many invocations, not one for each.
        """
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_S, self._on_timer)

    def close(self) -> None:
        """The end: all lines are with the sink."""
        self.detach()
        self.flush()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _from_extension(self, message: str, _microseconds: int) -> None:
        self._add(message, self._clock.now(), "extension")

    def _from_function(self, message: str, microseconds: int) -> None:
        clock = self._clock
        moment = clock.now()
        if microseconds:
            # The function's clock is the host's; the platform's may be ahead. What it says may also be nonsense.
            age_s = clock.wall() - microseconds / 1e6
            if 0 <= age_s < MAX_AGE_S:
                moment -= age_s
        self._add(message, moment, "function")

    def _add(self, message: str, moment: float, kind: str) -> None:
        if self.telemetry is not None:
            self.telemetry(kind, message, moment)
        if self._lowest > log_levels.TRACE and kind == "function":
            level = log_levels.of_line(message)
            if level is not None and level < self._lowest:
                return
        self._events.append(LogEvent(int(moment * 1000), message))
        self._size += len(message)
        if self._tail is not None:
            self._tail.add(message)
        if self._size > BATCH_BYTES or len(self._events) >= BATCH_EVENTS:
            self.flush()
        elif self._timer is None:
            self.flush_soon()

    def _on_timer(self) -> None:
        self._timer = None
        self.flush()
