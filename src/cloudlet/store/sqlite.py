"""The embedded store: SQLite with group commit.

```
transact(fn) --> queue --> batch: BEGIN  fn  fn  fn ...  (in the event loop, in order; again if one of them fails)
                  ^          |
                  |          v
                  |        COMMIT with fsync (in a thread)
                  |          |
                  +-- next batch gathers        --> notifications, then every caller of the batch goes on
```

Invariant: a caller goes on only when the batch with its function is on disk, and so is everything that the function
saw. The functions run in the loop and not in the committing thread because each statement gives up the interpreter's
lock and would wait for it behind the loop, up to 5 ms a statement on a busy node. Rejected: COMMIT without fsync and an
fsync of the log of our own beside it: batches may overlap then, but readers see what a power cut may take back, and it
was 7 % faster one by one.
"""

import asyncio
import logging
import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from cloudlet.store import migrations as steps
from cloudlet.store.base import Migration, Reader, StoreError, StoreFull, StoreUnavailable, Transaction
from cloudlet.store.folder import FolderLock
from cloudlet.store.listeners import Listeners
from cloudlet.store.sqlite_connection import (
    READER_CACHE_KIB,
    WRITER_CACHE_KIB,
    SqliteReader,
    SqliteTransaction,
    connect,
    is_busy,
    schema,
    translated,
)
from cloudlet.store.sqlite_log import WriteAheadLog
from cloudlet.store.worker import Worker

logger = logging.getLogger(__name__)
T = TypeVar("T")

DATABASE_FILE = "cloudlet.db"
MAX_WAITING = 4096
"""Calls of transact that wait; the next ones wait for room before they queue."""
MAX_BATCH = 512
MAX_BATCH_S = 0.005
"""A batch is closed after this time in the event loop, so that others get their turn."""
BUSY_RETRY_S = 0.01
BUSY_TIMEOUT_S = 5.0
"""How long a lock of another program (a backup, a shell) is waited for."""


class _Call:
    """One call of transact: its function, then what came of it."""

    __slots__ = ("error", "fn", "future", "result")

    def __init__(self, fn: Callable[[Transaction], Any], future: asyncio.Future[None]) -> None:
        self.fn = fn
        self.future = future
        self.result: Any = None
        self.error: Exception | None = None

    def finish(self) -> None:
        if not self.future.done():
            self.future.set_result(None)


class SqliteStore:
    """The store of one node, in one file. Made by `open`, in the event loop that will use it."""

    shared = False
    node = "only"

    def __init__(self, file: Path, lock: FolderLock, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = lock
        self._writer = connect(file, WRITER_CACHE_KIB)
        self._tx = SqliteTransaction(self._writer)
        self._log = WriteAheadLog(file, connect(file, READER_CACHE_KIB), loop)
        self._reader = connect(file, READER_CACHE_KIB)
        self._reader.execute("PRAGMA query_only = ON")
        self._committer = Worker("store-commit", loop)
        self._listeners = Listeners()
        self._queue: deque[_Call] = deque()
        self._waiters: deque[asyncio.Future[None]] = deque()
        """Those who wait for room in the queue."""
        self._idle = asyncio.Event()
        """Clear while a batch runs or commits, or is about to."""
        self._idle.set()
        self._busy_until: float | None = None
        self._closed = False

    @classmethod
    async def open(cls, folder: Path) -> Self:
        """Open the database in `folder`, which is made where it is missing.

        Raises StoreLocked when another node has the folder, StoreError when the database cannot be used.
        """
        lock = FolderLock(folder)
        try:
            file = folder / DATABASE_FILE
            os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # SQLite gives its log the same mode
            store = cls(file, lock, asyncio.get_running_loop())
        except sqlite3.Error as error:
            lock.release()
            raise translated(error, str(folder)) from error
        except BaseException:
            lock.release()
            raise
        try:
            await store.transact(lambda tx: tx.execute(schema(steps.CREATE_TABLE)))
        except BaseException:
            await store.close()
            raise
        return store

    async def migrate(self, component: str, migrations: Sequence[Migration]) -> None:
        def apply(tx: Transaction) -> None:
            for step in steps.pending(tx, component, migrations):
                for statement in step.statements:
                    tx.execute(schema(statement))
                steps.record(tx, component, step)

        await self.transact(apply)

    async def transact(self, fn: Callable[[Transaction], T]) -> T:
        self._check_open()
        while len(self._queue) >= MAX_WAITING:
            waiter = self._loop.create_future()
            self._waiters.append(waiter)
            await waiter
            self._check_open()
        call = _Call(fn, self._loop.create_future())
        self._queue.append(call)
        if self._idle.is_set():
            self._idle.clear()
            self._loop.call_soon(self._run_batch)
        await call.future
        if call.error is not None:
            raise call.error
        result: T = call.result
        return result

    async def read(self, fn: Callable[[Reader], T]) -> T:
        self._check_open()
        try:
            self._reader.execute("BEGIN")
            try:
                return fn(SqliteReader(self._reader))
            finally:
                self._reader.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise translated(error, "BEGIN") from error

    def listen(self, channel: str, listener: Callable[[str], None]) -> Callable[[], None]:
        return self._listeners.add(channel, listener)

    async def reset(self) -> None:
        def empty(tx: Transaction) -> None:
            tx.execute("PRAGMA defer_foreign_keys = ON")
            for (name,) in tx.query("SELECT name FROM sqlite_master WHERE type = 'table'"):
                if name != steps.TABLE and not name.startswith("sqlite_"):
                    tx.execute(f'DELETE FROM "{name}"')

        await self.transact(empty)

    async def close(self) -> None:
        """Finish what was given to `transact`, then end."""
        if self._closed:
            return
        self._closed = True
        await self._idle.wait()
        await self._log.close()
        await asyncio.to_thread(self._close_connections)
        self._lock.release()

    def _close_connections(self) -> None:
        """The last connection that closes moves the log into the database, which takes its time."""
        self._committer.stop()
        self._reader.close()
        self._writer.close()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")

    def _run_batch(self) -> None:
        """Run the functions that wait, and send them to be committed."""
        try:
            self._tx.begin()
        except sqlite3.Error as error:
            self._could_not_begin(error)
            return
        self._busy_until = None
        batch: list[_Call] = []
        failure: StoreError | None = None
        end = time.perf_counter() + MAX_BATCH_S  # uvloop's own time stands still while a callback runs
        while self._queue and failure is None and len(batch) < MAX_BATCH and time.perf_counter() < end:
            call = self._queue.popleft()
            if not call.future.done():
                batch.append(call)
                failure = self._run_one(call, batch)
        if self._waiters:
            self._make_room()
        if failure is None and self._tx.changed:
            self._committer.submit(self._commit, lambda error: self._end_batch(batch, error))
        else:
            self._end_batch(batch, failure)

    def _make_room(self) -> None:
        for _ in range(min(len(self._waiters), MAX_WAITING - len(self._queue))):
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)

    def _run_one(self, call: _Call, batch: Sequence[_Call]) -> StoreError | None:
        """Run one function of `batch`; an error when that has cost the whole batch its transaction."""
        tx = self._tx
        tx.start()
        try:
            call.result = call.fn(tx)
            call.error = tx.error
        except Exception as error:
            call.error = error
        if isinstance(tx.error, StoreFull | StoreUnavailable):
            return tx.error
        try:
            if call.error is None:
                tx.keep()
            elif not tx.undo():
                return self._run_again(batch)
        except sqlite3.Error as error:
            return translated(error, "savepoint")
        return None

    def _run_again(self, batch: Sequence[_Call]) -> StoreError | None:
        """Undo a batch and run its functions once more, in a way in which each can be undone by itself."""
        self._tx.begin_again()
        for call in batch:
            failure = self._run_one(call, batch)
            if failure is not None:
                return failure
        return None

    def _commit(self) -> None:
        self._writer.execute("COMMIT")

    def _end_batch(self, batch: Sequence[_Call], error: BaseException | None) -> None:
        """Let the callers of `batch` go on, and start the next one."""
        if error is None and not self._tx.changed:
            self._writer.execute("COMMIT")
        elif error is None:
            self._log.committed()
        elif self._writer.in_transaction:
            self._writer.execute("ROLLBACK")
        if error is None:
            self._listeners.call(self._tx.notifications)
        else:
            self._fail(batch, translated(error, "COMMIT") if isinstance(error, sqlite3.Error) else error)
        for call in batch:
            call.finish()
        self._next()

    def _fail(self, batch: Sequence[_Call], error: BaseException) -> None:
        kind = type(error) if isinstance(error, StoreFull | StoreUnavailable) else StoreUnavailable
        for call in batch:
            call.error = kind(str(error))
            call.error.__cause__ = error

    def _next(self) -> None:
        if self._log.needs_turn:
            self._committer.submit(lambda: self._log.finish(self._writer), self._log_finished)
        elif self._queue:
            self._loop.call_soon(self._run_batch)  # after the callers that go on: what they write next is in the batch
        else:
            self._idle.set()

    def _log_finished(self, error: BaseException | None) -> None:
        self._log.finished(error)
        self._next()

    def _could_not_begin(self, error: sqlite3.Error) -> None:
        """Wait for another program's lock, up to a limit; fail what waits when that does not help."""
        now = self._loop.time()
        if is_busy(error):
            self._busy_until = self._busy_until or now + BUSY_TIMEOUT_S
            if now < self._busy_until:
                self._loop.call_later(BUSY_RETRY_S, self._run_batch)
                return
        self._busy_until = None
        batch = tuple(self._queue)
        self._queue.clear()
        self._fail(batch, translated(error, "BEGIN"))
        for call in batch:
            call.finish()
        self._make_room()
        self._next()
