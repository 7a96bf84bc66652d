"""What is kept by its digest while something needs it, and deleted when nothing does: code packages, parts of images.

A thing is kept once, however many use it, so it may go only when nobody does, also when another node is about to use it
again:

- who brings a thing takes a lease on its digest first, and gives it back once something uses it;
- what was the last use of a digest puts it among the garbage, in the transaction that ends the use (`discard`);
- the collector claims garbage that no use and no lease names, deletes the thing, then forgets the claim;
- a lease that meets a claim waits until the deletion is done.

Leases and claims of nodes that died run out, on the host's clock: who works is not overtaken by time that is moved.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from cloudlet.clock import Clock, wall_ms
from cloudlet.compute.collecting import collect_for_ever
from cloudlet.ids import Ids
from cloudlet.store.base import Reader, Store, StoreError, Transaction

CLAIM_MS: Final = 60 * 1000
"""A deletion that has not ended after this time belongs to a node that died."""
COLLECT_BATCH: Final = 100
WAIT_FOR_CLAIM_S: Final = 0.05

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeptTables:
    """Where it is written down who needs things of one kind."""

    leases: str
    """A table with the columns `home`, lease_id, digest and expires_ms."""
    garbage: str
    """A table with the columns digest, its key, and claimed_ms: 0 until somebody deletes the thing."""
    uses: tuple[tuple[str, str], ...]
    """Tables, and their columns with the digests of what they use."""
    channel: str
    """Who listens to it learns of garbage."""
    home: tuple[str, ...] = ()

    def is_used(self, reader: Reader, digest: str) -> bool:
        """True while a use or a lease needs it."""
        return any(
            reader.one(f"SELECT 1 FROM {table} WHERE {column} = ? LIMIT 1", (digest,)) is not None
            for table, column in (*self.uses, (self.leases, "digest"))
        )

    def discard(self, tx: Transaction, digests: Iterable[str]) -> None:
        """Uses of these have ended: those that nothing else uses become garbage."""
        unused = [digest for digest in sorted(set(digests)) if not self.is_used(tx, digest)]
        if unused:
            insert = f"INSERT INTO {self.garbage} (digest, claimed_ms) VALUES (?, 0) ON CONFLICT (digest) DO NOTHING"
            tx.execute_many(insert, [(digest,) for digest in unused])
            tx.notify(self.channel)

    def spare(self, tx: Transaction, digest: str) -> None:
        """It has a use again, unless its deletion is under way."""
        tx.execute(f"DELETE FROM {self.garbage} WHERE digest = ? AND claimed_ms = 0", (digest,))

    def lease(
        self, tx: Transaction, lease_id: str, digests: Sequence[str], now_ms: int, until_ms: int, home: Sequence[str]
    ) -> bool:
        """Take a lease, in the name of `home`; false while one of the things is being deleted."""
        claimed = f"SELECT 1 FROM {self.garbage} WHERE digest = ? AND claimed_ms > ?"
        if any(tx.one(claimed, (digest, now_ms - CLAIM_MS)) is not None for digest in digests):
            return False
        columns = (*self.home, "lease_id", "digest", "expires_ms")
        places = ", ".join("?" * len(columns))
        insert = f"INSERT INTO {self.leases} ({', '.join(columns)}) VALUES ({places})"
        for digest in digests:
            self.forget(tx, digest)
            tx.execute(insert, (*home, lease_id, digest, until_ms))
        return True

    def give_back(self, tx: Transaction, lease_id: str, digests: Sequence[str], home: Sequence[str]) -> None:
        """End a lease."""
        condition = " AND ".join(f"{column} = ?" for column in (*self.home, "lease_id"))
        tx.execute(f"DELETE FROM {self.leases} WHERE {condition}", (*home, lease_id))
        self.discard(tx, digests)

    def claim(self, tx: Transaction, now_ms: int, limit: int) -> list[str]:
        """Claim garbage, also what somebody claimed who must have died."""
        expired = tx.query(f"DELETE FROM {self.leases} WHERE expires_ms <= ? RETURNING digest", (now_ms,))
        self.discard(tx, [row[0] for row in expired])
        rows = tx.query(
            f"SELECT digest FROM {self.garbage} WHERE claimed_ms <= ? ORDER BY digest LIMIT ? {tx.skip_locked}",
            (now_ms - CLAIM_MS, limit),
        )
        claimed = []
        for (digest,) in rows:
            if self.is_used(tx, digest):
                self.forget(tx, digest)
            else:
                tx.execute(f"UPDATE {self.garbage} SET claimed_ms = ? WHERE digest = ?", (now_ms, digest))
                claimed.append(digest)
        return claimed

    def forget(self, tx: Transaction, digest: str) -> None:
        """It is no garbage any more."""
        tx.execute(f"DELETE FROM {self.garbage} WHERE digest = ?", (digest,))


class Keeper:
    """Holds things of one kind, and deletes what nobody needs. One per node; nodes of a store share the things."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ids: Ids,
        tables: KeptTables,
        what: str,
        lease_ms: int,
        delete: Callable[[str], Awaitable[None]],
        forget: Callable[[Transaction, str], None] = lambda _tx, _digest: None,
    ) -> None:
        """`what`: how logs call the things. `delete` deletes one; `forget` goes with the transaction that follows."""
        self._store = store
        self._clock = clock
        self._ids = ids
        self._tables = tables
        self._what = what
        self._lease_ms = lease_ms
        self._delete = delete
        self._forget = forget
        self._wake = asyncio.Event()
        self._stop_listening = store.listen(tables.channel, lambda _: self._wake.set())

    @contextlib.asynccontextmanager
    async def hold(self, digests: Iterable[str], home: Sequence[str] = ()) -> AsyncIterator[None]:
        """Let nothing of `digests` be deleted while this lasts; what is brought here is kept when it is then used."""
        held, lease_id, tables = sorted(set(digests)), self._ids.uuid(), self._tables

        def lease(tx: Transaction) -> bool:
            now = wall_ms(self._clock)
            return tables.lease(tx, lease_id, held, now, now + self._lease_ms, home)

        while not await self._store.transact(lease):  # noqa: ASYNC110 - the deletion may be another node's
            await asyncio.sleep(WAIT_FOR_CLAIM_S)
        try:
            yield
        finally:
            try:
                await self._store.transact(lambda tx: tables.give_back(tx, lease_id, held, home))
            except StoreError:
                # What the caller did has been done all the same, and the lease runs out by itself.
                logger.warning("a lease on %s could not be given back", self._what, exc_info=True)

    async def run(self) -> None:
        """Delete what is no longer needed, as it comes. Ends when it is cancelled."""
        await collect_for_ever(self.collect, self._wake, logger, f"unused {self._what}")

    async def collect(self) -> int:
        """Delete a batch of what is unused; how many."""
        now = wall_ms(self._clock)
        claimed = await self._store.transact(lambda tx: self._tables.claim(tx, now, COLLECT_BATCH))
        for digest in claimed:
            await self._delete(digest)

        def forget(tx: Transaction) -> None:
            for digest in claimed:
                self._tables.forget(tx, digest)
                self._forget(tx, digest)

        if claimed:
            await self._store.transact(forget)
        return len(claimed)

    def close(self) -> None:
        """Hear of no more garbage."""
        self._stop_listening()
