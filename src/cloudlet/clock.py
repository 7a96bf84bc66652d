"""Time, passed in. The platform's clock can be moved forward; the host's clock and durations cannot.

A `Clock` gives three times. `now` is the platform's time: everything that is stored, scheduled or expires
goes by it, and it may be ahead of the host's. `wall` is the host's time: what a client signs with and what a
function sees. `monotonic` measures how long something really took.
"""

import asyncio
import heapq
import itertools
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

logger = logging.getLogger(__name__)

Settled = Callable[[], Awaitable[None]]
"""Waits until somebody has done, and stored, all that is to be done at the present moment."""
SETTLE_LIMIT_S = 60.0
"""How long, on the host's clock, `advance` waits for the work of a moment; if not enough, it waits no more at all."""
SETTLE_TURNS = 10
"""Turns of the event loop in which those who woke begin what they do."""
SETTLE_ROUNDS = 100
"""How often those that have settled may begin something anew at one moment, before time goes on nevertheless."""


_Sleeper = tuple[float, int, asyncio.Future[None]]


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

    async def sleep_loosely_until(self, moment: float) -> None:
        """Wait until the platform's time is `moment`, or later: time that is moved by a year wakes who waits so once.

        For who does all that is due whenever it wakes: who clears away, and nobody can tell when. `moment` is counted
        from when it began to look, for time may be moved while it looks.
        """


def now_ms(clock: Clock) -> int:
    """The platform's time in whole milliseconds."""
    return int(clock.now() * 1000)


def wall_ms(clock: Clock) -> int:
    """The host's time in whole milliseconds: for leases, which hold while who has them works, however time is moved."""
    return int(clock.wall() * 1000)


def ahead_s(clock: Clock) -> float:
    """How far the platform's time has been moved ahead of the host's, in seconds."""
    return clock.now() - clock.wall()


class PlatformClock:
    """The host's time plus an offset that `advance` enlarges, waking in order whoever slept until a moment passed.

    The offset outlives the process: `node` stores it and gives it back at the next start.
    """

    def __init__(self, offset_s: float = 0.0) -> None:
        self._offset_s = offset_s
        self._sleepers: list[_Sleeper] = []
        self._loose: list[_Sleeper] = []
        """Those whose moments time does not stop at when it is moved."""
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._participants: list[Settled] = []

    def add_participant(self, settled: Settled) -> Callable[[], None]:
        """Let `advance` wait for `settled` at each moment at which somebody wakes; returns what ends that.

        Who works because time has passed, and schedules more work when it is done, takes part. So the work of one
        moment is over before the next one comes: a retry after a minute has failed, and its second one is scheduled,
        before time moves on to that.
        """
        self._participants.append(settled)
        return lambda: self._participants.remove(settled)

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
        await self._sleep(self._sleepers, moment)

    async def sleep_loosely_until(self, moment: float) -> None:
        await self._sleep(self._loose, moment)

    async def _sleep(self, sleepers: list[_Sleeper], moment: float) -> None:
        if moment <= self.now():
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(sleepers, (moment, next(self._order), future))
        self._arm()
        await future

    async def advance(self, duration_s: float) -> None:
        """Move the platform's time forward. Sleepers due in between wake in their order, each at its own moment, and
        time does not go on before participants have done what there is to do at a moment, within SETTLE_LIMIT_S.

        Raises ValueError for a negative duration: what has happened stays happened.
        """
        if duration_s < 0:
            raise ValueError("time cannot be moved back")
        patient = await self._settle(patient=True)
        target = self.now() + duration_s
        while _drop_cancelled(self._sleepers) and self._sleepers[0][0] <= target:
            self._offset_s += max(0.0, self._sleepers[0][0] - self.now())
            self._wake_due()
            patient = await self._settle(patient)
        self._offset_s += max(0.0, target - self.now())
        if _drop_cancelled(self._loose) and self._loose[0][0] <= self.now():
            self._wake_due()
            await self._settle(patient)
        self._arm()

    async def _settle(self, patient: bool) -> bool:
        """Let those who woke run, so that a sleep that they start again is seen before the next step.

        With `patient`, wait for participants too; false when they took too long.
        """
        await _turns()
        if not patient:
            return False
        try:
            async with asyncio.timeout(SETTLE_LIMIT_S):
                for _ in range(SETTLE_ROUNDS):
                    if not await self._have_waited():
                        break
                    await _turns()
        except TimeoutError:
            logger.warning("time goes on although the work of the moment is not done after %s s", SETTLE_LIMIT_S)
            return False
        return True

    async def _have_waited(self) -> bool:
        """Wait for each participant; False when there was nothing to wait for, so that nothing new can have begun."""
        works = [asyncio.ensure_future(_logged(settled)) for settled in self._participants]
        await asyncio.sleep(0)
        waited = not all(work.done() for work in works)
        await asyncio.gather(*works)
        return waited

    def _wake_due(self) -> None:
        now = self.now()
        for sleepers in (self._sleepers, self._loose):
            while _drop_cancelled(sleepers) and sleepers[0][0] <= now:
                heapq.heappop(sleepers)[2].set_result(None)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if first := [sleepers[0][0] for sleepers in (self._sleepers, self._loose) if _drop_cancelled(sleepers)]:
            delay_s = max(0.0, min(first) - self.now())
            self._timer = asyncio.get_running_loop().call_later(min(delay_s, 3600.0), self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._wake_due()
        self._arm()


def _drop_cancelled(sleepers: list[_Sleeper]) -> bool:
    """Forget who waits no more before the first who does; false when nobody does."""
    while sleepers and sleepers[0][2].done():
        heapq.heappop(sleepers)
    return bool(sleepers)


async def _logged(settled: Settled) -> None:
    try:
        await settled()
    except Exception:
        logger.exception("a participant of the clock failed")


async def _turns() -> None:
    for _ in range(SETTLE_TURNS):
        await asyncio.sleep(0)
