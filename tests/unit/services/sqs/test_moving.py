"""Message move tasks at work."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest

from cloudlet.clock import now_ms
from cloudlet.ids import Ids
from cloudlet.services.sqs import message_tables, move_tables, moving, queue_tables
from cloudlet.services.sqs import sequence as sequences
from cloudlet.services.sqs.exchange import Exchange
from cloudlet.services.sqs.group_tables import GROUPS
from cloudlet.services.sqs.message import Message
from cloudlet.services.sqs.message_tables import MESSAGES
from cloudlet.services.sqs.move_tables import COMPLETED, MOVES, RUNNING, MoveTask
from cloudlet.services.sqs.moving import Moving
from cloudlet.services.sqs.names import QueueKey
from cloudlet.services.sqs.queue import Queue
from cloudlet.services.sqs.queue_tables import QUEUES
from cloudlet.services.sqs.sequence import Sequences
from cloudlet.store.base import Store, StoreUnavailable, Transaction
from cloudlet.store.sqlite import SqliteStore
from tests.support.clock import ManualClock

T = TypeVar("T")


class _Numbers:
    """The part of an exchange that a move needs."""

    def __init__(self) -> None:
        self.sequences = Sequences(Ids())


class Failing:
    """A store that cannot do its work for the first few times."""

    def __init__(self, store: Store, failures: int) -> None:
        self._store = store
        self.failures = failures

    async def read(self, fn: Callable[[Any], T]) -> T:
        self._fail()
        return await self._store.read(fn)

    async def transact(self, fn: Callable[[Transaction], T]) -> T:
        self._fail()
        return await self._store.transact(fn)

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("away")


class World:
    """Dead-letter queues whose messages go to queues of the same names."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.clock = ManualClock()

    def moving(self, store: Any = None) -> Moving:
        return Moving(store or self.store, self.clock, Ids(), cast(Exchange, _Numbers()))

    async def add(self, name: str, messages: int, rate: int) -> None:
        """A task `name` for a queue with these messages."""
        moment_ms = now_ms(self.clock)
        keys = [QueueKey("111111111111", "us-east-1", f"{name}-{kind}") for kind in ("dead", "back")]

        def fill(tx: Transaction) -> None:
            for number, key in enumerate(keys):
                bucket = 2 * ord(name) + number
                queue_tables.add(tx, Queue(key, bucket, bucket, {}, {}, moment_ms, moment_ms, 0))
            for number in range(messages):
                sequence = sequences.first_of(moment_ms) + number
                message_tables.insert(
                    tx, 2 * ord(name), Message(sequence, 0, 0, 0, 0, "", str(number), "me", "body", "")
                )
            last = message_tables.last(tx, 2 * ord(name))
            task = MoveTask(keys[0], moment_ms, name, keys[1].arn, rate, RUNNING, messages, 0, last, "")
            move_tables.add(tx, task)

        await self.store.transact(fill)

    async def task(self, name: str) -> MoveTask:
        found = await self.store.read(lambda reader: move_tables.find(reader, name))
        assert found is not None
        return found

    async def completed(self, name: str) -> MoveTask:
        while (task := await self.task(name)).status != COMPLETED:
            await asyncio.sleep(0)
        return task


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = await SqliteStore.open(tmp_path)
    await store.migrate("sqs", (QUEUES, MESSAGES, GROUPS, MOVES))
    yield World(store)
    await store.close()


async def test_a_slow_task_holds_up_no_other(world: World) -> None:
    await world.add("a", 5, rate=1)
    await world.add("b", 250, rate=0)
    loop = asyncio.create_task(world.moving()._run())
    assert (await world.completed("b")).moved == 250
    assert (await world.task("a")).moved == 1  # the clock stands still
    for _ in range(5):
        while world.clock.next_moment() is None:
            await asyncio.sleep(0)
        world.clock.advance(1)
    assert (await world.completed("a")).moved == 5
    loop.cancel()


async def test_a_store_that_comes_back_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "RETRY_S", 0)
    await world.add("a", 5, rate=0)
    loop = asyncio.create_task(world.moving(Failing(world.store, 3))._run())
    assert (await world.completed("a")).moved == 5
    loop.cancel()


async def test_a_task_that_comes_later_is_taken_up(world: World) -> None:
    work = world.moving()
    loop = asyncio.create_task(work._run())
    await asyncio.sleep(0)
    await world.add("a", 5, rate=0)
    work.wake()
    assert (await world.completed("a")).moved == 5
    loop.cancel()


async def test_of_a_queues_former_tasks_the_latest_are_kept(world: World) -> None:
    source, other = QueueKey("111111111111", "us-east-1", "a"), QueueKey("111111111111", "us-east-1", "b")

    def begin(tx: Transaction) -> None:
        for number in range(30):
            for key in (source, other):
                status = RUNNING if number == 3 else COMPLETED
                task = MoveTask(key, number, f"{key.name}{number:02}", "", 0, status, 0, 0, 0, "")
                move_tables.add(tx, task)

    await world.store.transact(begin)
    for key in (source, other):
        kept = await world.store.read(partial(move_tables.latest, source=key, limit=100))
        assert [task.started_ms for task in kept] == [*range(29, 19, -1), 3]
