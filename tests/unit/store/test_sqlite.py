"""What SQLite's store does beside the contract: batches, its files, its log, other programs."""

import asyncio
import fcntl
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest

from cloudlet.store import sqlite as module
from cloudlet.store import sqlite_log
from cloudlet.store.base import Migration, Reader, StoreError, StoreFull, StoreLocked, StoreUnavailable, Transaction
from cloudlet.store.folder import FolderLock, holder
from cloudlet.store.sqlite import DATABASE_FILE, SqliteStore
from cloudlet.store.sqlite_connection import schema

TABLE = Migration(1, ("CREATE TABLE pair (name BIGINT PRIMARY KEY, content BLOB)",))


class Refused(Exception):
    """What a function raises to have its changes undone."""


@pytest.fixture
async def store(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqliteStore]:
    """An open store with one table, whose batches no slow machine cuts short."""
    monkeypatch.setattr(module, "MAX_BATCH_S", 60)
    opened = await SqliteStore.open(data_folder)
    await opened.migrate("test", [TABLE])
    yield opened
    await opened.close()


def put(tx: Transaction, name: int, content: bytes = b"") -> None:
    """Insert a row."""
    tx.execute("INSERT INTO pair (name, content) VALUES (?, ?)", (name, content))


def names(reader: Reader) -> list[int]:
    """All rows."""
    return [name for (name,) in reader.query("SELECT name FROM pair ORDER BY name")]


def count_commits(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """A function that says how many commits there were since."""
    commits = 0
    commit = store._commit

    def counted() -> None:
        nonlocal commits
        commits += 1
        commit()

    monkeypatch.setattr(store, "_commit", counted)
    return lambda: commits


async def test_what_is_written_at_once_is_committed_at_once(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = count_commits(store, monkeypatch)
    await asyncio.gather(*(store.transact(partial(put, name=name)) for name in range(100)))
    assert commits() == 1


async def test_functions_run_in_the_order_in_which_they_were_given(store: SqliteStore) -> None:
    order: list[int] = []
    await asyncio.gather(*(store.transact(lambda tx, n=n: order.append(n)) for n in range(50)))  # type: ignore[misc]
    assert order == list(range(50))


async def test_a_batch_has_a_limit(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BATCH", 10)
    commits = count_commits(store, monkeypatch)
    await asyncio.gather(*(store.transact(partial(put, name=name)) for name in range(100)))
    assert commits() == 10


async def test_what_changes_nothing_is_not_committed_to_disk(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = count_commits(store, monkeypatch)
    assert await store.transact(names) == []
    with pytest.raises(Refused):
        await store.transact(refuse)
    assert commits() == 0


def refuse(tx: Transaction) -> None:
    """Write, and have it undone."""
    put(tx, -1)
    raise Refused


@pytest.mark.parametrize("failing", [{0}, {1}, {9}, {0, 1, 2}, {3, 5, 7}, set(range(10))])
async def test_exactly_the_functions_that_fail_are_undone(store: SqliteStore, failing: set[int]) -> None:
    results = await asyncio.gather(
        *(store.transact(refuse if name in failing else partial(put, name=name)) for name in range(10)),
        return_exceptions=True,
    )
    assert {name for name, result in enumerate(results) if isinstance(result, Refused)} == failing
    assert await store.read(names) == [name for name in range(10) if name not in failing]


async def test_neighbours_of_a_function_that_fails_answer_and_notify_once(store: SqliteStore) -> None:
    heard: list[str] = []
    store.listen("names", heard.append)

    def put_and_count(tx: Transaction, name: int) -> int:
        put(tx, name)
        tx.notify("names", str(name))
        return len(names(tx))

    writes = [store.transact(partial(put_and_count, name=1)), store.transact(refuse)]
    writes += [store.transact(partial(put_and_count, name=name)) for name in (2, 3)]
    first, error, *rest = await asyncio.gather(*writes, return_exceptions=True)
    assert isinstance(error, Refused)
    assert (first, *rest) == (1, 2, 3)
    assert heard == ["1", "2", "3"]


async def test_a_function_that_raises_sees_what_is_committed_with_it(store: SqliteStore) -> None:
    def judge(tx: Transaction) -> None:
        raise Refused(names(tx))

    _, error = await asyncio.gather(store.transact(partial(put, name=1)), store.transact(judge), return_exceptions=True)
    assert isinstance(error, Refused)
    assert error.args == ([1],)


async def test_a_batch_that_cannot_be_committed_fails_as_a_whole(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(store, "_commit", fail)
        writes = [store.transact(partial(put, name=1)), store.transact(refuse), store.transact(partial(put, name=2))]
        errors = await asyncio.gather(*writes, return_exceptions=True)
    assert all(isinstance(error, StoreError) for error in errors), "nobody learns of what was never there"
    assert len({id(error) for error in errors}) == 3
    await store.transact(partial(put, name=3))
    assert await store.read(names) == [3]


async def test_no_room_for_a_row_is_store_full(store: SqliteStore) -> None:
    pages = store._writer.execute("PRAGMA page_count").fetchone()[0]
    store._writer.execute(f"PRAGMA max_page_count = {pages}")
    writes = [store.transact(partial(put, name=name, content=b"x" * 100_000)) for name in range(3)]
    assert {type(error) for error in await asyncio.gather(*writes, return_exceptions=True)} == {StoreFull}
    store._writer.execute("PRAGMA max_page_count = 1000000")
    await store.transact(partial(put, name=1, content=b"x" * 100_000))
    assert await store.read(names) == [1]


async def test_commits_are_synced(store: SqliteStore) -> None:
    assert store._writer.execute("PRAGMA synchronous").fetchone() == (2,), "FULL"
    assert store._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_files_are_private(store: SqliteStore, data_folder: Path) -> None:
    await store.transact(partial(put, name=1))
    assert data_folder.stat().st_mode & 0o777 == 0o700
    modes = {file.name: file.stat().st_mode & 0o777 for file in data_folder.iterdir()}
    assert modes == dict.fromkeys(["lock", DATABASE_FILE, f"{DATABASE_FILE}-wal", f"{DATABASE_FILE}-shm"], 0o600)


async def test_a_second_node_is_told_who_has_the_folder(store: SqliteStore, data_folder: Path) -> None:
    with pytest.raises(StoreLocked, match=f"process {os.getpid()}"):
        await SqliteStore.open(data_folder)
    assert holder(data_folder) == os.getpid()
    await store.close()
    assert holder(data_folder) is None
    again = await SqliteStore.open(data_folder)
    await again.close()


def test_the_lock_of_a_process_that_was_killed_is_gone(data_folder: Path) -> None:
    code = (
        "import sys, pathlib; from cloudlet.store.folder import FolderLock;"
        " lock = FolderLock(pathlib.Path(sys.argv[1])); print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(data_folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        assert holder(data_folder) == process.pid
        with pytest.raises(StoreLocked, match=f"process {process.pid}"):
            FolderLock(data_folder)
        process.kill()
    with FolderLock(data_folder):
        assert holder(data_folder) == os.getpid()


async def test_a_file_that_is_no_database_is_refused(data_folder: Path) -> None:
    data_folder.mkdir()
    (data_folder / DATABASE_FILE).write_bytes(b"not a database" * 100)
    with pytest.raises(StoreUnavailable, match="not a database"):
        await SqliteStore.open(data_folder)
    with FolderLock(data_folder):
        pass


async def test_a_lock_of_another_program_is_waited_for(store: SqliteStore, data_folder: Path) -> None:
    other = sqlite3.connect(data_folder / DATABASE_FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    write = asyncio.ensure_future(store.transact(partial(put, name=1)))
    while store._busy_until is None:
        await asyncio.sleep(0)
    assert await store.read(names) == [], "reads do not wait"
    other.execute("ROLLBACK")
    other.close()
    await write
    assert await store.read(names) == [1]


async def test_a_lock_of_another_program_is_not_waited_for_forever(
    store: SqliteStore, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_TIMEOUT_S", 0)
    monkeypatch.setattr(module, "MAX_WAITING", 1)
    other = sqlite3.connect(data_folder / DATABASE_FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    errors = await asyncio.gather(*(store.transact(partial(put, name=1)) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(error, StoreUnavailable) and "locked" in str(error) for error in errors)
    other.close()
    await store.transact(partial(put, name=2))
    assert await store.read(names) == [2]


async def test_the_log_does_not_grow_without_bound(
    store: SqliteStore, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_log, "CHECKPOINT_GROWTH_BYTES", 1024 * 1024)
    monkeypatch.setattr(sqlite_log, "MAX_LOG_BYTES", 1024 * 1024)
    log = data_folder / f"{DATABASE_FILE}-wal"
    size, numbers = 50_000, iter(range(20_000))  # which a log that grows with all that is written uses up
    written = 0

    def is_short() -> bool:  # how soon it is moved depends on the machine
        return written > 100_000_000 and log.stat().st_size < written / 3

    async def write() -> None:  # without a pause between two batches, so that the log never stands still by itself
        nonlocal written
        while not is_short():
            await store.transact(partial(put, name=next(numbers), content=b"x" * size))
            written += size

    await asyncio.gather(*(write() for _ in range(20)))


async def test_a_log_that_cannot_be_moved_is_kept_and_said(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sqlite_log, "CHECKPOINT_COMMITS", 1)

    def fail(connection: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(store._log, "_move", fail)
    for name in range(5):
        await store.transact(partial(put, name=name))
    while store._log._is_running:
        await asyncio.sleep(0)
    assert caplog.text.count("could not be moved") == 1
    assert await store.read(names) == list(range(5))


def test_tables_are_strict() -> None:
    assert schema("CREATE TABLE a (b BIGINT, c DOUBLE PRECISION)") == "CREATE TABLE a (b INTEGER, c REAL) STRICT"
    assert schema("CREATE TABLE a (b TEXT PRIMARY KEY) WITHOUT ROWID").endswith("WITHOUT ROWID, STRICT")
    assert schema("ALTER TABLE a ADD COLUMN d BIGINT") == "ALTER TABLE a ADD COLUMN d INTEGER"
    assert schema("CREATE INDEX a_b ON a (b)") == "CREATE INDEX a_b ON a (b)"


def test_who_only_looks_for_a_node_keeps_none_from_starting(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`holder` has the lock for some microseconds itself, and the command line asks again and again."""
    with FolderLock(data_folder):
        pass
    looking = os.open(data_folder / "lock", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr("cloudlet.store.folder.time.sleep", lambda _s: fcntl.flock(looking, fcntl.LOCK_UN))
    with FolderLock(data_folder):
        assert holder(data_folder) == os.getpid()
    os.close(looking)
