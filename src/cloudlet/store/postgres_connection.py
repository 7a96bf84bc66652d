"""One PostgreSQL connection: how it is opened, how SQL and errors are translated, and the `Transaction` on it."""

import functools
import logging
import re
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg import errors
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import BytesBinaryDumper

from cloudlet.store.base import Parameter, Row, StoreError, StoreFull, StoreUnavailable, UniqueViolation
from cloudlet.store.checks import check_notification, check_parameters

CONNECT_TIMEOUT_S = 5
SETTINGS = {
    "default_transaction_isolation": "serializable",
    "synchronous_commit": "on",
    "idle_in_transaction_session_timeout": "60s",
    "enable_seqscan": "off",  # a scan of a whole table conflicts with each change of it, an index with few
    "jit": "off",
    "lock_timeout": "20ms",  # who waits longer for a row would conflict anyway; deadlocks are found after 1 s
}
KEEPALIVE: dict[str, Any] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

_TOKEN = re.compile(r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/ | \? | %""", re.VERBOSE | re.DOTALL)
_TABLE_STATEMENT = re.compile(r"\s*(CREATE|ALTER)\s+TABLE\b", re.IGNORECASE)
_UNAVAILABLE_CLASSES = ("08", "53", "57", "58", "25006")


class _BoolDumper(Dumper):
    """Truth is a number, as in SQLite."""

    oid = Int8Dumper.oid

    def dump(self, obj: bool) -> Buffer:
        return b"1" if obj else b"0"


class _NumberLoader(Loader):
    """SUM of BIGINT is a whole number, AVG is not."""

    def load(self, data: Buffer) -> int | float:
        text = bytes(data)
        return float(text) if b"." in text or not text.lstrip(b"-").isdigit() else int(text)


# It warns of every statement that fails among many: that is how a conflict shows, and who runs it is told anyway.
logging.getLogger("psycopg").setLevel(logging.ERROR)


def connect(url: str) -> psycopg.Connection[Row]:
    """A connection in autocommit mode. Raises psycopg.OperationalError."""
    connection = psycopg.connect(
        url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S, application_name="cloudlet", **KEEPALIVE
    )
    adapters = connection.adapters
    adapters.register_dumper(int, Int8Dumper)  # one type for all sizes: one plan for a statement
    adapters.register_dumper(bool, _BoolDumper)
    adapters.register_dumper(bytes, BytesBinaryDumper)
    adapters.register_loader("numeric", _NumberLoader)
    for name, value in SETTINGS.items():
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    return connection


@functools.lru_cache(maxsize=4096)
def translated_sql(sql: str) -> str:
    """`sql` with `%s` for each `?` that is not inside a string, a name or a comment."""
    return _TOKEN.sub(lambda match: "%s" if match[0] == "?" else match[0].replace("%", "%%"), sql)


def schema(statement: str) -> str:
    """A migration's statement in PostgreSQL's words. Text is ordered by its bytes, whatever the database's language."""
    if not _TABLE_STATEMENT.match(statement):
        return statement
    statement = re.sub(r"\bBLOB\b", "BYTEA", statement)
    statement = re.sub(r"\bTEXT\b", 'TEXT COLLATE "C"', statement, flags=re.IGNORECASE)
    return re.sub(r"\bWITHOUT\s+ROWID\s*$", "", statement, flags=re.IGNORECASE)


def is_retryable(error: BaseException | None) -> bool:
    """True when the same transaction may succeed when it is run again."""
    return isinstance(error, errors.SerializationFailure | errors.DeadlockDetected | errors.LockNotAvailable)


def translated(error: psycopg.Error, sql: str) -> Exception:
    """The store's error for PostgreSQL's."""
    state = error.sqlstate or ""
    text = str(error).strip()
    if isinstance(error, errors.UniqueViolation):
        return UniqueViolation(text)
    if isinstance(error, errors.DiskFull):
        return StoreFull(f"no space is left for the database: {text}")
    if state.startswith(_UNAVAILABLE_CLASSES) or (not state and isinstance(error, psycopg.OperationalError)):
        return StoreUnavailable(f"the database cannot be reached: {text}")
    return StoreError(f"{text}: {sql}")


class PostgresReader:
    """Statements on a connection; keeps the first error, after which the transaction cannot go on."""

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self._cursor = connection.cursor()
        self.cause: psycopg.Error | None = None
        """Set once a statement has failed: nothing of this transaction may be kept."""
        self.error: Exception | None = None
        """`cause` in the store's words."""

    def query(self, sql: str, parameters: Sequence[Parameter] = ()) -> list[Row]:
        self._execute(sql, parameters)
        try:
            return self._cursor.fetchall()
        except psycopg.Error as error:
            raise self._failed(error, sql) from error

    def one(self, sql: str, parameters: Sequence[Parameter] = ()) -> Row | None:
        rows = self.query(sql, parameters)
        return rows[0] if rows else None

    def _execute(self, sql: str, parameters: Sequence[Parameter]) -> None:
        if self.error is not None:
            raise self.error
        check_parameters(sql, parameters)
        try:
            self._cursor.execute(translated_sql(sql), parameters)
        except psycopg.Error as error:
            raise self._failed(error, sql) from error

    def _failed(self, error: psycopg.Error, sql: str) -> Exception:
        self.cause = error
        self.error = translated(error, sql)
        return self.error


class PostgresTransaction(PostgresReader):
    """A transaction of its own on one connection."""

    skip_locked = "FOR UPDATE SKIP LOCKED"

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        super().__init__(connection)
        self.notifications: dict[tuple[str, str], None] = {}

    def execute(self, sql: str, parameters: Sequence[Parameter] = ()) -> int:
        self._execute(sql, parameters)
        try:
            return self._cursor.rowcount
        except psycopg.Error as error:
            raise self._failed(error, sql) from error

    def execute_many(self, sql: str, rows: Iterable[Sequence[Parameter]]) -> None:
        if self.error is not None:
            raise self.error
        rows = list(rows)
        for row in rows:
            check_parameters(sql, row)
        try:
            self._cursor.executemany(translated_sql(sql), rows)
        except psycopg.Error as error:
            raise self._failed(error, sql) from error

    def notify(self, channel: str, payload: str = "") -> None:
        check_notification(channel, payload)
        self.notifications[channel, payload] = None
