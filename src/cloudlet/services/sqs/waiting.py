"""Long polling without polling: a receive that found nothing sleeps until there is something to find.

A waiter is woken by a message that is sent (on whatever node: the store tells), and by the moment at which a message
becomes visible again. Each message wakes one waiter, the one that waits longest; one that was woken and goes away
without a message wakes the next in its place. So a wake-up is never lost, and a thousand waiters do not rush for one
message.
"""

import asyncio
from collections import deque

from cloudlet.clock import Clock


class _Line:
    """Who waits at one bucket."""

    __slots__ = ("alarm", "alarm_ms", "waiters")

    def __init__(self) -> None:
        self.waiters: deque[asyncio.Future[None]] = deque()
        self.alarm: asyncio.Task[None] | None = None
        self.alarm_ms = 0


class Waiting:
    """All waiting receives of this node."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: dict[int, _Line] = {}

    @property
    def count(self) -> int:
        """How many receives wait."""
        return sum(len(line.waiters) for line in self._lines.values())

    def wake(self, bucket: int, count: int = 1) -> None:
        """`count` messages may be there now."""
        line = self._lines.get(bucket)
        while line is not None and line.waiters and count > 0:
            waiter = line.waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                count -= 1

    def wake_all(self) -> None:
        """Anything may have happened."""
        for bucket, line in list(self._lines.items()):
            self.wake(bucket, len(line.waiters))

    def needs_alarm(self, bucket: int) -> bool:
        """True while somebody waits here and no moment is known at which a message becomes visible."""
        line = self._lines.get(bucket)
        return line is not None and bool(line.waiters) and line.alarm is None

    def expect(self, bucket: int, visible_ms: int) -> None:
        """A message becomes visible at this moment."""
        line = self._lines.get(bucket)
        if line is None or not line.waiters or (line.alarm is not None and line.alarm_ms <= visible_ms):
            return
        if line.alarm is not None:
            line.alarm.cancel()
        line.alarm_ms = visible_ms
        line.alarm = asyncio.create_task(self._ring(bucket, line, visible_ms), name="sqs alarm")

    async def wait(self, bucket: int, timeout_s: float, visible_ms: int | None) -> bool:
        """Wait for a wake-up; false when it does not come in time. `visible_ms`: when a message becomes visible."""
        line = self._lines.setdefault(bucket, _Line())
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.waiters.append(waiter)
        if visible_ms is not None:
            self.expect(bucket, visible_ms)
        try:
            await asyncio.wait((waiter,), timeout=timeout_s)
            return waiter.done()
        except asyncio.CancelledError:
            if waiter.done():
                self.wake(bucket)  # the message is for another one
            raise
        finally:
            self._leave(bucket, line, waiter)

    def close(self) -> None:
        """Let nobody wait any more."""
        for line in self._lines.values():
            if line.alarm is not None:
                line.alarm.cancel()
        self.wake_all()

    def _leave(self, bucket: int, line: _Line, waiter: asyncio.Future[None]) -> None:
        if not waiter.done():
            waiter.cancel()
            line.waiters.remove(waiter)
        if not line.waiters and self._lines.get(bucket) is line:
            if line.alarm is not None:
                line.alarm.cancel()
            del self._lines[bucket]

    async def _ring(self, bucket: int, line: _Line, visible_ms: int) -> None:
        await self._clock.sleep_until((visible_ms + 1) / 1000)  # a clock counts in finer steps than milliseconds
        line.alarm = None
        self.wake(bucket)
