"""Dead work is kept, within bounds; people look at it, try it again and drop it."""

import asyncio

import pytest

from cloudlet.delivery.delivery import FAILED, Fail, Keep, Retry
from cloudlet.delivery.engine import Engine
from cloudlet.delivery.kept_tables import Bounds
from cloudlet.ids import Ids
from cloudlet.store.base import Store
from tests.support.clock import ManualClock
from tests.unit.delivery.conftest import Running, ScriptedHandler
from tests.unit.delivery.test_engine import accept, pass_time


def dying() -> ScriptedHandler:
    handler = ScriptedHandler(Fail(b"broken"))
    handler.dead_outcomes = [Keep()]
    return handler


@pytest.mark.parametrize("size_bytes", [10, 5000])
async def test_what_is_dead_is_kept_and_can_be_tried_again(store: Store, running: Running, size_bytes: int) -> None:
    handler = dying()
    async with running(store, handler) as engine:
        identifier = await accept(engine, store, b"x" * size_bytes, target="function", max_attempts=3)
        await engine.idle()
        [listed] = await engine.by_hand.list()
        assert (listed.id, listed.state, listed.reason, listed.error) == (identifier, "dead", FAILED, "broken")
        assert await engine.by_hand.payload(identifier) == b"x" * size_bytes
        [status] = await engine.status()
        assert (status.waiting, status.kept, status.died) == (0, 1, 1)
        handler.outcomes = [None]
        assert await engine.by_hand.retry(identifier)
        await engine.idle()
        assert [(one.payload, one.attempt) for one in handler.delivered] == [(b"x" * size_bytes, 1)] * 2
        assert await engine.by_hand.list() == []
        assert not await engine.by_hand.retry(identifier)
    for table in ("delivery", "delivery_kept", "delivery_payload"):
        assert await store.read(lambda reader, table=table: reader.query(f"SELECT 1 FROM {table}")) == []  # type: ignore[misc]


async def test_what_waits_can_be_tried_now(store: Store, running: Running) -> None:
    handler = ScriptedHandler(Retry(after_s=3600), None)
    async with running(store, handler) as engine:
        identifier = await accept(engine, store)
        await engine.idle()
        [listed] = await engine.by_hand.list("waiting")
        assert (listed.id, listed.attempts) == (identifier, 1)
        assert await engine.by_hand.list("dead") == await engine.by_hand.list(kind="other") == []
        assert await engine.by_hand.retry(identifier)
        await engine.idle()
        assert len(handler.delivered) == 2
        [status] = await engine.status()
        assert (status.done, status.retried, status.died) == (1, 1, 0)


async def test_what_waits_or_is_dead_can_be_dropped(store: Store, running: Running, clock: ManualClock) -> None:
    handler = dying()
    async with running(store, handler) as engine:
        dead = await accept(engine, store, b"x" * 5000)
        await engine.idle()
        later = await accept(engine, store, b"y" * 5000, delay_s=60)
        for identifier in (dead, later):
            assert await engine.by_hand.drop(identifier)
            assert not await engine.by_hand.drop(identifier)
        await pass_time(clock, engine, 3600)
        assert len(handler.delivered) == 1
    assert await store.read(lambda reader: reader.query("SELECT 1 FROM delivery_payload")) == []


async def test_what_runs_is_left_alone(store: Store, running: Running) -> None:
    handler = ScriptedHandler()
    handler.gate = asyncio.Event()
    async with running(store, handler) as engine:
        identifier = await accept(engine, store)
        while not handler.running:
            await asyncio.sleep(0)
        [listed] = await engine.by_hand.list("running")
        assert listed.id == identifier
        assert not await engine.by_hand.drop(identifier)
        assert not await engine.by_hand.retry(identifier)
        handler.gate.set()
        await engine.idle()


async def test_only_so_much_is_kept_and_only_for_so_long(store: Store, clock: ManualClock) -> None:
    engine = Engine(store, clock, Ids(), Bounds(count=3, age_s=600))
    engine.register("work", dying())
    async with asyncio.TaskGroup() as tasks:
        await engine.start(tasks)
        identifiers = []
        for number in range(5):
            clock.advance(1)
            identifiers.append(await accept(engine, store, bytes([number]) * 5000))
            await engine.idle()
        assert [one.id for one in await engine.by_hand.list()] == identifiers[:1:-1]
        clock.advance(601)
        last = await accept(engine, store)
        await engine.idle()
        assert [one.id for one in await engine.by_hand.list()] == [last]
        await engine.stop()
    assert await store.read(lambda reader: reader.query("SELECT 1 FROM delivery_payload")) == []
