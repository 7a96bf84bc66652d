"""Time, passed in. The platform's clock can be moved forward; the host's clock and durations cannot.

A `Clock` gives three times. `now` is the platform's time: everything that is stored, scheduled or expires
goes by it, and it may be ahead of the host's. `wall` is the host's time: what a client signs with and what a
function sees. `monotonic` measures how long something really took.
"""

import asyncio
import heapq
import itertools
import time
from typing import Protocol


class Clock(Protocol):
    """What code asks instead of `time`."""

    def now(self) -> float:
        """The platform's time: seconds since the epoch, with fractions."""

    def wall(self) -> float:
        """The host's time: seconds since the epoch, with fractions."""

    def monotonic(self) -> float:
        """Seconds of a clock that never jumps, for durations."""

    async def sleep(self, duration_s: float) -> None:
        """Wait until `duration_s` have passed on the platform's clock."""

    async def sleep_until(self, moment: float) -> None:
        """Wait until the platform's time is `moment`."""


def now_ms(clock: Clock) -> int:
    """The platform's time in whole milliseconds."""
    return int(clock.now() * 1000)


class PlatformClock:
    """The host's time plus an offset that `advance` enlarges, waking in order whoever slept until a moment passed.

    The offset outlives the process: `node` stores it and gives it back at the next start.
    """

    def __init__(self, offset_s: float = 0.0) -> None:
        self._offset_s = offset_s
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def offset_s(self) -> float:
        """How far the platform's time is ahead of the host's, in seconds."""
        return self._offset_s

    def now(self) -> float:
        return time.time() + self._offset_s

    def wall(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, duration_s: float) -> None:
        await self.sleep_until(self.now() + duration_s)

    async def sleep_until(self, moment: float) -> None:
        if moment <= self.now():
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (moment, next(self._order), future))
        self._arm()
        await future

    async def advance(self, duration_s: float) -> None:
        """Move the platform's time forward. Sleepers due in between wake in their order, each at its own moment.

        Raises ValueError for a negative duration: what has happened stays happened.
        """
        if duration_s < 0:
            raise ValueError("time cannot be moved back")
        target = self.now() + duration_s
        while self._drop_cancelled() and self._sleepers[0][0] <= target:
            self._offset_s += max(0.0, self._sleepers[0][0] - self.now())
            self._wake_due()
            await self._settle()
        self._offset_s += max(0.0, target - self.now())
        self._arm()

    async def _settle(self) -> None:
        """Let those who woke run, so that a sleep that they start again is seen before the next step."""
        for _ in range(10):
            await asyncio.sleep(0)

    def _drop_cancelled(self) -> bool:
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return bool(self._sleepers)

    def _wake_due(self) -> None:
        now = self.now()
        while self._drop_cancelled() and self._sleepers[0][0] <= now:
            heapq.heappop(self._sleepers)[2].set_result(None)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._drop_cancelled():
            delay_s = max(0.0, self._sleepers[0][0] - self.now())
            self._timer = asyncio.get_running_loop().call_later(min(delay_s, 3600.0), self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._wake_due()
        self._arm()
