"""Parts of images (manifests, configurations, layers), kept once by digest while something needs them.

A part belongs to its *users*: a repository of the registry, a function, each named by a text. It may go only when none
is left, also when another node is about to use it again, so the rules are those of code packages:

- who brings a part takes a lease on its digest first, and gives it back once a user has it;
- what was the last use of a digest puts it among the garbage, in the transaction that ends the use;
- the collector claims garbage that no user and no lease names, deletes the blob, then forgets the claim;
- a lease that meets a claim waits until the deletion is done.

Leases and claims of nodes that died run out, on the host's clock: who works is not overtaken by time that is moved.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Final

from cloudlet.clock import Clock, wall_ms
from cloudlet.compute.collecting import collect_for_ever
from cloudlet.compute.images import tables
from cloudlet.compute.images.errors import InvalidImage
from cloudlet.ids import Ids
from cloudlet.store.base import Store, StoreError, StoreFull, Transaction
from cloudlet.store.blobs import LargeBlobs
from cloudlet.threads import made_in_thread

LEASE_MS: Final = 60 * 60 * 1000
CLAIM_MS: Final = 60 * 1000
"""A deletion that has not ended after this time belongs to a node that died."""
COLLECT_BATCH: Final = 100
WAIT_FOR_CLAIM_S: Final = 0.05
GARBAGE_CHANNEL: Final = "image-garbage"

logger = logging.getLogger(__name__)


class Incoming:
    """A part that is being brought: a file that grows, and its digest. Not safe for threads: one writer at a time."""

    def __init__(self, blobs: LargeBlobs) -> None:
        """Takes a moment of a disk: `begin` does it in a thread. Raises StoreError."""
        self._blobs = blobs
        descriptor, self.path = blobs.scratch()
        self._file = os.fdopen(descriptor, "wb")
        self._hash = hashlib.sha256()
        self.size = 0

    @classmethod
    async def begin(cls, blobs: LargeBlobs) -> "Incoming":
        """Begin one. Raises StoreError."""
        return await made_in_thread(lambda: cls(blobs), cls.close)

    def write(self, content: bytes) -> None:
        """Append. Takes a moment: call it in a thread. Raises StoreFull, StoreError; ValueError once it is closed."""
        try:
            self._file.write(content)
        except OSError as error:
            raise StoreFull(f"a part of an image cannot be written: {error}") from error
        self._hash.update(content)
        self.size += len(content)

    @property
    def digest(self) -> str:
        """The digest of what has been written, without its algorithm."""
        return self._hash.hexdigest()

    async def keep(self, digest: str) -> None:
        """Keep what has been written, durably. Raises InvalidImage when its digest is another, StoreError."""
        if digest != self.digest:
            raise InvalidImage(f"The digest of what was sent is sha256:{self.digest}, not sha256:{digest}.")
        await asyncio.to_thread(self._flush)
        await self._blobs.adopt(self.path, digest)

    def _flush(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            raise StoreFull(f"a part of an image cannot be written: {error}") from error

    def close(self) -> None:
        """Forget it, unless it is kept."""
        with contextlib.suppress(OSError):
            self._file.close()
        self.path.unlink(missing_ok=True)


class ImageStore:
    """Keeps parts. One per node; nodes of a store share them."""

    def __init__(self, store: Store, clock: Clock, ids: Ids, blobs: LargeBlobs) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self.blobs = blobs
        self._wake = asyncio.Event()
        self._stop_listening = store.listen(GARBAGE_CHANNEL, lambda _: self._wake.set())

    async def open(self) -> None:
        """Make the tables. Raises StoreError."""
        await self._store.migrate(tables.COMPONENT, tables.MIGRATIONS)

    async def path(self, digest: str) -> Path:
        """A local file with the part of this digest (64 hexadecimal digits). Raises KeyError."""
        return await self.blobs.path(digest)

    async def has(self, digest: str) -> bool:
        """True when the part is here."""
        try:
            await self.blobs.path(digest)
        except KeyError:
            return False
        return True

    @contextlib.asynccontextmanager
    async def hold(self, digests: Iterable[str]) -> AsyncIterator[None]:
        """Let nothing of `digests` be deleted while this lasts; what is brought here is kept when it then has users."""
        held = sorted(set(digests))
        lease_id = self._ids.uuid()

        def lease(tx: Transaction) -> bool:
            now = wall_ms(self._clock)
            if any(tables.is_claimed(tx, digest, now - CLAIM_MS) for digest in held):
                return False
            for digest in held:
                tables.delete_garbage(tx, digest)
                tables.insert_lease(tx, lease_id, digest, now + LEASE_MS)
            return True

        def give_back(tx: Transaction) -> None:
            tables.delete_lease(tx, lease_id)
            discard(tx, held)

        while not await self._store.transact(lease):  # noqa: ASYNC110 - the deletion may be another node's
            await asyncio.sleep(WAIT_FOR_CLAIM_S)
        try:
            yield
        finally:
            try:
                await self._store.transact(give_back)
            except StoreError:
                # What the caller did has been done all the same, and the lease runs out by itself.
                logger.warning("a lease on parts of an image could not be given back", exc_info=True)

    async def run(self) -> None:
        """Delete what is no longer needed, as it comes. Ends when it is cancelled."""
        await collect_for_ever(self.collect, self._wake, logger, "unused parts of images")

    async def collect(self) -> int:
        """Delete a batch of unused parts; how many."""

        def claim(tx: Transaction) -> list[str]:
            now = wall_ms(self._clock)
            discard(tx, tables.delete_expired_leases(tx, now))
            claimed = []
            for digest in tables.unclaimed_garbage(tx, now - CLAIM_MS, COLLECT_BATCH):
                if tables.is_used(tx, digest):
                    tables.delete_garbage(tx, digest)
                else:
                    tables.claim_garbage(tx, digest, now)
                    claimed.append(digest)
            return claimed

        claimed = await self._store.transact(claim)
        for digest in claimed:
            await self.blobs.delete(digest)

        def forget(tx: Transaction) -> None:
            for digest in claimed:
                tables.delete_garbage(tx, digest)

        if claimed:
            await self._store.transact(forget)
        return len(claimed)

    async def reset(self) -> None:
        """The store was emptied: no part has a user any more."""
        await self.blobs.reset()

    def close(self) -> None:
        """Hear of no more garbage."""
        self._stop_listening()


def use(tx: Transaction, user: str, digests: Iterable[str]) -> None:
    """From now on `user` needs these parts (64 hexadecimal digits each), also those that are still to be brought."""
    for digest in sorted(set(digests)):
        tables.insert_use(tx, user, digest)
        tables.unclaim(tx, digest)


def disuse(tx: Transaction, user: str, digests: Iterable[str] | None = None) -> None:
    """`user` needs these parts no more; without `digests`, none at all."""
    discard(tx, tables.delete_uses(tx, user, None if digests is None else sorted(set(digests))))


def discard(tx: Transaction, digests: Iterable[str]) -> None:
    """A use of these has ended: those that nothing else uses become garbage."""
    found = False
    for digest in sorted(set(digests)):
        if not tables.is_used(tx, digest):
            tables.insert_garbage(tx, digest)
            found = True
    if found:
        tx.notify(GARBAGE_CHANNEL)
