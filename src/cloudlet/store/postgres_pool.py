"""Threads that run transactions, each with a connection of its own.

A transaction is run again when PostgreSQL says that it conflicts with another one - then alone on this node, so that
only other nodes' can be in its way - and when its connection is lost before COMMIT was sent. When the connection is
lost after that, nobody knows whether it was kept: it is neither run again nor acknowledged.
"""

import asyncio
import contextlib
import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg

from cloudlet.store.base import Row, StoreUnavailable
from cloudlet.store.postgres_connection import (
    PostgresReader,
    PostgresTransaction,
    connect,
    is_retryable,
    translated,
)

logger = logging.getLogger(__name__)

THREADS = 8
MAX_RETRY_S = 20.0
"""A transaction that conflicts this long is given up."""
MAX_CONNECTS = 3
RETRY_FIRST_S = 0.002
RETRY_MAX_S = 0.25
HOT, MAX_HEAT, COOLING = 2.0, 6.0, 0.98
"""A conflict counts 1, and less with each attempt without one; above HOT transactions are let in one by one."""

Done = Callable[[Any, BaseException | None, "PostgresReader | None"], None]

BEGIN_WRITE = "BEGIN"
BEGIN_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
BEGIN_SCHEMA = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = 0"


class Job:
    """One function to run in a transaction that starts with `begin`, and whom to tell."""

    __slots__ = ("begin", "done", "fn")

    def __init__(self, begin: str, fn: Callable[[Any], Any], done: Done) -> None:
        self.begin = begin
        self.fn = fn
        self.done = done


class _Gate:
    """Lets many transactions in together, or one alone.

    While conflicts are frequent each is let in alone: attempts that are thrown away cost more than waiting.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._waiting_alone = 0
        self._heat = 0.0

    def note(self, is_conflict: bool) -> None:
        """Count an attempt that conflicted or did not."""
        self._heat = min(self._heat + 1.0, MAX_HEAT) if is_conflict else self._heat * COOLING

    @contextlib.contextmanager
    def pass_through(self, alone: bool) -> Iterator[None]:
        """Be inside: with others, or alone. Who waits to be alone goes before those who come later."""
        alone = alone or self._heat > HOT
        with self._changed:
            if alone:
                self._waiting_alone += 1
                self._changed.wait_for(lambda: self._inside == 0)
                self._waiting_alone -= 1
                self._inside = -1
            else:
                self._changed.wait_for(lambda: self._inside >= 0 and not self._waiting_alone)
                self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside = 0 if alone else self._inside - 1
                if self._inside == 0:
                    self._changed.notify_all()


class Pool:
    """The threads. Jobs are begun in the order in which they come."""

    def __init__(self, url: str, loop: asyncio.AbstractEventLoop, threads: int = THREADS) -> None:
        self._url = url
        self._loop = loop
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._gate = _Gate()
        self._threads = [
            threading.Thread(target=self._run, name=f"store-{number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> None:
        """Run `job` in a thread, then call its `done(result, error, transaction)` in the event loop."""
        self._jobs.put(job)

    def stop(self) -> None:
        """End the threads once all jobs are done."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        session = _Session(self._url, self._gate)
        while (job := self._jobs.get()) is not None:
            result, error, tx = None, None, None
            try:
                result, tx = session.run(job)
            except BaseException as raised:
                error = raised
            try:
                self._loop.call_soon_threadsafe(job.done, result, error, tx)
            except RuntimeError:  # the loop is closed: nobody waits any more
                break
            del job, result, error, tx  # nothing is kept alive while waiting for the next one
        session.close()


class _Session:
    """A connection that is made anew when it is lost. Used by one thread."""

    def __init__(self, url: str, gate: _Gate) -> None:
        self._url = url
        self._gate = gate
        self._connection: psycopg.Connection[Row] | None = None

    def run(self, job: Job) -> tuple[Any, PostgresReader]:
        """Run `job` until it is committed or fails for good; its result and its transaction.

        Raises what its function raises, StoreUnavailable, StoreFull, UniqueViolation.
        """
        deadline = time.monotonic() + MAX_RETRY_S
        delay_s = RETRY_FIRST_S
        connects = 0
        conflicts = 0
        while True:
            connection = self._open()
            attempt = _Attempt(connection, job)
            try:
                if job.begin == BEGIN_READ:
                    return attempt.run(), attempt.tx
                with self._gate.pass_through(alone=conflicts > 0):
                    result = attempt.run()
                self._gate.note(is_conflict=False)
                return result, attempt.tx
            except BaseException as error:
                self._clear(connection)
                if self._connection is None and not attempt.is_sent:
                    connects += 1
                    may_retry = connects < MAX_CONNECTS
                else:
                    may_retry = is_retryable(attempt.cause)
                if not may_retry:
                    raise
                if time.monotonic() > deadline:
                    raise StoreUnavailable(f"a transaction conflicts with others for {MAX_RETRY_S:.0f} s") from error
            self._gate.note(is_conflict=True)
            conflicts += 1
            if conflicts > 1:  # the first time the conflict was most likely within this node
                time.sleep(random.uniform(0, delay_s))
                delay_s = min(delay_s * 2, RETRY_MAX_S)

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def _open(self) -> psycopg.Connection[Row]:
        if self._connection is None:
            try:
                self._connection = connect(self._url)
            except psycopg.Error as error:
                raise StoreUnavailable(f"the database cannot be reached: {error}") from error
        return self._connection

    def _clear(self, connection: psycopg.Connection[Row]) -> None:
        """End a failed transaction; let go of a connection that is lost."""
        try:
            if not connection.closed:
                connection.execute("ROLLBACK")
        except psycopg.Error:
            connection.close()
        if connection.closed:
            self._connection = None


class _Attempt:
    """One run of a job's function and its commit."""

    def __init__(self, connection: psycopg.Connection[Row], job: Job) -> None:
        self._connection = connection
        self._job = job
        self.tx: PostgresReader = (PostgresReader if job.begin == BEGIN_READ else PostgresTransaction)(connection)
        self.cause: psycopg.Error | None = None
        """PostgreSQL's error, when that is what ended it."""
        self.is_sent = False
        """True from when COMMIT may have reached the database."""

    def run(self) -> Any:
        try:
            self._connection.execute(self._job.begin)
        except psycopg.Error as error:
            self.cause = error
            raise translated(error, self._job.begin) from error
        try:
            result = self._job.fn(self.tx)
        finally:
            self.cause = self.tx.cause
        if self.tx.error is not None:
            raise self.tx.error
        self._commit()
        return result

    def _commit(self) -> None:
        self.is_sent = True
        try:
            outcome = self._connection.execute("COMMIT").statusmessage
        except psycopg.Error as error:
            if self._connection.closed or not error.sqlstate:
                raise StoreUnavailable(f"the database was lost during a commit: {error}") from error
            self.cause = error
            raise translated(error, "COMMIT") from error
        if outcome != "COMMIT":  # it says ROLLBACK, and no error, where an earlier statement had failed
            raise StoreUnavailable(f"the database answered a commit with {outcome}")
