"""The platform's clock, whose offset is kept in the store and the same on all its nodes."""

import asyncio

from cloudlet.clock import PlatformClock
from cloudlet.store.base import Migration, Reader, Store, Transaction

COMPONENT = "clock"
CHANNEL = "clock"
MIGRATIONS = (
    Migration(1, ("CREATE TABLE platform_clock (id BIGINT PRIMARY KEY, offset_s DOUBLE PRECISION NOT NULL)",)),
)


class StoredClock:
    """Moves `clock`. What has been moved stays so after a restart, and other nodes of the store follow."""

    def __init__(self, store: Store, offset_s: float) -> None:
        self.clock = PlatformClock(offset_s)
        self._store = store
        self._moving = asyncio.Lock()
        self._end_listening = store.listen(CHANNEL, self._heard)
        self._followers: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(cls, store: Store) -> "StoredClock":
        """The clock as the store has it. Raises StoreError."""
        await store.migrate(COMPONENT, MIGRATIONS)
        return cls(store, await store.read(_offset_s))

    async def advance(self, duration_s: float) -> None:
        """Move time forward on every node. Raises ValueError for a negative duration, StoreError."""
        if duration_s < 0:
            raise ValueError("time cannot be moved back")
        async with self._moving:
            here_s = self.clock.offset_s

            def move(tx: Transaction) -> float:
                target_s = max(_offset_s(tx), here_s) + duration_s
                _keep(tx, target_s)
                tx.notify(CHANNEL)
                return target_s

            await self._move_to(await self._store.transact(move))

    async def reset(self) -> None:
        """The store has been emptied: keep the offset, for time does not go back."""
        offset_s = self.clock.offset_s
        await self._store.transact(lambda tx: _keep(tx, offset_s))

    async def close(self) -> None:
        """Follow no other node any more."""
        self._end_listening()
        for task in self._followers:
            task.cancel()
        await asyncio.gather(*self._followers, return_exceptions=True)

    def _heard(self, _payload: str) -> None:
        task = asyncio.get_running_loop().create_task(self._follow())
        self._followers.add(task)
        task.add_done_callback(self._followers.discard)

    async def _follow(self) -> None:
        async with self._moving:
            await self._move_to(await self._store.read(_offset_s))

    async def _move_to(self, offset_s: float) -> None:
        await self.clock.advance(max(0.0, offset_s - self.clock.offset_s))


def _offset_s(reader: Reader) -> float:
    row = reader.one("SELECT offset_s FROM platform_clock WHERE id = 1")
    return float(row[0]) if row else 0.0


def _keep(tx: Transaction, offset_s: float) -> None:
    tx.execute(
        "INSERT INTO platform_clock (id, offset_s) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET offset_s = ?",
        (offset_s, offset_s),
    )
