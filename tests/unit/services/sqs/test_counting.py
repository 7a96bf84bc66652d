"""How many messages there are."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloudlet.services.sqs import counting, message_tables
from cloudlet.services.sqs.message import Message
from cloudlet.services.sqs.message_tables import MESSAGES
from cloudlet.services.sqs.queue_tables import QUEUES
from cloudlet.store.base import Transaction
from cloudlet.store.sqlite import SqliteStore

NOW_MS = 1000


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """Bucket 1 with 8 visible messages, 5 in flight and 7 delayed; bucket 2 with one."""
    store = await SqliteStore.open(tmp_path)
    await store.migrate("sqs", (QUEUES, MESSAGES))
    kinds = [(NOW_MS, 0)] * 4 + [(NOW_MS - 1, 3)] * 4 + [(NOW_MS + 1, 3)] * 5 + [(NOW_MS + 1, 0)] * 7

    def fill(tx: Transaction) -> None:
        for number, (visible_ms, received_ms) in enumerate(kinds):
            message = Message(number, visible_ms, 0, 0, received_ms, "", str(number), "me", "body", "")
            message_tables.insert(tx, 1, message)
        message_tables.insert(tx, 2, Message(1, NOW_MS + 1, 0, 0, 0, "", "1", "me", "body", ""))

    await store.transact(fill)
    yield store
    await store.close()


@pytest.mark.parametrize("at_once", [1, 3, 4, 8, 12, 100])
async def test_all_are_counted_however_large_the_steps_are(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(counting, "VISIBLE_AT_ONCE", at_once)
    monkeypatch.setattr(counting, "INVISIBLE_AT_ONCE", at_once)
    assert await counting.visible(store, 1, NOW_MS) == 8
    assert await counting.invisible(store, 1, NOW_MS) == (5, 7)
    assert await counting.visible(store, 3, NOW_MS) == 0
    assert await counting.invisible(store, 3, NOW_MS) == (0, 0)


async def test_others_get_their_turn_between_the_steps(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "VISIBLE_AT_ONCE", 1)
    monkeypatch.setattr(counting, "INVISIBLE_AT_ONCE", 1)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    await counting.visible(store, 1, NOW_MS)
    assert turns >= 8
    await counting.invisible(store, 1, NOW_MS)
    assert turns >= 8 + 12
    beside.cancel()
