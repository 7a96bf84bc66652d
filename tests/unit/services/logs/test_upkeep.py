"""Removing what was deleted and what is expired."""

import asyncio

import pytest

from cloudlet.services import woken as loops
from cloudlet.services.logs import upkeep
from cloudlet.store.base import StoreUnavailable
from tests.support.clock import ManualClock
from tests.support.logs_world import LogsWorld, messages

DAY_S = 86_400


async def size(logs: LogsWorld) -> int:
    (group,) = (await logs("DescribeLogGroups"))["logGroups"]
    return int(group["storedBytes"])


@pytest.fixture(params=[1, 500])
def _step(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "ROWS_PER_STEP", request.param)


@pytest.mark.usefixtures("_step")
async def test_a_deleted_group_leaves_no_rows(logs: LogsWorld) -> None:
    await logs.make("group", "a", "b")
    await logs.make("other", "a")
    for group, stream in (("group", "a"), ("group", "b"), ("other", "a")):
        await logs.put(group, stream, (0, "x"), (5_000, "y"))
    await logs("DeleteLogGroup", logGroupName="group")
    await logs.service.upkeep.remove_deleted()
    assert [await logs.rows(f"logs_{table}") for table in ("groups", "streams", "chunks", "removals")] == [1, 1, 2, 0]


@pytest.mark.usefixtures("_step")
async def test_a_deleted_stream_leaves_no_rows(logs: LogsWorld) -> None:
    await logs.make("group", "a", "b")
    for stream in "ab":
        await logs.put("group", stream, (0, "x"), (5_000, "y"))
    await logs("DeleteLogStream", logGroupName="group", logStreamName="a")
    await logs("CreateLogStream", logGroupName="group", logStreamName="a")
    await logs.service.upkeep.remove_deleted()
    assert [await logs.rows(f"logs_{table}") for table in ("streams", "chunks", "removals")] == [2, 2, 0]
    assert messages(await logs("FilterLogEvents", logGroupName="group")) == ["x", "y"]


@pytest.mark.usefixtures("_step")
async def test_expired_events_are_removed(logs: LogsWorld) -> None:
    await logs.make("group", "a", "b")
    await logs.make("forever", "a")
    await logs("PutRetentionPolicy", logGroupName="group", retentionInDays=1)
    for group, stream in (("group", "a"), ("group", "b"), ("forever", "a")):
        await logs.put(group, stream, (0, "old"), (5_000, "new"))
    logs.clock.advance(DAY_S + 1)
    await logs.service.upkeep.sweep()
    assert await logs.rows("logs_chunks") == 4
    assert messages(await logs("FilterLogEvents", logGroupName="group")) == ["new", "new"]
    answer = await logs("DescribeLogGroups", logGroupNamePrefix="group")
    assert answer["logGroups"][0]["storedBytes"] == 2 * (3 + 26)


async def test_a_second_that_is_half_expired_stays_but_is_not_shown(logs: LogsWorld) -> None:
    await logs.make("group", "a")
    await logs("PutRetentionPolicy", logGroupName="group", retentionInDays=1)
    await logs.put("group", "a", (0, "old"), (900, "new"))
    logs.clock.advance(DAY_S + 0.5)
    await logs.service.upkeep.sweep()
    assert messages(await logs("FilterLogEvents", logGroupName="group")) == ["new"]
    assert await size(logs) == 2 * (3 + 26)


async def settle() -> None:
    """Let other tasks run as far as they come without time passing."""
    for _ in range(5):
        await asyncio.sleep(0)


async def woken(clock: ManualClock, rows: LogsWorld, table: str, count: int) -> None:
    """Wait until a table has `count` rows."""
    async with asyncio.timeout(30):
        while await rows.rows(table) != count:
            await settle()


async def test_the_loops_do_both_while_the_clock_goes_on(logs: LogsWorld) -> None:
    async with asyncio.TaskGroup() as tasks:
        await logs.service.start(tasks)
        running = [task for task in asyncio.all_tasks() if task.get_name().startswith("logs: ")]
        await logs.make("group", "a", "b")
        await logs("PutRetentionPolicy", logGroupName="group", retentionInDays=1)
        await logs.put("group", "a", (0, "x"))
        await logs.put("group", "b", (0, "x"))
        await logs("DeleteLogStream", logGroupName="group", logStreamName="a")
        await woken(logs.clock, logs, "logs_chunks", 1)
        while logs.clock.next_moment() is None:
            await settle()
        logs.clock.advance(DAY_S + 3_600)
        await woken(logs.clock, logs, "logs_chunks", 0)
        for task in running:
            task.cancel()
    assert len(running) == 2


async def test_what_expires_because_time_was_moved_during_a_sweep_is_swept_at_once(
    logs: LogsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await logs.make("group", "a")
    await logs("PutRetentionPolicy", logGroupName="group", retentionInDays=1)
    await logs.put("group", "a", (0, "x"))
    sweep, moves = logs.service.upkeep.sweep, [DAY_S + 3_600]

    async def moving() -> None:
        await sweep()
        while moves:
            logs.clock.advance(moves.pop())

    monkeypatch.setattr(logs.service.upkeep, "sweep", moving)
    async with asyncio.TaskGroup() as tasks:
        await logs.service.start(tasks)
        running = [task for task in asyncio.all_tasks() if task.get_name().startswith("logs: ")]
        await woken(logs.clock, logs, "logs_chunks", 0)
        for task in running:
            task.cancel()


async def test_a_store_that_fails_is_asked_again(logs: LogsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    await logs.make("group", "a")
    await logs.put("group", "a", (0, "x"))
    await logs("DeleteLogGroup", logGroupName="group")
    transact, failures = logs.store.transact, [StoreUnavailable("gone")] * 2

    async def failing(fn: object) -> object:
        if failures:
            raise failures.pop()
        return await transact(fn)  # type: ignore[arg-type]

    monkeypatch.setattr(logs.store, "transact", failing)
    monkeypatch.setattr(loops, "RETRY_S", 0)
    async with asyncio.TaskGroup() as tasks:
        await logs.service.start(tasks)
        running = [task for task in asyncio.all_tasks() if task.get_name().startswith("logs: ")]
        async with asyncio.timeout(30):
            while await logs.rows("logs_removals"):
                await settle()
        for task in running:
            task.cancel()
    assert not failures
