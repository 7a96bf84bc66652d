"""Idle environments: ended when they are old or the machine needs their memory, frozen when they are idle for long.

Least recently used first. Environments of provisioned concurrency are not among them: they are kept.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from cloudlet.clock import Clock
from cloudlet.compute.pool import ManagedEnvironment

PRESSURE_CHECK_S: Final = 1.0


class Reaper:
    """Watches the idle environments of a node."""

    def __init__(
        self,
        clock: Clock,
        idle_timeout_s: float,
        freeze_after_s: float | None,
        has_room: Callable[[], bool],
        end: Callable[[ManagedEnvironment], None],
    ) -> None:
        self._clock = clock
        self._idle_timeout_s = idle_timeout_s
        self._freeze_after_s = freeze_after_s
        self._has_room = has_room
        self._end = end
        self.idle: dict[ManagedEnvironment, None] = {}
        """All that may be ended, the least recently used first."""
        self._some_idle = asyncio.Event()

    def add(self, environment: ManagedEnvironment) -> None:
        """It waits for an invocation from now on."""
        self.idle[environment] = None
        if not self._some_idle.is_set():
            self._some_idle.set()

    async def by_age(self) -> None:
        """End who has been idle for too long."""
        while True:
            await self._some_idle.wait()
            oldest = next(iter(self.idle), None)
            if oldest is None:
                self._some_idle.clear()
                continue
            await self._clock.sleep_until(oldest.idle_since + self._idle_timeout_s)
            now = self._clock.now()
            while (oldest := next(iter(self.idle), None)) and oldest.idle_since + self._idle_timeout_s <= now:
                self._end(oldest)

    async def by_need(self) -> None:
        """End environments under memory pressure; freeze who is idle for long."""
        while True:
            await self._some_idle.wait()
            # The machine's memory is real, and so is this wait: not by the platform's clock.
            await asyncio.sleep(PRESSURE_CHECK_S)
            while not self._has_room() and (oldest := next(iter(self.idle), None)):
                self._end(oldest)
            if self._freeze_after_s is not None:
                before = self._clock.now() - self._freeze_after_s
                for environment in self.idle:
                    if environment.idle_since > before:
                        break
                    environment.freeze()
