"""Blobs that many nodes share: rows of the database, and files of this node that hold what it has used.

A blob is kept in pieces, so that no row is larger than what PostgreSQL and its driver hold in memory at ease.
"""

import asyncio
import functools
import os
from pathlib import Path
from typing import Self

from cloudlet.store.base import Migration, Reader, Store, Transaction
from cloudlet.store.folder_blobs import FolderBlobs, digest_of
from cloudlet.threads import made_in_thread

PIECE_BYTES = 4 * 1024 * 1024
COMPONENT = "blobs"


def migrations(table: str) -> tuple[Migration, ...]:
    """The schema of one kind of blobs."""
    return (
        Migration(
            1,
            (
                f"CREATE TABLE {table} (digest TEXT PRIMARY KEY, size_bytes BIGINT NOT NULL)",
                f"CREATE TABLE {table}_piece "
                "(digest TEXT, number BIGINT, content BLOB NOT NULL, PRIMARY KEY (digest, number))",
            ),
        ),
    )


class PostgresBlobs:
    """Blobs in a store that is shared, with a folder as their cache. Made by `open`."""

    def __init__(self, store: Store, cache: FolderBlobs, table: str) -> None:
        self._store = store
        self._cache = cache
        self._rows = _Rows(table)

    @classmethod
    async def open(cls, store: Store, cache: FolderBlobs, component: str = COMPONENT, table: str = "blob") -> Self:
        """The blobs of `store` that are kept in `table`; each kind has one of its own."""
        await store.migrate(component, migrations(table))
        blobs = cls(store, cache, table)
        await blobs._forget_deleted()
        return blobs

    async def put(self, content: bytes) -> str:
        digest = digest_of(content)
        if not await self._store.read(lambda reader: self._rows.exists(reader, digest)):
            await self._store.transact(lambda tx: self._rows.put(tx, digest, content))
        await self._cache.put(content)
        return digest

    def scratch(self) -> tuple[int, Path]:
        return self._cache.scratch()

    async def adopt(self, path: Path, digest: str) -> None:
        if not await self._store.read(lambda reader: self._rows.exists(reader, digest)):
            size_bytes = await asyncio.to_thread(lambda: path.stat().st_size)
            for number in range(-(-size_bytes // PIECE_BYTES)):
                piece = await asyncio.to_thread(_piece, path, number)
                # A transaction each: what has no row in the table of blobs is none, whatever pieces there are.
                await self._store.transact(
                    functools.partial(self._rows.put_piece, digest=digest, number=number, piece=piece)
                )
            await self._store.transact(lambda tx: self._rows.put_row(tx, digest, size_bytes))
        await self._cache.adopt(path, digest)

    async def get(self, digest: str) -> bytes:
        try:
            return await self._cache.get(digest)
        except KeyError:
            await self._fetch(digest)
            return await self._cache.get(digest)

    async def path(self, digest: str) -> Path:
        try:
            return await self._cache.path(digest)
        except KeyError:
            await self._fetch(digest)
            return await self._cache.path(digest)

    async def delete(self, digest: str) -> None:
        await self._store.transact(lambda tx: self._rows.delete(tx, digest))
        await self._cache.delete(digest)

    async def reset(self) -> None:
        await self._store.transact(self._rows.delete_all)
        await self._cache.reset()

    async def _fetch(self, digest: str) -> None:
        """Bring a blob into the cache, piece by piece. Raises KeyError when there is none."""
        if not await self._store.read(lambda reader: self._rows.exists(reader, digest)):
            raise KeyError(digest)
        descriptor, path = await made_in_thread(self.scratch, _give_up)
        try:
            with os.fdopen(descriptor, "wb") as file:
                number = 0
                while piece := await self._store.read(
                    functools.partial(self._rows.piece, digest=digest, number=number)
                ):
                    await asyncio.to_thread(file.write, piece)
                    number += 1
            await self._cache.adopt(path, digest)
        finally:
            path.unlink(missing_ok=True)

    async def _forget_deleted(self) -> None:
        """Drop from the cache what other nodes have deleted while this one was away."""
        for digest in self._cache.digests():
            if not await self._store.read(functools.partial(self._rows.exists, digest=digest)):
                await self._cache.delete(digest)


def _give_up(scratch: tuple[int, Path]) -> None:
    descriptor, path = scratch
    os.close(descriptor)
    path.unlink(missing_ok=True)


def _piece(path: Path, number: int) -> bytes:
    with path.open("rb") as file:
        file.seek(number * PIECE_BYTES)
        return file.read(PIECE_BYTES)


class _Rows:
    """The queries, for one pair of tables."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._pieces = f"{table}_piece"

    def exists(self, reader: Reader, digest: str) -> bool:
        return reader.one(f"SELECT digest FROM {self._table} WHERE digest = ?", (digest,)) is not None

    def piece(self, reader: Reader, digest: str, number: int) -> bytes | None:
        row = reader.one(f"SELECT content FROM {self._pieces} WHERE digest = ? AND number = ?", (digest, number))
        return row[0] if row is not None else None

    def put(self, tx: Transaction, digest: str, content: bytes) -> None:
        if self.exists(tx, digest):
            return
        for number, start in enumerate(range(0, len(content), PIECE_BYTES)):
            self.put_piece(tx, digest, number, content[start : start + PIECE_BYTES])
        self.put_row(tx, digest, len(content))

    def put_piece(self, tx: Transaction, digest: str, number: int, piece: bytes) -> None:
        tx.execute(
            f"INSERT INTO {self._pieces} (digest, number, content) VALUES (?, ?, ?) "
            "ON CONFLICT (digest, number) DO NOTHING",
            (digest, number, piece),
        )

    def put_row(self, tx: Transaction, digest: str, size_bytes: int) -> None:
        tx.execute(
            f"INSERT INTO {self._table} (digest, size_bytes) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING",
            (digest, size_bytes),
        )

    def delete(self, tx: Transaction, digest: str) -> None:
        tx.execute(f"DELETE FROM {self._table} WHERE digest = ?", (digest,))
        tx.execute(f"DELETE FROM {self._pieces} WHERE digest = ?", (digest,))

    def delete_all(self, tx: Transaction) -> None:
        tx.execute(f"DELETE FROM {self._table}")
        tx.execute(f"DELETE FROM {self._pieces}")
