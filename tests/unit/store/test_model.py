"""A store is a dictionary that loses nothing: random transactions, some of which fail, against a model."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudlet.store.base import Migration, Reader, Store, Transaction, UniqueViolation

TABLE = Migration(1, ("CREATE TABLE pair (name TEXT PRIMARY KEY, value BIGINT NOT NULL)",))

Pairs = dict[str, int]
Step = tuple[str, str, int]
Batch = Sequence[tuple[Sequence[Step], bool]]

NAMES = st.sampled_from(["a", "b", "c", "d"])
STEPS = st.tuples(st.sampled_from(["put", "insert", "delete", "add", "move"]), NAMES, st.integers(0, 9))
TRANSACTIONS = st.tuples(st.lists(STEPS, max_size=4), st.booleans())
BATCHES = st.lists(st.lists(TRANSACTIONS, max_size=6), max_size=5)


class Refused(Exception):
    """What a transaction raises to have its changes undone."""


def expected(pairs: Pairs, steps: Sequence[Step], fails: bool) -> tuple[Pairs, object]:
    """The model: what is there afterwards, and what the caller is given."""
    after = dict(pairs)
    for action, name, value in steps:
        if action == "insert" and name in after:
            return pairs, UniqueViolation
        if action in ("put", "insert"):
            after[name] = value
        elif action == "delete":
            after.pop(name, None)
        elif action == "add" and name in after:
            after[name] += value
        elif action == "move":
            after = {key: number + value for key, number in after.items()}
    return (pairs, Refused) if fails else (after, after)


def transaction(steps: Sequence[Step], fails: bool) -> Callable[[Transaction], Pairs]:
    """The same, by SQL."""
    statements = {
        "put": "INSERT INTO pair (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        "insert": "INSERT INTO pair (name, value) VALUES (?, ?)",
        "add": "UPDATE pair SET value = value + ? WHERE name = ?",
    }

    def fn(tx: Transaction) -> Pairs:
        for action, name, value in steps:
            if action == "delete":
                tx.execute("DELETE FROM pair WHERE name = ?", (name,))
            elif action == "move":
                tx.query("UPDATE pair SET value = value + ? RETURNING name", (value,))
            else:
                tx.execute(statements[action], (value, name) if action == "add" else (name, value))
        if fails:
            raise Refused
        return everything(tx)

    return fn


def everything(reader: Reader) -> Pairs:
    """All rows."""
    return dict(reader.query("SELECT name, value FROM pair"))


@given(batches=BATCHES)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_transactions_happen_whole_or_not_at_all(store: Store, batches: Sequence[Batch]) -> None:
    await store.migrate("test", [TABLE])
    await store.reset()
    pairs: Pairs = {}
    for batch in batches:
        calls = [store.transact(transaction(steps, fails)) for steps, fails in batch]
        # SQLite's run in the order in which they are given, also at once; PostgreSQL's are in order one by one.
        results = (
            [(await asyncio.gather(call, return_exceptions=True))[0] for call in calls]
            if store.shared
            else await asyncio.gather(*calls, return_exceptions=True)
        )
        for (steps, fails), result in zip(batch, results, strict=True):
            pairs, answer = expected(pairs, steps, fails)
            assert (type(result) if isinstance(result, Exception) else result) == answer
        assert await store.read(everything) == pairs


@given(batch=st.lists(TRANSACTIONS, min_size=2, max_size=8))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_what_happens_at_once_happens_in_some_order(store: Store, batch: Batch) -> None:
    await store.migrate("test", [TABLE])
    await store.reset()
    order: list[int] = []

    def numbered(number: int) -> Callable[[Transaction], Pairs]:
        fn = transaction(*batch[number])

        def run(tx: Transaction) -> Pairs:
            result = fn(tx)
            tx.notify("order", str(number))
            return result

        return run

    end = store.listen("order", lambda payload: order.append(int(payload)) if payload else None)
    results = await asyncio.gather(*(store.transact(numbered(n)) for n in range(len(batch))), return_exceptions=True)
    end()
    kept = [number for number, result in enumerate(results) if isinstance(result, dict)]
    assert sorted(order) == kept
    assert all(isinstance(result, dict | Refused | UniqueViolation) for result in results)
    states = [results[number] for number in kept]
    assert await store.read(everything) in (states or [{}])


pytestmark = pytest.mark.timeout(120)
