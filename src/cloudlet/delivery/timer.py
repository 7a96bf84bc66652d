"""An alarm on the platform's clock."""

import asyncio
from collections.abc import Callable

from cloudlet.clock import Clock


class Timer:
    """Calls `ring` at one moment, which may be changed."""

    def __init__(self, clock: Clock, ring: Callable[[], None], tasks: asyncio.TaskGroup) -> None:
        self._clock = clock
        self._tasks = tasks
        self._ring = ring
        self._due_ms: int | None = None
        self._task: asyncio.Task[None] | None = None

    def set(self, due_ms: int | None) -> None:
        """Ring at `due_ms` instead of what was set before; None for not at all."""
        if due_ms == self._due_ms:
            return
        self.stop()
        if due_ms is not None:
            self._due_ms = due_ms
            self._task = self._tasks.create_task(self._wait(due_ms))

    def stop(self) -> None:
        """Ring no more."""
        if self._task is not None:
            self._task.cancel()
        self._due_ms = self._task = None

    async def _wait(self, due_ms: int) -> None:
        await self._clock.sleep_until(due_ms / 1000)
        self._due_ms = self._task = None
        self._ring()
