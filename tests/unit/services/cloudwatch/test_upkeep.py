"""What is old becomes coarser and is forgotten in the end; when that is really done makes no difference to readers."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from cloudlet.services.cloudwatch.metric import MetricKey
from cloudlet.services.cloudwatch.retention import resolution_at, rounded_start
from cloudlet.services.cloudwatch.summary import Summary
from cloudlet.services.cloudwatch.tables import PointKey, add_points
from cloudlet.store.base import Reader, Store
from tests.support.cloudwatch_world import ACCOUNT, DAY_S, HOUR_S, REGION, CloudWatchWorld

AGES = [HOUR_S * 2, HOUR_S * 4, DAY_S * 14, DAY_S * 16, DAY_S * 62, DAY_S * 64, DAY_S * 454, DAY_S * 457]
PERIODS = (1, 60, 300, 3600)
LONGEST = {1: HOUR_S * 3, 60: DAY_S * 15, 300: DAY_S * 63, 3600: DAY_S * 455}


@pytest.mark.parametrize("is_swept", [True, False], ids=["swept", "not swept"])
async def test_each_period_has_data_for_its_time(world: CloudWatchWorld, is_swept: bool) -> None:
    start = world.now // 3600 * 3600
    world.clock.advance(start + 3600 - world.now)
    await world.put(1, 2, age_s=3600, resolution=1)
    await world.put(4, age_s=3598, resolution=1)
    await world.put(8, age_s=3000)
    for age_s in AGES:
        world.clock.advance(start + age_s - world.now)
        if is_swept:
            await world.service.upkeep.sweep()
        for period_s in PERIODS:
            found = await world.sums(period_s, start, start + 3600)
            if age_s > LONGEST[period_s]:
                assert found == {}, (age_s, period_s)
            elif period_s == 1:
                assert found == {start: 3, start + 2: 4}
            else:
                later = (start + 600) // period_s * period_s if period_s < 3600 else start
                assert found == ({start: 7, later: 8} if period_s < 3600 else {start: 15})
                again = await world.sums(period_s, start, start + 3600, "p100")
                assert again == ({start: 4, later: 8} if period_s < 3600 else {start: 8})
    if is_swept:
        assert await world.points() == {}


async def test_a_sweep_joins_what_there_is(world: CloudWatchWorld) -> None:
    for second in range(100):
        await world.put(second, age_s=second, resolution=1)
    assert (await world.points()) == {1: 100}
    world.clock.advance(4 * HOUR_S)
    await world.service.upkeep.sweep()
    assert set(await world.points()) == {60}
    world.clock.advance(16 * DAY_S)
    await world.service.upkeep.sweep()
    assert set(await world.points()) == {300}
    world.clock.advance(64 * DAY_S)
    await world.service.upkeep.sweep()
    assert set(await world.points()) == {3600}
    start = world.now - 100 * DAY_S
    assert sum((await world.sums(3600, start, world.now)).values()) == sum(range(100))


async def test_metrics_are_listed_for_two_weeks_and_forgotten_with_their_data(world: CloudWatchWorld) -> None:
    await world.put(1)
    assert len((await world("ListMetrics", RecentlyActive="PT3H"))["Metrics"]) == 1
    world.clock.advance(4 * HOUR_S)
    assert (await world("ListMetrics", RecentlyActive="PT3H"))["Metrics"] == []
    assert len((await world("ListMetrics"))["Metrics"]) == 1
    world.clock.advance(15 * DAY_S)
    assert (await world("ListMetrics"))["Metrics"] == []
    await world.put(1)
    assert len((await world("ListMetrics"))["Metrics"]) == 1
    world.clock.advance(456 * DAY_S)
    await world.service.upkeep.sweep()
    rows = await world.store.read(lambda reader: reader.query("SELECT name FROM cloudwatch_metrics"))
    assert rows == []


async def test_the_loop_sweeps_what_is_due(world: CloudWatchWorld) -> None:
    async with asyncio.TaskGroup() as tasks:
        loop = tasks.create_task(world.service.upkeep.run())
        await world.put(1, resolution=1)
        for _ in range(5):
            while world.clock.next_moment() is None:
                await asyncio.sleep(0)
            world.clock.advance((world.clock.next_moment() or 0) - world.clock.now())
            while world.clock.next_moment() is None:
                await asyncio.sleep(0)
            if set(await world.points()) == {60}:
                break
        assert set(await world.points()) == {60}
        loop.cancel()


def test_what_is_published_late_is_kept_as_finely_as_its_age_allows() -> None:
    assert resolution_at(0, 1) == 1
    assert resolution_at(3 * HOUR_S + 1, 1) == 60
    assert resolution_at(0, 60) == 60
    assert resolution_at(14 * DAY_S, 1) == 60
    assert resolution_at(16 * DAY_S, 60) == 300
    assert resolution_at(1000 * DAY_S, 1) == 3600


def test_where_a_request_begins() -> None:
    now = 1_790_000_100
    assert rounded_start(now - 97, now, 60) == (now - 97) // 60 * 60
    assert rounded_start(now - 97, now, 10) == (now - 97) // 10 * 10
    assert rounded_start(now - 97, now, 1) == now - 97
    assert rounded_start(now - 20 * DAY_S - 97, now, 60) % 300 == 0
    assert rounded_start(now - 70 * DAY_S - 97, now, 60) % 3600 == 0


async def test_who_reads_while_data_is_joined_misses_nothing_and_sees_nothing_twice(
    world: CloudWatchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudlet.services.cloudwatch.reading.ROWS_AT_ONCE", 2)
    start = world.now // 3600 * 3600 - 10 * HOUR_S + 60
    for number in range(60):  # every ten minutes one, as if each had been published in its time
        moment_s = start + number * 600
        key = PointKey(ACCOUNT, REGION, MetricKey("App", "m").digest, 1, moment_s, "None")
        points = [(key, Summary.of_values([(float(number), 1.0)]))]
        await world.store.transact(partial(add_points, points=points))
    reading = world.service.reading
    store = Sweeping(world.store, world.service.upkeep.sweep)
    reading._store = store  # type: ignore[assignment]
    found = await world.sums(3600, start, start + 11 * HOUR_S)
    assert sum(found.values()) == sum(range(60))
    assert store.reads > 5
    assert set(await world.points()) == {1, 60}


class Sweeping:
    """A store in which old data is joined between any two reads."""

    def __init__(self, store: Store, sweep: Callable[[], Awaitable[None]]) -> None:
        self._store = store
        self._sweep = sweep
        self.reads = 0

    async def read(self, fn: Callable[[Reader], Any]) -> Any:
        self.reads += 1
        found = await self._store.read(fn)
        if self.reads == 3:
            await self._sweep()
        return found
