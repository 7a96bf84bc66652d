"""Writes what became of rows, many in one transaction: what comes while one is under way goes into the next."""

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Iterable, Sequence

from cloudlet.clock import Clock, now_ms
from cloudlet.delivery import kept_tables, tables
from cloudlet.delivery.backoff import Backoff
from cloudlet.delivery.kept_tables import Bounds
from cloudlet.delivery.tables import Change
from cloudlet.store.base import Store, StoreError, Transaction

logger = logging.getLogger(__name__)

MAX_CHANGES = 500
STORE_BACKOFF = Backoff(first_s=0.1, maximum_s=5.0)


class Writer:
    """Changes of claimed rows on their way to the store. Bounded by what the engine runs at once."""

    def __init__(self, store: Store, clock: Clock, owner: str, kept: Bounds) -> None:
        self._kept = kept
        self._store = store
        self._clock = clock
        self._owner = owner
        self._waiting: deque[tuple[Change, asyncio.Future[None]]] = deque()
        self._wake = asyncio.Event()
        self._is_ended = False

    async def write(self, change: Change) -> None:
        """Returns once `change` is on disk, however long the store is away. Cancelled when the writer has ended."""
        if self._is_ended:
            raise asyncio.CancelledError
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((change, future))
        self._wake.set()
        await future

    async def run(self) -> None:
        """Write what comes, until cancelled."""
        batch: list[tuple[Change, asyncio.Future[None]]] = []
        try:
            while True:
                self._wake.clear()
                batch = [self._waiting.popleft() for _ in range(min(MAX_CHANGES, len(self._waiting)))]
                if batch:
                    await self._write_batch([change for change, _ in batch])
                    _finish(batch)
                else:
                    await self._wake.wait()
        finally:
            self._is_ended = True
            for _, future in (*batch, *self._waiting):
                future.cancel()

    async def _write_batch(self, changes: Sequence[Change]) -> None:
        def write(tx: Transaction) -> None:
            tables.apply(tx, changes, self._owner)
            if any(change.keep for change in changes):
                kept_tables.prune(tx, self._kept, now_ms(self._clock))

        for failures in itertools.count(1):
            try:
                await self._store.transact(write)
            except StoreError as error:
                logger.warning("%d results cannot be written, which is tried again: %s", len(changes), error)
                await self._clock.sleep(STORE_BACKOFF.limit_s(failures))
            else:
                return


def _finish(batch: Iterable[tuple[Change, asyncio.Future[None]]]) -> None:
    for _, future in batch:
        if not future.done():
            future.set_result(None)
