"""Parts of images (manifests, configurations, layers), kept once by digest while something needs them.

A part belongs to its *users*: a repository of the registry, a function, each named by a text. `compute.keeping` has the
rules by which it goes.
"""

import asyncio
import contextlib
import hashlib
import os
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final

from cloudlet.clock import Clock
from cloudlet.compute.images import tables
from cloudlet.compute.images.errors import InvalidImage
from cloudlet.compute.keeping import Keeper
from cloudlet.ids import Ids
from cloudlet.store.base import Store, StoreFull, Transaction
from cloudlet.store.blobs import LargeBlobs
from cloudlet.threads import made_in_thread

LEASE_MS: Final = 60 * 60 * 1000


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
        self.blobs = blobs
        self._keeper = Keeper(store, clock, ids, tables.KEPT, "parts of images", LEASE_MS, self.blobs.delete)

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

    def hold(self, digests: Iterable[str]) -> AbstractAsyncContextManager[None]:
        """Let nothing of `digests` be deleted while this lasts; what is brought here is kept when it then has users."""
        return self._keeper.hold(digests)

    async def run(self) -> None:
        """Delete what is no longer needed, as it comes. Ends when it is cancelled."""
        await self._keeper.run()

    async def collect(self) -> int:
        """Delete a batch of unused parts; how many."""
        return await self._keeper.collect()

    async def reset(self) -> None:
        """The store was emptied: no part has a user any more."""
        await self.blobs.reset()

    def close(self) -> None:
        """Hear of no more garbage."""
        self._keeper.close()


def use(tx: Transaction, user: str, digests: Iterable[str]) -> None:
    """From now on `user` needs these parts (64 hexadecimal digits each), also those that are still to be brought."""
    for digest in sorted(set(digests)):
        tables.insert_use(tx, user, digest)
        tables.KEPT.spare(tx, digest)


def disuse(tx: Transaction, user: str, digests: Iterable[str] | None = None) -> None:
    """`user` needs these parts no more; without `digests`, none at all."""
    tables.KEPT.discard(tx, tables.delete_uses(tx, user, None if digests is None else sorted(set(digests))))
