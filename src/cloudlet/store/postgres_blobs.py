"""Blobs that many nodes share: rows of the database, and files of this node that hold what it has used.

A blob is kept in pieces, so that no row is larger than what PostgreSQL and its driver hold in memory at ease.
"""

import functools
from pathlib import Path
from typing import Self

from cloudlet.store.base import Migration, Reader, Store, Transaction
from cloudlet.store.folder_blobs import FolderBlobs, digest_of

PIECE_BYTES = 4 * 1024 * 1024
COMPONENT = "blobs"
MIGRATIONS = (
    Migration(
        1,
        (
            "CREATE TABLE blob (digest TEXT PRIMARY KEY, size_bytes BIGINT NOT NULL)",
            "CREATE TABLE blob_piece (digest TEXT, number BIGINT, content BLOB NOT NULL, PRIMARY KEY (digest, number))",
        ),
    ),
)


class PostgresBlobs:
    """Blobs in a store that is shared, with a folder as their cache. Made by `open`."""

    def __init__(self, store: Store, cache: FolderBlobs) -> None:
        self._store = store
        self._cache = cache

    @classmethod
    async def open(cls, store: Store, cache: FolderBlobs) -> Self:
        """The blobs of `store`."""
        await store.migrate(COMPONENT, MIGRATIONS)
        blobs = cls(store, cache)
        await blobs._forget_deleted()
        return blobs

    async def put(self, content: bytes) -> str:
        digest = digest_of(content)
        if not await self._store.read(lambda reader: _exists(reader, digest)):
            await self._store.transact(lambda tx: _put(tx, digest, content))
        await self._cache.put(content)
        return digest

    async def get(self, digest: str) -> bytes:
        try:
            return await self._cache.get(digest)
        except KeyError:
            return await self._fetch(digest)

    async def path(self, digest: str) -> Path:
        try:
            return await self._cache.path(digest)
        except KeyError:
            await self._fetch(digest)
            return await self._cache.path(digest)

    async def delete(self, digest: str) -> None:
        await self._store.transact(lambda tx: _delete(tx, digest))
        await self._cache.delete(digest)

    async def reset(self) -> None:
        await self._store.transact(_delete_all)
        await self._cache.reset()

    async def _fetch(self, digest: str) -> bytes:
        """Bring a blob into the cache. Raises KeyError when there is none."""
        content = await self._store.read(lambda reader: _content(reader, digest))
        if content is None:
            raise KeyError(digest)
        await self._cache.put(content)
        return content

    async def _forget_deleted(self) -> None:
        """Drop from the cache what other nodes have deleted while this one was away."""
        for digest in self._cache.digests():
            if not await self._store.read(functools.partial(_exists, digest=digest)):
                await self._cache.delete(digest)


def _exists(reader: Reader, digest: str) -> bool:
    return reader.one("SELECT digest FROM blob WHERE digest = ?", (digest,)) is not None


def _content(reader: Reader, digest: str) -> bytes | None:
    if not _exists(reader, digest):
        return None
    pieces: list[bytes] = []
    while row := reader.one("SELECT content FROM blob_piece WHERE digest = ? AND number = ?", (digest, len(pieces))):
        pieces.append(row[0])
    return b"".join(pieces)


def _put(tx: Transaction, digest: str, content: bytes) -> None:
    if _exists(tx, digest):
        return
    tx.execute("INSERT INTO blob (digest, size_bytes) VALUES (?, ?)", (digest, len(content)))
    for number, start in enumerate(range(0, len(content), PIECE_BYTES)):
        piece = content[start : start + PIECE_BYTES]
        tx.execute("INSERT INTO blob_piece (digest, number, content) VALUES (?, ?, ?)", (digest, number, piece))


def _delete(tx: Transaction, digest: str) -> None:
    tx.execute("DELETE FROM blob WHERE digest = ?", (digest,))
    tx.execute("DELETE FROM blob_piece WHERE digest = ?", (digest,))


def _delete_all(tx: Transaction) -> None:
    tx.execute("DELETE FROM blob")
    tx.execute("DELETE FROM blob_piece")
