"""The ends of environments: at once, or in order where extensions are told of it."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from cloudlet.compute.placement import Charge
from cloudlet.compute.pool import ManagedEnvironment

ENDINGS_LIMIT_S: Final = 3.0
"""More than a shutdown phase ever takes; then the node does not wait for it any more."""


class Endings:
    """Environments that are ending."""

    def __init__(self, room_is_free: Callable[[], None]) -> None:
        """`room_is_free` is called whenever one has ended."""
        self._room_is_free = room_is_free
        self._tasks: set[asyncio.Task[None]] = set()

    def end(self, environment: ManagedEnvironment, charge: Charge[Any] | None) -> None:
        """End it; its room is given back when that is done."""
        ending = environment.shut_down()
        if ending is None:
            self._ended(charge)
            return

        def over(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            environment.close()
            self._ended(charge)

        task = asyncio.create_task(ending, name="environment shutdown")
        self._tasks.add(task)
        task.add_done_callback(over)

    def _ended(self, charge: Charge[Any] | None) -> None:
        if charge is not None:
            charge.release()
        self._room_is_free()

    async def close(self) -> None:
        """Wait for those that are ending, but not for ever."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=ENDINGS_LIMIT_S)
            for task in late:
                task.cancel()
