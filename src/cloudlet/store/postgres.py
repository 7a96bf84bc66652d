"""The shared store: PostgreSQL, for many nodes.

Each transaction has a connection and a thread for its time. All are SERIALIZABLE: a function was written as if it were
alone, and REPEATABLE READ would let two of them each check what the other one changes (count, then insert). Functions
that conflict are run again. Reads take REPEATABLE READ: one state of the database, and never a conflict.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

from cloudlet.store import migrations as steps
from cloudlet.store.base import Migration, Reader, StoreError, StoreUnavailable, Transaction
from cloudlet.store.folder import FolderLock, new_name
from cloudlet.store.listeners import Listeners
from cloudlet.store.postgres_connection import PostgresReader, PostgresTransaction, schema
from cloudlet.store.postgres_notify import Notifier
from cloudlet.store.postgres_pool import BEGIN_READ, BEGIN_SCHEMA, BEGIN_WRITE, Job, Pool

T = TypeVar("T")

MAX_WAITING = 4096
"""Calls that wait for a thread; the next ones wait for room before they queue."""
SCHEMA_LOCK = 0x636C6F75646C6574
"""The advisory lock that a node holds while it changes the schema: `cloudlet` in ASCII."""


class PostgresStore:
    """One node's way to the database. Made by `open`, in the event loop that will use it."""

    shared = True

    def __init__(self, url: str, node: str, loop: asyncio.AbstractEventLoop, lock: FolderLock | None) -> None:
        self.node = node
        self._loop = loop
        self._lock = lock
        self._listeners = Listeners()
        self._notifier = Notifier(url, node, self._listeners)
        self._pool = Pool(url, loop)
        self._room = asyncio.Semaphore(MAX_WAITING)
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False

    @classmethod
    async def open(cls, url: str, lock: FolderLock | None = None) -> Self:
        """Connect to the database at `url` (`postgresql://...`). `lock` is released when the store is closed.

        The node has the name that the locked folder has, or a new one.

        Raises StoreUnavailable when the database cannot be reached, StoreError when it cannot be used.
        """
        node = lock.name() if lock is not None else new_name()
        store = cls(url, node, asyncio.get_running_loop(), lock)
        try:
            await store._run(BEGIN_SCHEMA, _prepare)
        except BaseException:
            await store.close()
            raise
        store._notifier.start()
        return store

    async def migrate(self, component: str, migrations: Sequence[Migration]) -> None:
        def apply(tx: Transaction) -> None:
            tx.query("SELECT pg_advisory_xact_lock(?)", (SCHEMA_LOCK,))
            for step in steps.pending(tx, component, migrations):
                for statement in step.statements:
                    tx.execute(schema(statement))
                steps.record(tx, component, step)

        await self._run(BEGIN_SCHEMA, apply)

    async def transact(self, fn: Callable[[Transaction], T]) -> T:
        result: T = await self._run(BEGIN_WRITE, fn)
        return result

    async def read(self, fn: Callable[[Reader], T]) -> T:
        result: T = await self._run(BEGIN_READ, fn)
        return result

    def listen(self, channel: str, listener: Callable[[str], None]) -> Callable[[], None]:
        return self._listeners.add(channel, listener)

    async def reset(self) -> None:
        def empty(tx: Transaction) -> None:
            rows = tx.query("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
            if names := ", ".join(f'"{name}"' for (name,) in rows if name != steps.TABLE):
                tx.execute(f"TRUNCATE {names}")

        await self._run(BEGIN_SCHEMA, empty)

    async def close(self) -> None:
        """Finish what was given to `transact` and `read`, then end."""
        if self._closed:
            return
        self._closed = True
        await self._idle.wait()
        await self._notifier.stop()
        await asyncio.to_thread(self._pool.stop)
        if self._lock is not None:
            self._lock.release()

    async def _run(self, begin: str, fn: Callable[[Any], Any]) -> Any:
        self._check_open()
        async with self._room:
            self._check_open()
            future: asyncio.Future[tuple[Any, BaseException | None]] = self._loop.create_future()

            def done(result: Any, error: BaseException | None, tx: PostgresReader | None) -> None:
                self._end(tx)
                if not future.done():
                    future.set_result((result, error))

            self._running += 1
            self._idle.clear()
            self._pool.submit(Job(begin, fn, done))
            result, error = await future
        if error is not None:
            raise error
        return result

    def _end(self, tx: PostgresReader | None) -> None:
        self._running -= 1
        if not self._running:
            self._idle.set()
        if isinstance(tx, PostgresTransaction) and tx.notifications:
            self._listeners.call(tx.notifications)
            self._notifier.send(tx.notifications)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")


def _prepare(tx: Transaction) -> None:
    encoding = tx.one("SELECT current_setting('server_encoding')")
    if encoding != ("UTF8",):
        raise StoreError(f"the database's encoding is {encoding and encoding[0]}: Cloudlet needs UTF8")
    tx.query("SELECT pg_advisory_xact_lock(?)", (SCHEMA_LOCK,))
    tx.execute(schema(steps.CREATE_TABLE))
