"""The task group in which background loops run, as an async context manager of its own.

A plain `TaskGroup` cancels the task that entered it when a loop fails. A node has to hear of that and stop in its own
order instead.
"""

import asyncio
import logging
from typing import Self

logger = logging.getLogger(__name__)


class Background:
    """Runs loops in `tasks` until it is left, which cancels them and waits for their end."""

    tasks: asyncio.TaskGroup

    def __init__(self) -> None:
        self._runner: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    async def __aenter__(self) -> Self:
        started: asyncio.Future[asyncio.TaskGroup] = asyncio.get_running_loop().create_future()
        self._runner = asyncio.create_task(self._run(started), name="background")
        self.tasks = await started
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.wait([self._runner])

    async def failed(self) -> None:
        """Return when a loop has failed; it is in the log."""
        await self._over.wait()

    async def _run(self, started: asyncio.Future[asyncio.TaskGroup]) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                started.set_result(tasks)
                await asyncio.get_running_loop().create_future()
        except Exception:
            logger.exception("a background loop failed")
        finally:
            self._over.set()
