"""The archive of a FIFO topic."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from cloudlet.services.sns import archive
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.names import TopicKey
from cloudlet.services.sns.service import SnsService
from cloudlet.services.sns.topic import Topic
from cloudlet.store.base import Transaction
from cloudlet.store.sqlite import SqliteStore

HOUR_MS = 3_600_000
BEGUN_MS = 1000 * HOUR_MS
TOPICS = {name: TopicKey("111111111111", "us-east-1", f"{name}.fifo") for name in ("short", "long")}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """Two topics with messages once in a minute: of an hour, and of thirty with the same one in their middle."""
    store = await SqliteStore.open(tmp_path)
    await store.migrate("sns", SnsService.migrations)

    def fill(tx: Transaction) -> None:
        for name, minutes in (("short", range(900, 960)), ("long", range(1800))):
            topic = Topic(TOPICS[name], "id", {"ArchivePolicy": '{"MessageRetentionPeriod":"30"}'}, {}, "", 0)
            for minute in minutes:
                published_ms = BEGUN_MS + minute * 60_000 + (30_000 if minute % 7 == 0 else 0)
                archive.keep(tx, topic, Message("m", topic.key, "id", "text", published_ms, sequence=minute + 1))

    await store.transact(fill)
    yield store
    await store.close()


async def read(store: SqliteStore, name: str, after: int = 0) -> tuple[list[int], int]:
    """The sequence numbers of the hour's messages, and how much work it was to find them, in hundreds of steps."""
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    store._reader.set_progress_handler(step, 100)
    page = partial(
        archive.page,
        key=TOPICS[name],
        after=after,
        from_ms=BEGUN_MS + 900 * 60_000,
        until_ms=BEGUN_MS + 960 * 60_000 - 1,
        limit=100,
    )
    found = [message.sequence for message in await store.read(page)]
    store._reader.set_progress_handler(None, 100)
    return found, steps


@pytest.mark.parametrize("after", [0, 930, 960])
async def test_messages_of_a_time_are_found_without_a_look_at_the_others(store: SqliteStore, after: int) -> None:
    wanted = [sequence for sequence in range(901, 961) if sequence > after]
    found, steps = await read(store, "short", after)
    assert found == wanted
    of_many, more_steps = await read(store, "long", after)
    assert of_many == wanted
    assert more_steps <= 2 * steps + 10
