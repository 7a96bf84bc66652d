"""What PostgreSQL's store does beside the contract: translation, conflicts, lost connections, many nodes."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial

import psycopg
import pytest
from psycopg import conninfo

from cloudlet.store import postgres_pool
from cloudlet.store.base import Migration, Reader, StoreError, StoreFull, StoreUnavailable, Transaction
from cloudlet.store.postgres import PostgresStore
from cloudlet.store.postgres_connection import schema, translated, translated_sql
from cloudlet.store.postgres_notify import MAX_PAYLOAD_BYTES, messages

TABLE = Migration(1, ("CREATE TABLE pair (name BIGINT PRIMARY KEY, value BIGINT NOT NULL)",))


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[PostgresStore]:
    """An open store with one table."""
    opened = await PostgresStore.open(postgres_url)
    await opened.migrate("test", [TABLE])
    yield opened
    await opened.close()


def put(tx: Transaction, name: int) -> None:
    """Insert a row."""
    tx.execute("INSERT INTO pair (name, value) VALUES (?, 0)", (name,))


def names(reader: Reader) -> list[int]:
    """All rows."""
    return [name for (name,) in reader.query("SELECT name FROM pair ORDER BY name")]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT ?", "SELECT %s"),
        ("SELECT '?', ?", "SELECT '?', %s"),
        ("SELECT 'it''s ?', ?", "SELECT 'it''s ?', %s"),
        ('SELECT "a?b", ?', 'SELECT "a?b", %s'),
        ("SELECT 10 % 3", "SELECT 10 %% 3"),
        ("SELECT 'a%s' LIKE ?", "SELECT 'a%%s' LIKE %s"),
        ("SELECT ? -- why?\n, ?", "SELECT %s -- why?\n, %s"),
        ("SELECT /* ? ' */ ?", "SELECT /* ? ' */ %s"),
    ],
)
def test_parameters_are_translated_where_they_are_parameters(sql: str, expected: str) -> None:
    assert translated_sql(sql) == expected


def test_tables_are_translated() -> None:
    statement = "CREATE TABLE a (b TEXT PRIMARY KEY, c BLOB, texture BIGINT) WITHOUT ROWID"
    assert schema(statement).strip() == 'CREATE TABLE a (b TEXT COLLATE "C" PRIMARY KEY, c BYTEA, texture BIGINT)'
    assert schema("ALTER TABLE a ADD COLUMN d BLOB") == "ALTER TABLE a ADD COLUMN d BYTEA"
    assert schema("INSERT INTO a VALUES ('TEXT')") == "INSERT INTO a VALUES ('TEXT')"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (psycopg.errors.DiskFull(), StoreFull),
        (psycopg.errors.AdminShutdown(), StoreUnavailable),
        (psycopg.errors.TooManyConnections(), StoreUnavailable),
        (psycopg.errors.ReadOnlySqlTransaction(), StoreUnavailable),
        (psycopg.OperationalError("the connection is closed"), StoreUnavailable),
        (psycopg.errors.UndefinedTable(), StoreError),
    ],
)
def test_errors_are_translated(error: psycopg.Error, expected: type[Exception]) -> None:
    assert type(translated(error, "SELECT 1")) is expected


async def test_a_transaction_that_conflicts_is_run_again(store: PostgresStore, postgres_url: str) -> None:
    await store.transact(partial(put, name=1))
    runs = 0

    def increment(tx: Transaction) -> None:
        nonlocal runs
        runs += 1
        rows = tx.query("SELECT value FROM pair WHERE name = 1")
        if runs == 1:  # another node is quicker
            with psycopg.connect(postgres_url) as other:
                other.execute("UPDATE pair SET value = value + 10")
        tx.execute("UPDATE pair SET value = ? WHERE name = 1", (rows[0][0] + 1,))

    await store.transact(increment)
    assert runs == 2
    assert await store.read(lambda reader: reader.query("SELECT value FROM pair")) == [(11,)]


async def test_what_a_conflicting_function_raises_is_not_believed(store: PostgresStore, postgres_url: str) -> None:
    runs = 0

    def fn(tx: Transaction) -> str:
        nonlocal runs
        runs += 1
        names(tx)
        if runs == 1:
            with psycopg.connect(postgres_url) as other:
                other.execute("UPDATE pair SET value = 7")
        try:
            tx.execute("UPDATE pair SET value = 8")
        except StoreError:
            raise LookupError("taken for something else") from None
        return "done"

    await store.transact(partial(put, name=1))
    assert await store.transact(fn) == "done"
    assert runs == 2


async def test_a_row_that_another_node_holds_is_waited_for(store: PostgresStore, postgres_url: str) -> None:
    await store.transact(partial(put, name=1))
    runs = 0
    with psycopg.connect(postgres_url) as other:
        other.execute("UPDATE pair SET value = 5")

        def add(tx: Transaction) -> None:
            nonlocal runs
            runs += 1
            if runs == 3:
                other.commit()
            tx.execute("UPDATE pair SET value = value + 1")

        await store.transact(add)
    assert runs >= 3
    assert await store.read(lambda reader: reader.query("SELECT value FROM pair")) == [(6,)]


async def test_a_conflict_without_end_is_given_up(
    store: PostgresStore, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_pool, "MAX_RETRY_S", 0)
    await store.transact(partial(put, name=1))
    with psycopg.connect(postgres_url) as other:
        other.execute("UPDATE pair SET value = 5")
        with pytest.raises(StoreUnavailable, match="conflicts"):
            await store.transact(lambda tx: tx.execute("UPDATE pair SET value = 6"))


async def test_a_commit_whose_outcome_is_unknown_is_not_acknowledged(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = postgres_pool._Attempt._commit
    runs = 0

    def committed_and_lost(attempt: "postgres_pool._Attempt") -> None:
        """The database commits; its answer is lost with the connection."""
        connection = attempt._connection
        execute = connection.execute

        def lose(*_: object) -> None:
            execute("COMMIT")
            connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

        monkeypatch.setattr(connection, "execute", lose)
        commit(attempt)

    def fn(tx: Transaction) -> None:
        nonlocal runs
        runs += 1
        put(tx, 1)

    with monkeypatch.context() as patch:
        patch.setattr(postgres_pool._Attempt, "_commit", committed_and_lost)
        with pytest.raises(StoreUnavailable, match="lost during a commit"):
            await store.transact(fn)
    assert runs == 1, "it must not be run again: it may be there"
    assert await store.read(names) == [1]


async def test_a_database_that_cannot_be_reached_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        await PostgresStore.open("postgresql://nobody@/nothing?host=/nonexistent")


async def test_a_database_that_is_not_utf8_is_refused(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(
            "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1'"
            " LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'"
        )
    url = conninfo.make_conninfo(postgres_url, dbname="latin")
    with pytest.raises(StoreError, match="needs UTF8"):
        await PostgresStore.open(url)


async def test_two_nodes_may_start_at_once(postgres_url: str) -> None:
    stores = await asyncio.gather(*(PostgresStore.open(postgres_url) for _ in range(4)))
    await asyncio.gather(*(store.migrate("test", [TABLE]) for store in stores))
    await stores[0].transact(partial(put, name=1))
    assert await stores[3].read(names) == [1]
    await asyncio.gather(*(store.close() for store in stores))


async def test_other_nodes_hear_notifications(store: PostgresStore, postgres_url: str) -> None:
    other = await PostgresStore.open(postgres_url)
    heard: asyncio.Queue[str] = asyncio.Queue()
    other.listen("channel", heard.put_nowait)
    assert await heard.get() == "", "a new connection says: look for yourself"
    texts = [f"{number} " + "ä" * 1000 for number in range(20)]

    def fn(tx: Transaction) -> None:
        for text in texts:
            tx.notify("channel", text)

    await store.transact(fn)
    assert [await heard.get() for _ in texts] == texts
    await other.close()


async def test_a_node_hears_its_own_notifications_once(store: PostgresStore) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    store.listen("channel", heard.put_nowait)
    for text in ("first", "second"):
        await store.transact(lambda tx, text=text: tx.notify("channel", text))  # type: ignore[misc]
    assert [text for text in [heard.get_nowait() for _ in range(heard.qsize())] if text] == ["first", "second"]


async def test_claims_skip_rows_that_others_hold(store: PostgresStore, postgres_url: str) -> None:
    for name in range(4):
        await store.transact(partial(put, name=name))

    def claim(tx: Transaction) -> list[int]:
        return [n for (n,) in tx.query(f"SELECT name FROM pair ORDER BY name LIMIT 2 {tx.skip_locked}")]

    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT name FROM pair WHERE name IN (0, 2) FOR UPDATE")
        assert await store.transact(claim) == [1, 3]


def test_messages_are_few_and_small() -> None:
    pairs = [("channel", "ä" * 2000), ("channel", "b" * 4000), *(("other", str(number)) for number in range(1000))]
    texts = list(messages("0123456789abcdef", pairs))
    assert all(len(text.encode()) <= MAX_PAYLOAD_BYTES for text in texts)
    assert len(texts) <= 5


@pytest.mark.parametrize("text", ["nonsense", "[]", "[1, 2]", '["node", [1]]', "null", '["other", [["a"]]]'])
async def test_what_is_no_notification_of_ours_is_passed_over(
    store: PostgresStore, postgres_url: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    other = await PostgresStore.open(postgres_url)
    other.listen("channel", heard.put_nowait)
    assert await heard.get() == ""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("SELECT pg_notify('cloudlet', %s)", (text,))
    await store.transact(lambda tx: tx.notify("channel", "after"))
    assert await heard.get() == "after"
    assert "is not from Cloudlet" in caplog.text
    await other.close()


def test_the_gate_lets_one_in_alone_and_the_others_after() -> None:
    gate = postgres_pool._Gate()
    inside: list[str] = []
    entered = threading.Event()

    def alone() -> None:
        with gate.pass_through(alone=True):
            inside.append("alone")

    def together() -> None:
        entered.wait()
        with gate.pass_through(alone=False):
            inside.append("together")

    with gate.pass_through(alone=False), gate.pass_through(alone=False):
        threads = [threading.Thread(target=target) for target in (alone, together)]
        for thread in threads:
            thread.start()
        while not gate._waiting_alone:
            pass
        entered.set()
        assert inside == []
    for thread in threads:
        thread.join()
    assert inside == ["alone", "together"]


def test_frequent_conflicts_let_transactions_in_one_by_one() -> None:
    gate = postgres_pool._Gate()
    for _ in range(10):
        gate.note(is_conflict=True)
    with gate.pass_through(alone=False):
        assert gate._inside == -1
    for _ in range(100):
        gate.note(is_conflict=False)
    with gate.pass_through(alone=False):
        assert gate._inside == 1


async def test_a_large_load_leaves_nothing_undone(store: PostgresStore) -> None:
    calls: list[Callable[[Transaction], None]] = [partial(put, name=name) for name in range(200)]
    await asyncio.gather(*(store.transact(call) for call in calls))
    assert await store.read(names) == list(range(200))


async def test_a_commit_that_rolls_back_is_no_success(store: PostgresStore) -> None:
    def fail_unseen(tx: Transaction) -> bool:
        put(tx, 1)
        with pytest.raises(psycopg.Error):
            tx._cursor.execute("SELECT 1 / 0")  # type: ignore[attr-defined]
        return True

    with pytest.raises(StoreUnavailable, match="ROLLBACK"):
        await store.transact(fail_unseen)
    assert await store.read(names) == []
