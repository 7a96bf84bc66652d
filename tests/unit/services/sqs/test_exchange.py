"""Waiting for messages, on a store of its own."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, cast

import pytest

from cloudlet.config import Config
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.ids import Ids
from cloudlet.services.base import Platform
from cloudlet.services.measurements import Measurement
from cloudlet.services.sqs.names import QueueKey
from cloudlet.services.sqs.queue import Queue
from cloudlet.services.sqs.service import SqsService
from cloudlet.store.sqlite import SqliteStore
from tests.support.clock import ManualClock

CONTEXT = RequestContext(Principal.root("111111111111"), "us-east-1", "request", endpoint="http://localhost:4566")
QUEUE: Any = {"QueueUrl": "http://localhost:4566/111111111111/q"}


async def ignore(_: Iterable[Measurement]) -> None:
    """What is measured is of no interest here."""


class World:
    """One queue."""

    def __init__(self, store: SqliteStore, data: Path) -> None:
        self.clock = ManualClock()
        unused: Any = None
        platform = Platform(Config(data=data), self.clock, Ids(), store, unused, unused)
        self.service = SqsService(platform, ignore)

    async def queue(self) -> Queue:
        return cast(Queue, await self.service.queues.find(QueueKey("111111111111", "us-east-1", "q")))

    async def send(self, body: str, delay_s: int = 0) -> None:
        params: Any = {**QUEUE, "MessageBody": body, "DelaySeconds": delay_s}
        await self.service.send_message(CONTEXT, params)

    async def poll(self) -> "asyncio.Task[list[str]]":
        """A receive that waits."""
        before = self.service.exchange.waiting.count
        task = asyncio.create_task(self._receive())
        while self.service.exchange.waiting.count == before:
            await asyncio.sleep(0)
        return task

    async def _receive(self) -> list[str]:
        found = await self.service.exchange.receive(await self.queue(), 10, 30, 20, is_long=True)
        return [message.body for message in found]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = await SqliteStore.open(tmp_path)
    world = World(store, tmp_path)
    await store.migrate("sqs", world.service.migrations)
    await world.service.create_queue(CONTEXT, {"QueueName": "q"})
    yield world
    world.service.exchange.close()
    await store.close()


async def test_who_waits_at_a_queue_that_is_purged_gets_what_is_sent_next(world: World) -> None:
    waiting = await world.poll()
    await world.service.purge_queue(CONTEXT, QUEUE)
    await world.send("later")
    assert await waiting == ["later"]


async def test_who_waits_at_a_queue_that_is_deleted_waits_no_more(world: World) -> None:
    waiting = [await world.poll() for _ in range(3)]
    await world.service.delete_queue(CONTEXT, QUEUE)
    assert await asyncio.gather(*waiting) == [[], [], []]


async def test_nobody_waits_at_an_exchange_that_is_closed(world: World) -> None:
    waiting = await world.poll()
    world.service.exchange.close()
    assert await waiting == []


async def test_who_still_waits_is_woken_for_the_next_delayed_message(world: World) -> None:
    """The one who gets the first message takes the alarm along that was set for it."""
    await world.send("first", delay_s=5)
    await world.send("second", delay_s=8)
    waiting = [await world.poll() for _ in range(2)]
    world.clock.advance(5.002)
    done, others = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result() for task in done] == [["first"]]
    assert world.clock.next_moment() == pytest.approx(world.clock.now() + 3, abs=0.01)
    world.clock.advance(3)
    assert [await task for task in others] == [["second"]]
