"""One SQLite connection: how it is opened, how its errors are named, and the `Transaction` that runs on it."""

import functools
import re
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from cloudlet.store.base import Parameter, Row, StoreError, StoreFull, StoreUnavailable, UniqueViolation
from cloudlet.store.checks import check_notification, check_parameters

CACHED_STATEMENTS = 512
WRITER_CACHE_KIB = 16 * 1024
READER_CACHE_KIB = 8 * 1024

_UNIQUE = {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID}
_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_TRUNCATE}
_FAILED = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN}
_FAILED |= {sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_PROTOCOL}
_TABLE_STATEMENT = re.compile(r"\s*(CREATE|ALTER)\s+TABLE\b", re.IGNORECASE)
_TYPES = {"BIGINT": "INTEGER", "DOUBLE PRECISION": "REAL"}


def connect(file: Path, cache_kib: int) -> sqlite3.Connection:
    """A connection in autocommit mode, which any thread may use, one at a time."""
    connection = sqlite3.connect(
        file, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=CACHED_STATEMENTS
    )
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "wal_autocheckpoint = 0",
        "foreign_keys = ON",
        "case_sensitive_like = ON",
        "temp_store = MEMORY",
        f"cache_size = -{cache_kib}",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection


def is_busy(error: sqlite3.Error) -> bool:
    """True when another program holds a lock on the database."""
    return (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF == sqlite3.SQLITE_BUSY


def translated(error: sqlite3.Error, sql: str) -> StoreError:
    """The store's error for SQLite's."""
    code = getattr(error, "sqlite_errorcode", 0) or 0
    if code in _UNIQUE:
        return UniqueViolation(str(error))
    if code in _FULL:
        return StoreFull(f"no space is left for the database: {error}")
    if code & 0xFF in _FAILED:
        return StoreUnavailable(f"the database failed: {error}")
    return StoreError(f"{error}: {sql}")


def schema(statement: str) -> str:
    """A migration's statement in SQLite's words. Tables are STRICT, as strict as PostgreSQL's, where types matter."""
    match = _TABLE_STATEMENT.match(statement)
    if match is None:
        return statement
    for portable, own in _TYPES.items():
        statement = re.sub(rf"\b{portable}\b", own, statement, flags=re.IGNORECASE)
    if match[1].upper() == "ALTER":
        return statement
    ends_with_option = re.search(r"\bWITHOUT\s+ROWID\s*$", statement, re.IGNORECASE)
    return f"{statement}{',' if ends_with_option else ''} STRICT"


@functools.lru_cache(maxsize=4096)
def _only_reads(sql: str) -> bool:
    return sql.lstrip()[:6].upper() == "SELECT"


class SqliteReader:
    """Statements on a connection; keeps the first error that forbids going on."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._cursor = connection.cursor()
        self.error: Exception | None = None
        """Set once a statement has failed: nothing of this transaction may be kept."""

    def query(self, sql: str, parameters: Sequence[Parameter] = ()) -> list[Row]:
        self._prepare(sql, parameters)
        try:
            return self._cursor.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error, sql) from error

    def one(self, sql: str, parameters: Sequence[Parameter] = ()) -> Row | None:
        rows = self.query(sql, parameters)
        return rows[0] if rows else None

    def _prepare(self, sql: str, parameters: Sequence[Parameter]) -> None:
        if self.error is not None:
            raise self.error
        check_parameters(sql, parameters)

    def _failed(self, error: sqlite3.Error, sql: str) -> StoreError:
        self.error = failure = translated(error, sql)
        return failure


class SqliteTransaction(SqliteReader):
    """The functions of one batch run on this, one after the other.

    What the first function that changes something did is undone by beginning the transaction anew. For the others that
    takes a savepoint, which costs as much as their statements, and nearly none of them fails: so a batch runs without
    savepoints, and where one would have been needed, the batch is run again with them (`begin_again`).
    """

    skip_locked = ""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.notifications: dict[tuple[str, str], None] = {}
        self._own_notifications: dict[tuple[str, str], None] = {}
        self._changed_before = False
        self._has_changed = False
        """True when the function that runs has changed something."""
        self._with_savepoints = False
        self._has_savepoint = False

    @property
    def changed(self) -> bool:
        """True when the batch has something to commit."""
        return self._changed_before or self._has_changed

    def execute(self, sql: str, parameters: Sequence[Parameter] = ()) -> int:
        self._prepare(sql, parameters)
        try:
            return self._cursor.execute(sql, parameters).rowcount
        except sqlite3.Error as error:
            raise self._failed(error, sql) from error

    def execute_many(self, sql: str, rows: Iterable[Sequence[Parameter]]) -> None:
        rows = list(rows)
        self._prepare(sql, ())
        for row in rows:
            check_parameters(sql, row)
        try:
            self._cursor.executemany(sql, rows)
        except sqlite3.Error as error:
            raise self._failed(error, sql) from error

    def notify(self, channel: str, payload: str = "") -> None:
        check_notification(channel, payload)
        self._own_notifications[channel, payload] = None

    def begin(self) -> None:
        """Start a batch. Raises sqlite3.OperationalError (see `is_busy`)."""
        self._cursor.execute("BEGIN IMMEDIATE")
        self._with_savepoints = False
        self._forget()

    def begin_again(self) -> None:
        """Undo what the batch did, and start it once more, with savepoints. Raises sqlite3.OperationalError."""
        self._restart()
        self._with_savepoints = True
        self._forget()

    def start(self) -> None:
        """Start a function."""
        if self._has_changed:
            self._changed_before = True
            self._has_changed = self._has_savepoint = False
        if self._own_notifications:
            self._own_notifications = {}

    def keep(self) -> None:
        """Keep what the function did."""
        if self._has_savepoint:
            self._cursor.execute("RELEASE f")
        if self._own_notifications:
            self.notifications.update(self._own_notifications)

    def undo(self) -> bool:
        """Undo what the function did; false where only the whole batch can be undone."""
        if self._has_savepoint:
            self._cursor.execute("ROLLBACK TO f")
            self._cursor.execute("RELEASE f")
        elif self._has_changed and self._changed_before:
            return False
        elif self._has_changed:
            self._restart()
        self._has_changed = self._has_savepoint = False
        self.error = None
        return True

    def _restart(self) -> None:
        self._cursor.execute("ROLLBACK")
        self._cursor.execute("BEGIN IMMEDIATE")

    def _forget(self) -> None:
        self.error = None
        self._changed_before = self._has_changed = self._has_savepoint = False
        self.notifications = {}

    def _prepare(self, sql: str, parameters: Sequence[Parameter]) -> None:
        if self.error is not None:
            raise self.error
        check_parameters(sql, parameters)
        if self._has_changed or _only_reads(sql):
            return
        if self._with_savepoints and self._changed_before:
            self._cursor.execute("SAVEPOINT f")
            self._has_savepoint = True
        self._has_changed = True
