"""A clock that stands still until a test moves it."""

import asyncio
import heapq
import itertools


class ManualClock:
    """Time passes only by `advance`. A `Clock`."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now
        self._ahead_s = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._now - self._ahead_s

    def monotonic(self) -> float:
        return self._now

    async def sleep(self, duration_s: float) -> None:
        await self.sleep_until(self._now + duration_s)

    async def sleep_until(self, moment: float) -> None:
        if moment <= self._now:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (moment, next(self._order), future))
        await future

    async def sleep_loosely_until(self, moment: float) -> None:
        await self.sleep_until(moment)

    def next_moment(self) -> float | None:
        """When the first sleeper wakes; None when nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def advance(self, duration_s: float) -> None:
        """Move the time forward and wake who is due; they run when the caller next waits."""
        self._now += duration_s
        while (moment := self.next_moment()) is not None and moment <= self._now:
            heapq.heappop(self._sleepers)[2].set_result(None)

    def jump(self, duration_s: float) -> None:
        """Move the platform's time ahead of the host's, as who operates a node does."""
        self._ahead_s += duration_s
        self.advance(duration_s)
