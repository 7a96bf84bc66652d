"""SQLite's write-ahead log: kept small, and kept out of the way of commits.

A checkpoint moves what the log holds into the database. The bulk is moved by a thread of its own beside the commits.
Under a steady load that never ends - there is always one more commit - and the log would grow without bound, so when
it is past its limit, the committing thread moves the short rest between two batches; the next commit then starts over.
The file is not cut then: writing over it costs half of what growing it costs.
"""

import asyncio
import logging
import os
import sqlite3
from pathlib import Path

from cloudlet.store.worker import Worker

logger = logging.getLogger(__name__)

CHECKPOINT_COMMITS = 1500
CHECKPOINT_GROWTH_BYTES = 8 * 1024 * 1024
MAX_LOG_BYTES = 16 * 1024 * 1024
"""Once the log in use is larger, the rest is moved between two batches."""


class WriteAheadLog:
    """When to move the log into the database, and who does it."""

    def __init__(self, file: Path, connection: sqlite3.Connection, loop: asyncio.AbstractEventLoop) -> None:
        """`connection` is used by this alone."""
        self._connection = connection
        self._page_bytes = int(connection.execute("PRAGMA page_size").fetchone()[0])
        self._worker = Worker("store-checkpoint", loop)
        self._descriptor = os.open(f"{file}-wal", os.O_RDWR | os.O_CLOEXEC)
        self._size_bytes = os.fstat(self._descriptor).st_size
        self._commits = 0
        self._is_running = False
        self._in_use_bytes = 0
        self._failed = False
        self.needs_turn = False
        """True when `finish` should run between two batches."""

    def committed(self) -> None:
        """Count a commit; start moving when it is time. Called in the event loop."""
        self._commits += 1
        if self._is_running:
            return
        size_bytes = os.fstat(self._descriptor).st_size
        if self._commits >= CHECKPOINT_COMMITS or size_bytes - self._size_bytes >= CHECKPOINT_GROWTH_BYTES:
            self._size_bytes = size_bytes
            self._commits = 0
            self._is_running = True
            self._worker.submit(lambda: self._move(self._connection), self._moved)

    def finish(self, writer: sqlite3.Connection) -> None:
        """Move the rest, in the committing thread, while nothing is written."""
        self._move(writer)

    def finished(self, error: BaseException | None) -> None:
        """Take note of how `finish` went, in the event loop."""
        self.needs_turn = False
        self._note(error)

    async def close(self) -> None:
        """Wait for what runs, and let go of the log."""
        await asyncio.to_thread(self._worker.stop)
        os.close(self._descriptor)
        self._connection.close()

    def _move(self, connection: sqlite3.Connection) -> None:
        _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        self._in_use_bytes = pages * self._page_bytes

    def _moved(self, error: BaseException | None) -> None:
        self._is_running = False
        self._note(error)
        if error is None and self._in_use_bytes > MAX_LOG_BYTES:
            self.needs_turn = True

    def _note(self, error: BaseException | None) -> None:
        if error is not None and not self._failed:
            logger.warning("the log could not be moved into the database, which is tried again: %s", error)
        self._failed = error is not None
