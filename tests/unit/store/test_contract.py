"""What every store promises, over each backend."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from cloudlet.store.base import (
    Migration,
    Reader,
    Store,
    StoreError,
    StoreNewer,
    StoreUnavailable,
    Transaction,
    UniqueViolation,
)
from cloudlet.store.blobs import Blobs

Opener = Callable[[str], Awaitable[tuple[Store, Blobs]]]

KEY_VALUE = Migration(
    1, ("CREATE TABLE pair (name TEXT PRIMARY KEY, value BIGINT, data BLOB, ratio DOUBLE PRECISION)",)
)


class Refused(Exception):
    """What a function raises to have its changes undone."""


@pytest.fixture
async def pairs(store: Store) -> Store:
    """A store with one table."""
    await store.migrate("test", [KEY_VALUE])
    return store


def put(name: str, value: int = 1) -> Callable[[Transaction], int]:
    """Insert a row."""
    return lambda tx: tx.execute("INSERT INTO pair (name, value) VALUES (?, ?)", (name, value))


def names(reader: Reader) -> list[str]:
    """All rows' names."""
    return [name for (name,) in reader.query("SELECT name FROM pair ORDER BY name")]


def value(name: str) -> Callable[[Reader], int | None]:
    """The value of one row."""

    def read(reader: Reader) -> int | None:
        row = reader.one("SELECT value FROM pair WHERE name = ?", (name,))
        return row[0] if row else None

    return read


def keep(heard: list[str]) -> Callable[[str], None]:
    """A listener that keeps what it hears, but for the empty payload of a new connection: look for yourself."""
    return lambda payload: heard.append(payload) if payload else None


async def test_transact_gives_the_functions_result(pairs: Store) -> None:
    assert await pairs.transact(put("a")) == 1


async def test_a_read_sees_what_was_transacted(pairs: Store) -> None:
    await pairs.transact(put("a"))
    assert await pairs.read(names) == ["a"]


async def test_an_exception_is_raised_and_undoes_the_changes(pairs: Store) -> None:
    def fail(tx: Transaction) -> None:
        put("a")(tx)
        raise Refused

    with pytest.raises(Refused):
        await pairs.transact(fail)
    assert await pairs.read(names) == []


async def test_a_failure_undoes_nothing_of_its_neighbours(pairs: Store) -> None:
    def fail(tx: Transaction) -> None:
        put("b")(tx)
        raise Refused

    results = await asyncio.gather(
        *(pairs.transact(fn) for fn in (fail, put("a"), fail, put("c"), fail, put("d"))), return_exceptions=True
    )
    assert [isinstance(result, Refused) for result in results] == [True, False, True, False, True, False]
    assert await pairs.read(names) == ["a", "c", "d"]


async def test_a_function_sees_its_own_changes(pairs: Store) -> None:
    def fn(tx: Transaction) -> list[str]:
        put("a")(tx)
        return names(tx)

    assert await pairs.transact(fn) == ["a"]


async def test_concurrent_increments_are_all_counted(pairs: Store) -> None:
    def increment(tx: Transaction) -> None:
        current = value("counter")(tx)
        tx.execute("UPDATE pair SET value = ? WHERE name = 'counter'", ((current or 0) + 1,))

    await pairs.transact(put("counter", 0))
    await asyncio.gather(*(pairs.transact(increment) for _ in range(30)))
    assert await pairs.read(value("counter")) == 30


async def test_two_functions_that_check_what_the_other_changes_do_not_both_pass(pairs: Store) -> None:
    def insert_when_fewer_than_three(name: str) -> Callable[[Transaction], bool]:
        def fn(tx: Transaction) -> bool:
            if len(names(tx)) >= 3:
                return False
            return put(name)(tx) == 1

        return fn

    done = await asyncio.gather(*(pairs.transact(insert_when_fewer_than_three(f"n{i}")) for i in range(12)))
    kept = await pairs.read(names)
    assert (sum(done), len(kept)) == (3, 3), (done, kept)


async def test_a_key_that_is_there_is_a_unique_violation(pairs: Store) -> None:
    await pairs.transact(put("a"))
    with pytest.raises(UniqueViolation):
        await pairs.transact(put("a"))


async def test_a_failed_statement_ends_its_transaction_even_when_the_error_is_caught(pairs: Store) -> None:
    def fn(tx: Transaction) -> None:
        put("b")(tx)
        with pytest.raises(UniqueViolation):
            put("a")(tx)
        with pytest.raises(UniqueViolation):
            put("c")(tx)

    await pairs.transact(put("a"))
    with pytest.raises(UniqueViolation):
        await pairs.transact(fn)
    assert await pairs.read(names) == ["a"]


async def test_an_error_that_is_raised_for_a_failed_statement_reaches_the_caller(pairs: Store) -> None:
    def fn(tx: Transaction) -> None:
        try:
            put("a")(tx)
        except UniqueViolation:
            raise Refused from None

    await pairs.transact(put("a"))
    with pytest.raises(Refused):
        await pairs.transact(fn)


async def test_a_statement_that_makes_no_sense_is_a_store_error(pairs: Store) -> None:
    with pytest.raises(StoreError):
        await pairs.transact(lambda tx: tx.execute("INSERT INTO nothing (name) VALUES (?)", ("a",)))
    assert await pairs.transact(put("a")) == 1


async def test_a_read_cannot_write(pairs: Store) -> None:
    with pytest.raises(StoreError):
        await pairs.read(lambda reader: reader.query("INSERT INTO pair (name) VALUES ('a') RETURNING name"))
    assert await pairs.read(names) == []


async def test_execute_gives_the_number_of_rows_changed(pairs: Store) -> None:
    await asyncio.gather(*(pairs.transact(put(name)) for name in "abc"))
    assert await pairs.transact(lambda tx: tx.execute("UPDATE pair SET value = 2 WHERE name <> 'b'")) == 2
    assert await pairs.transact(lambda tx: tx.execute("DELETE FROM pair WHERE name = 'z'")) == 0


async def test_execute_many_runs_for_each_row(pairs: Store) -> None:
    def fn(tx: Transaction) -> None:
        tx.execute_many("INSERT INTO pair (name, value) VALUES (?, ?)", ((f"n{i}", i) for i in range(10)))
        tx.execute_many("INSERT INTO pair (name, value) VALUES (?, ?)", ())

    await pairs.transact(fn)
    assert len(await pairs.read(names)) == 10


async def test_a_failure_in_execute_many_undoes_all(pairs: Store) -> None:
    def fn(tx: Transaction) -> None:
        tx.execute_many("INSERT INTO pair (name) VALUES (?)", [("a",), ("b",), ("a",)])

    with pytest.raises(UniqueViolation):
        await pairs.transact(fn)
    assert await pairs.read(names) == []


async def test_on_conflict_and_returning(pairs: Store) -> None:
    def fn(tx: Transaction) -> list[tuple[object, ...]]:
        return tx.query(
            "INSERT INTO pair (name, value) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = pair.value + excluded.value RETURNING name, value",
            ("a", 5),
        )

    assert await pairs.transact(fn) == [("a", 5)]
    assert await pairs.transact(fn) == [("a", 10)]


async def test_values_come_back_as_they_were(pairs: Store) -> None:
    row = ("ä'?%s\n\\ 😀", -(2**63), bytes(range(256)), 0.1)

    def fn(tx: Transaction) -> None:
        tx.execute("INSERT INTO pair (name, value, data, ratio) VALUES (?, ?, ?, ?)", row)

    await pairs.transact(fn)
    assert await pairs.read(lambda reader: reader.one("SELECT name, value, data, ratio FROM pair")) == row


async def test_sums_and_counts_are_whole_numbers(pairs: Store) -> None:
    await asyncio.gather(*(pairs.transact(put(name, 2**40)) for name in "abc"))
    row = await pairs.read(lambda reader: reader.one("SELECT SUM(value), COUNT(*), MAX(value), AVG(value) FROM pair"))
    assert row == (3 * 2**40, 3, 2**40, float(2**40))
    assert [type(value) for value in row] == [int, int, int, float]


async def test_truth_is_a_number(pairs: Store) -> None:
    await pairs.transact(put("a", value=True))
    assert await pairs.read(value("a")) == 1


async def test_question_marks_and_percent_signs_inside_strings_are_text(pairs: Store) -> None:
    def fn(tx: Transaction) -> list[tuple[object, ...]]:
        put("50%? 'q'")(tx)
        return tx.query("SELECT name, '?', '%s' FROM pair WHERE name LIKE '50!%?%' ESCAPE '!' AND value = ?", (1,))

    assert await pairs.transact(fn) == [("50%? 'q'", "?", "%s")]


async def test_like_minds_upper_and_lower_case(pairs: Store) -> None:
    await asyncio.gather(*(pairs.transact(put(name)) for name in ("abc", "ABC")))
    found = await pairs.read(lambda reader: reader.query("SELECT name FROM pair WHERE name LIKE 'a%' ESCAPE '!'"))
    assert found == [("abc",)]


async def test_text_is_ordered_by_its_bytes(pairs: Store) -> None:
    written = ["b", "B", "a", "A", "ä", "_", "-", "a b", "ab"]
    await asyncio.gather(*(pairs.transact(put(name)) for name in written))
    assert await pairs.read(names) == sorted(written)
    assert await pairs.read(
        lambda reader: reader.query("SELECT name FROM pair WHERE name > ? ORDER BY name", ("b",))
    ) == [("ä",)]


@pytest.mark.parametrize("text", ["a\0b", "\0"])
async def test_a_nul_character_is_refused(pairs: Store, text: str) -> None:
    with pytest.raises(ValueError, match="NUL"):
        await pairs.transact(put(text))
    with pytest.raises(ValueError, match="NUL"):
        await pairs.transact(lambda tx: tx.execute_many("INSERT INTO pair (name) VALUES (?)", [(text,)]))
    assert await pairs.read(names) == []


async def test_a_column_takes_its_own_type_only(pairs: Store) -> None:
    with pytest.raises(StoreError):
        await pairs.transact(lambda tx: tx.execute("INSERT INTO pair (name, value) VALUES ('a', ?)", ("one",)))


async def test_a_listener_hears_once_it_is_committed(pairs: Store) -> None:
    heard: list[str] = []
    pairs.listen("channel", keep(heard))

    def fn(tx: Transaction) -> None:
        tx.notify("channel", "one")
        tx.notify("channel", "one")
        tx.notify("other", "three")
        tx.notify("channel", "two")
        assert not heard

    await pairs.transact(fn)
    assert heard == ["one", "two"]


async def test_what_is_undone_notifies_nobody(pairs: Store) -> None:
    heard: list[str] = []
    pairs.listen("channel", keep(heard))

    def fail(tx: Transaction) -> None:
        tx.notify("channel", "fail")
        raise Refused

    await asyncio.gather(
        pairs.transact(lambda tx: tx.notify("channel", "keep")), pairs.transact(fail), return_exceptions=True
    )
    assert heard == ["keep"]


async def test_a_listener_that_ended_hears_nothing(pairs: Store) -> None:
    heard: list[str] = []
    end = pairs.listen("channel", keep(heard))
    end()
    end()
    await pairs.transact(lambda tx: tx.notify("channel", "one"))
    assert heard == []


async def test_a_listener_that_raises_harms_no_other(pairs: Store, caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []

    def bad(payload: str) -> None:
        raise Refused(payload)

    pairs.listen("channel", bad)
    pairs.listen("channel", keep(heard))
    await pairs.transact(lambda tx: tx.notify("channel", "one"))
    assert heard == ["one"]
    assert "a listener of channel failed" in caplog.text


async def test_a_notification_has_at_most_4000_bytes(pairs: Store) -> None:
    await pairs.transact(lambda tx: tx.notify("channel", "ä" * 2000))
    with pytest.raises(ValueError, match="4000 bytes"):
        await pairs.transact(lambda tx: tx.notify("channel", "ä" * 2000 + "b"))


async def test_migrations_are_applied_once_and_in_order(store: Store) -> None:
    first = Migration(1, ("CREATE TABLE one (id BIGINT PRIMARY KEY)",))
    second = Migration(
        2, ("ALTER TABLE one ADD COLUMN size BIGINT NOT NULL DEFAULT 7", "INSERT INTO one (id) VALUES (1)")
    )
    await store.migrate("test", [first])
    await store.migrate("test", [first, second])
    await store.migrate("test", [first, second])
    assert await store.read(lambda reader: reader.query("SELECT id, size FROM one")) == [(1, 7)]


async def test_a_migration_that_fails_leaves_nothing(store: Store) -> None:
    bad = Migration(1, ("CREATE TABLE one (id BIGINT PRIMARY KEY)", "CREATE TABLE nonsense ("))
    with pytest.raises(StoreError):
        await store.migrate("test", [bad])
    await store.migrate("test", [Migration(1, ("CREATE TABLE one (id BIGINT PRIMARY KEY)",))])


async def test_a_store_that_is_newer_than_the_program_is_refused(store: Store) -> None:
    first = Migration(1, ("CREATE TABLE one (id BIGINT PRIMARY KEY)",))
    second = Migration(2, ("CREATE TABLE two (id BIGINT PRIMARY KEY)",))
    await store.migrate("test", [first, second])
    with pytest.raises(StoreNewer, match="newer version"):
        await store.migrate("test", [first])


async def test_migrations_are_numbered_without_gaps(store: Store) -> None:
    with pytest.raises(ValueError, match="not numbered"):
        await store.migrate("test", [Migration(2, ())])


async def test_reset_empties_all_tables_and_keeps_the_schema(pairs: Store) -> None:
    await pairs.transact(put("a"))
    await pairs.reset()
    assert await pairs.read(names) == []
    await pairs.migrate("test", [KEY_VALUE])
    assert await pairs.transact(put("a")) == 1


async def test_a_closed_store_is_unavailable(pairs: Store) -> None:
    await pairs.close()
    with pytest.raises(StoreUnavailable):
        await pairs.transact(put("a"))
    with pytest.raises(StoreUnavailable):
        await pairs.read(names)
    await pairs.close()


async def test_close_finishes_what_was_begun(pairs: Store, open_again: Opener) -> None:
    writes = [asyncio.ensure_future(pairs.transact(put(f"n{i}"))) for i in range(20)]
    await asyncio.sleep(0)
    await pairs.close()
    assert await asyncio.gather(*writes) == [1] * 20
    store, _ = await open_again("node")
    assert len(await store.read(names)) == 20


async def test_what_was_written_is_there_when_the_store_is_opened_again(pairs: Store, open_again: Opener) -> None:
    await pairs.transact(put("a"))
    await pairs.close()
    store, _ = await open_again("node")
    assert await store.read(names) == ["a"]


async def test_a_caller_that_is_cancelled_harms_no_other(pairs: Store) -> None:
    first, second, third = (asyncio.ensure_future(pairs.transact(put(name))) for name in "abc")
    await asyncio.sleep(0)
    second.cancel()
    assert (await first, await third) == (1, 1)
    assert set(await pairs.read(names)) >= {"a", "c"}


async def test_more_calls_than_may_wait_are_all_served(pairs: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudlet.store.sqlite.MAX_WAITING", 2)
    monkeypatch.setattr(pairs, "_room", asyncio.Semaphore(2), raising=False)
    assert sum(await asyncio.gather(*(pairs.transact(put(f"n{i}")) for i in range(10)))) == 10
