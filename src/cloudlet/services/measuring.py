"""What services measure of themselves is counted in memory, and stored some seconds later.

What was counted in the seconds before a crash is lost: metrics are no record of what has happened.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from cloudlet.clock import Clock
from cloudlet.services.measurements import Measurement, Record
from cloudlet.store.base import StoreError

FLUSH_INTERVAL_S: Final = 5.0
MAX_WAITING: Final = 50_000
"""Measurements that are kept while the store takes none."""

logger = logging.getLogger(__name__)

Take = Callable[[float], Awaitable[list[Measurement]]]
"""Takes out what was counted since a moment, and begins anew."""


class Measuring:
    """Stores what is counted: every FLUSH_INTERVAL_S, and at the end of each minute."""

    def __init__(self, name: str, record: Record, clock: Clock, take: Take) -> None:
        self.is_dirty = False
        """True while something is counted that is not stored; whoever counts calls `mark` where it is not."""
        self._name = name
        self._record = record
        self._clock = clock
        self._take = take
        self._since = 0.0
        self._wake = asyncio.Event()
        self._waiting: list[Measurement] = []
        self._flushing = asyncio.Lock()
        self._loop: asyncio.Task[None] | None = None

    def mark(self) -> None:
        """Something is counted, the first since the last time of storing."""
        self.is_dirty = True
        self._since = self._clock.now()
        self._wake.set()

    def start(self) -> None:
        """Begin to store what is counted."""
        self._loop = asyncio.create_task(self._run(), name=self._name)

    async def close(self, timeout_s: float = 5.0) -> None:
        """Store what is left, for `timeout_s` at most, and end."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.flush()

    def reset(self) -> None:
        """Forget what waits."""
        self.is_dirty = False
        self._waiting.clear()

    async def flush(self) -> None:
        """Store all that was counted so far."""
        if not self.is_dirty and not self._waiting:
            return
        async with self._flushing:
            if self.is_dirty:
                self.is_dirty = False
                self._waiting += await self._take(self._since)
            taken = self._waiting
            if not taken:
                return
            try:
                await self._record(taken)
                self._waiting = []
            except StoreError as error:
                dropped = max(0, len(taken) - MAX_WAITING)
                self._waiting = taken[dropped:]
                logger.warning("%s could not be stored: %s", self._name, error, extra={"dropped": dropped})
            except Exception:  # it would be so again, and for ever
                self._waiting = []
                logger.exception("%s could not be stored and are lost", self._name, extra={"dropped": len(taken)})

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            # By the host's time: a clock that is moved forward does not stop for this (but for `flush`, which it asks).
            await asyncio.sleep(min(FLUSH_INTERVAL_S, 60 - self._clock.now() % 60))
            await self.flush()
            if self._waiting:
                self._wake.set()
