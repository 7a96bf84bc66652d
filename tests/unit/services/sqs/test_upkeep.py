"""Sweeping up."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloudlet.clock import PlatformClock, now_ms
from cloudlet.services.sqs import group_tables, message_tables, queue_tables
from cloudlet.services.sqs import sequence as sequences
from cloudlet.services.sqs import upkeep as sweeping
from cloudlet.services.sqs.group_tables import GROUPS
from cloudlet.services.sqs.message import Message
from cloudlet.services.sqs.message_tables import MESSAGES
from cloudlet.services.sqs.names import QueueKey
from cloudlet.services.sqs.queue import Queue
from cloudlet.services.sqs.queue_tables import QUEUES
from cloudlet.services.sqs.upkeep import Upkeep
from cloudlet.store.base import Transaction
from cloudlet.store.sqlite import SqliteStore

KEY = QueueKey("111111111111", "us-east-1", "q")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path)
    await store.migrate("sqs", (QUEUES, MESSAGES, GROUPS))
    yield store
    await store.close()


def message(sequence: int) -> Message:
    return Message(sequence, 0, 0, 0, 0, "", str(sequence), "me", "body", "")


async def count(store: SqliteStore, bucket: int) -> int:
    return await store.read(lambda reader: message_tables.count(reader, bucket))


async def test_messages_go_when_their_retention_is_over(store: SqliteStore) -> None:
    clock = PlatformClock()
    upkeep = Upkeep(store, clock)
    begun_ms = now_ms(clock)

    def fill(tx: Transaction) -> None:
        attributes = {"MessageRetentionPeriod": "3600"}
        queue_tables.add(tx, Queue(KEY, 1, 2, attributes, {}, begun_ms, begun_ms, 0))
        for number in range(3):
            message_tables.insert(tx, 2, message(sequences.first_of(begun_ms + number * 1_800_000)))

    await store.transact(fill)
    async with asyncio.TaskGroup() as tasks:
        loops = tasks.create_task(upkeep._sweep_old())
        await asyncio.sleep(0)
        for hours, left in ((0.9, 3), (0.2, 2), (0.5, 1), (0.6, 0)):
            await clock.advance(hours * 3600)
            while await count(store, 2) > left:
                await asyncio.sleep(0)
            assert await count(store, 2) == left
        loops.cancel()


async def test_a_bucket_that_is_given_up_is_emptied(store: SqliteStore) -> None:
    upkeep = Upkeep(store, PlatformClock())

    def fill(tx: Transaction) -> None:
        for number in range(1200):
            message_tables.insert(tx, 7, message(number + 1))
        message_tables.insert(tx, 8, message(1))
        queue_tables.add_trash(tx, 7)

    await store.transact(fill)
    async with asyncio.TaskGroup() as tasks:
        loops = tasks.create_task(upkeep._sweep_trash())
        while await store.read(queue_tables.trash) is not None:
            await asyncio.sleep(0)
        loops.cancel()
    assert (await count(store, 7), await count(store, 8)) == (0, 1)


async def test_what_is_remembered_too_long_goes_some_at_a_time(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that takes away a minute of a busy FIFO queue would hold up everybody."""

    def fill(tx: Transaction) -> None:
        for number in range(5):
            group_tables.remember(tx, 1, "", str(number), "id", number, 1000)
            group_tables.remember_attempt(tx, 1, str(number), "[]", 1000 + number)

    await store.transact(fill)
    before = [await store.transact(lambda tx: group_tables.forget_old(tx, 1000, 2)) for _ in range(2)]
    assert before == [True, True]
    assert len(await store.read(lambda reader: reader.query("SELECT 1 FROM sqs_deduplication"))) == 1
    monkeypatch.setattr(sweeping, "AT_ONCE", 2)
    await Upkeep(store, PlatformClock()).sweep()
    assert await store.read(group_tables.first_ends) == []
