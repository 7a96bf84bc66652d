"""Data comes in from many at once, and is stored together."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from cloudlet.services.cloudwatch.tables import Range, boundary, points
from cloudlet.store.base import StoreError, StoreUnavailable, Transaction
from tests.support.cloudwatch_world import CloudWatchWorld


class Counting:
    """The store, with what was asked of it; `fail` makes it refuse once."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.transactions = 0
        self.fail = False

    async def transact(self, fn: Callable[[Transaction], Any]) -> Any:
        self.transactions += 1
        if self.fail:
            self.fail = False
            raise StoreUnavailable("no")
        return await self._store.transact(fn)


async def test_many_requests_make_few_transactions_and_lose_nothing(world: CloudWatchWorld) -> None:
    store = Counting(world.store)
    world.service.ingestion._store = store  # type: ignore[assignment]
    await asyncio.gather(*(world.put(number, age_s=number % 3 * 60) for number in range(300)))
    assert store.transactions <= 3
    found = await world.sums(60, world.now - 600, world.now + 60)
    assert len(found) == 3
    assert sum(found.values()) == sum(range(300))
    assert await world.sums(3600, world.now - 600, world.now + 60, "SampleCount") == {(world.now - 600) // 60 * 60: 300}


async def test_a_store_that_fails_is_told_to_those_whose_data_it_was(world: CloudWatchWorld) -> None:
    store = Counting(world.store)
    world.service.ingestion._store = store  # type: ignore[assignment]
    store.fail = True
    with pytest.raises(StoreError):
        await world.put(1)
    await world.put(2)
    assert list((await world.sums(60, world.now - 60, world.now + 60)).values()) == [2]
    assert len((await world("ListMetrics"))["Metrics"]) == 1


async def test_a_caller_who_goes_away_takes_nothing_from_the_others(world: CloudWatchWorld) -> None:
    gone, stays = asyncio.ensure_future(world.put(1)), asyncio.ensure_future(world.put(2))
    await asyncio.sleep(0)
    gone.cancel()
    await stays
    await world.service.idle()
    assert list((await world.sums(60, world.now - 60, world.now + 60)).values()) == [3]


async def test_a_store_that_was_emptied_lists_what_comes_then(world: CloudWatchWorld) -> None:
    await world.put(1)
    await world.store.reset()
    await world.service.reset()
    await world.put(1)
    assert len((await world("ListMetrics"))["Metrics"]) == 1


async def test_a_long_range_is_read_in_parts_that_make_the_whole(
    world: CloudWatchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudlet.services.cloudwatch.reading.ROWS_AT_ONCE", 7)
    monkeypatch.setattr("cloudlet.services.cloudwatch.reading.DISTRIBUTIONS_AT_ONCE", 3)
    for minute in range(100):
        await world.put(minute, age_s=minute * 60, Unit="Seconds")
        await world.put(minute, age_s=minute * 60, Unit="Bytes")
    start = world.now - 100 * 60
    assert sum((await world.sums(60, start, world.now + 60)).values()) == 2 * sum(range(100))
    by_hour = await world.sums(3600, start, world.now + 60)
    assert len(by_hour) == 2
    assert sum(by_hour.values()) == 2 * sum(range(100))
    assert max((await world.sums(3600, start, world.now + 60, "p100")).values()) == 99


async def test_a_query_of_one_metric_reads_no_row_of_another(world: CloudWatchWorld) -> None:
    if world.store.shared:
        pytest.skip("SQLite says how it will read; PostgreSQL decides by sizes")
    wanted = Range(("1" * 12, "us-east-1"), b"digest", 60, 0, 1000)  # type: ignore[arg-type]
    plans: list[str] = []

    def explain(reader: Any) -> None:
        class Explaining:
            def query(self, sql: str, parameters: Any) -> list[Any]:
                plans.extend(row[-1] for row in reader.query(f"EXPLAIN QUERY PLAN {sql}", parameters))
                return []

            def one(self, sql: str, parameters: Any) -> None:
                self.query(sql, parameters)

        boundary(Explaining(), wanted, 5)  # type: ignore[arg-type]
        points(Explaining(), wanted)  # type: ignore[arg-type]

    await world.store.read(explain)
    key = "(account=? AND region=? AND metric=? AND resolution=? AND moment_s>? AND moment_s<?)"
    assert plans == [f"SEARCH cloudwatch_points USING PRIMARY KEY {key}"] * 2
