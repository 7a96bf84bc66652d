"""The snapshots of function versions with SnapStart: taken once, kept while they are used, taken again when lost.

What lasts is the version's row alone. A snapshot lives in memory, and goes with the node, with the launcher, or with
the process that its sandboxes are forked from; the next environment of the version then takes another one first.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Final, Protocol

from cloudlet.clock import Clock, ahead_s
from cloudlet.compute.function import FunctionVersion
from cloudlet.compute.sandbox import Launcher
from cloudlet.compute.taking import TakingEnvironment

DEFAULT_IDLE_S: Final = 24 * 3600.0
KEPT_S: Final = 10.0
"""One that is so new is not dropped for want of room: who waits for it shall have it."""
MAKING_AT_ONCE: Final = 4
MOVED_S: Final = 300.0
"""When time has been moved by more since one was taken, clients in it hold credentials that end before they think:
they see the host's time, and ask for others some minutes ahead of the end that they were told."""

logger = logging.getLogger(__name__)


class Held(Protocol):
    """Room in memory (`placement.Charge`)."""

    def hold(self, size: int) -> None:
        """So many bytes are needed of it."""

    def release(self) -> None:
        """None are."""


Reserve = Callable[[FunctionVersion], Held]
"""Finds room for what is about to start. Raises TooManyRequests."""


@dataclass(slots=True, eq=False)
class Snapshot:
    """One version's."""

    name: str
    """What the launcher calls it."""
    function: FunctionVersion
    size_bytes: int
    room: Held
    used_at: float
    """Platform time when an environment was last made from it."""
    ahead_s: float
    """How far the platform's time was ahead of the host's when it was taken."""
    users: int = 0
    """Environments that have pages of it."""


class Snapshots:
    """Of one worker."""

    def __init__(
        self,
        launcher: Launcher,
        clock: Clock,
        make: Callable[[FunctionVersion], Awaitable[TakingEnvironment]],
        idle_s: float = DEFAULT_IDLE_S,
    ) -> None:
        """`make` gives the environment that a snapshot is taken from. `idle_s`: one that is not used is dropped."""
        self._launcher = launcher
        self._clock = clock
        self._make = make
        self._idle_s = idle_s
        self._kept: dict[str, Snapshot] = {}
        """By environment id."""
        self._taking: dict[str, asyncio.Task[Snapshot]] = {}
        self._at_once = asyncio.Semaphore(MAKING_AT_ONCE)
        self._dropping: asyncio.Task[None] | None = None

    async def get(self, function: FunctionVersion, reserve: Reserve) -> Snapshot:
        """The version's snapshot, taken now if there is none. Raises SnapshotFailed and what launching raises."""
        key = function.environment_id
        found = self._kept.get(key)
        if found is not None:
            if self._launcher.has_snapshot(found.name) and ahead_s(self._clock) - found.ahead_s <= MOVED_S:
                found.used_at = self._clock.now()
                return found
            self._drop(key)
        task = self._taking.get(key)
        if task is None:
            task = asyncio.create_task(self._take(function, reserve), name=f"snapshot of {function.name}")
            self._taking[key] = task
            task.add_done_callback(lambda done: self._taken(key, done))
        return await asyncio.shield(task)  # of those who wait for it, one that gives up does not end it for the others

    def retire(self, function_arn: str, keep: Collection[str]) -> None:
        """Drop those of the function but those of the environment ids in `keep`."""
        for key, snapshot in list(self._kept.items()):
            if key not in keep and snapshot.function.function_arn == function_arn:
                self._drop(key)

    def drop_oldest(self) -> bool:
        """Make room: drop the one that was not used for longest and is not in use; false when there is none."""
        before = self._clock.now() - KEPT_S
        unused = [key for key, each in self._kept.items() if not each.users and each.used_at <= before]
        if unused:
            self._drop(min(unused, key=lambda key: self._kept[key].used_at))
        return bool(unused)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._kept)

    async def close(self) -> None:
        """Drop all."""
        tasks = [*self._taking.values(), *([self._dropping] if self._dropping is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for key in list(self._kept):
            self._drop(key)

    async def _take(self, function: FunctionVersion, reserve: Reserve) -> Snapshot:
        async with self._at_once:
            room = reserve(function)
            ahead = ahead_s(self._clock)
            try:
                environment = await self._make(function)
                name, size_bytes = await environment.take()
            except BaseException:
                room.release()
                raise
        room.hold(size_bytes)
        return Snapshot(name, function, size_bytes, room, self._clock.now(), ahead)

    def _taken(self, key: str, task: asyncio.Task[Snapshot]) -> None:
        del self._taking[key]
        if task.cancelled() or task.exception() is not None:
            return
        self._kept[key] = task.result()
        if self._dropping is None or self._dropping.done():
            self._dropping = asyncio.create_task(self._drop_idle(), name="snapshots that are not used")

    def _drop(self, key: str) -> None:
        snapshot = self._kept.pop(key)
        snapshot.room.release()
        self._launcher.drop_snapshot(snapshot.name)

    async def _drop_idle(self) -> None:
        while self._kept:
            oldest = min(snapshot.used_at for snapshot in self._kept.values())
            await self._clock.sleep_until(oldest + self._idle_s)
            before = self._clock.now() - self._idle_s
            for key, snapshot in list(self._kept.items()):
                if snapshot.used_at <= before:
                    self._drop(key)
