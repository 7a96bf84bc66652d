"""What is done with queues is counted, and how many messages there are is looked at once in a minute."""

from collections.abc import Iterable
from typing import Any

import pytest

from cloudlet.services.measurements import Measurement
from cloudlet.services.sqs.names import QueueKey
from cloudlet.services.sqs.queue import Queue
from cloudlet.services.sqs.queue_metrics import QueueMetrics
from tests.support.clock import ManualClock

KEY = QueueKey("111111111111", "us-east-1", "jobs")
VISIBLE = "ApproximateNumberOfMessagesVisible"


class World:
    """Metrics of queues that have as many messages as a test says."""

    def __init__(self) -> None:
        self.clock = ManualClock(1_790_000_040.0)
        self.messages = (3, 2, 1)
        self.first = 0
        self.counted = 0
        self.is_there = True
        self.stored: list[Measurement] = []
        unused: Any = self
        self.metrics = QueueMetrics(self._record, self.clock, unused, unused, self._count)

    async def _record(self, measurements: Iterable[Measurement]) -> None:
        self.stored += measurements

    async def find(self, key: QueueKey) -> Queue | None:
        return Queue(key, 1, 1, {}, {}, 0, 0, 0) if self.is_there else None

    async def read(self, _: Any) -> int:
        return self.first

    async def _count(self, _: Queue) -> tuple[int, int, int]:
        self.counted += 1
        return self.messages

    async def values(self) -> dict[str, dict[float, float]]:
        self.stored.clear()
        await self.metrics.measuring.flush()
        assert {(one.namespace, one.dimensions) for one in self.stored} <= {("AWS/SQS", (("QueueName", "jobs"),))}
        return {one.name: dict(one.values) for one in self.stored}


@pytest.fixture
def world() -> World:
    return World()


async def test_what_is_done_and_how_many_messages_there_are(world: World) -> None:
    world.metrics.add(KEY, "NumberOfMessagesSent", 5)
    world.metrics.add(KEY, "NumberOfMessagesSent")
    world.metrics.add(KEY, "NumberOfMessagesDeleted")
    world.metrics.add_empty(KEY)
    assert await world.values() == {
        "NumberOfMessagesSent": {1.0: 6},
        "NumberOfMessagesDeleted": {1.0: 1},
        "NumberOfEmptyReceives": {1.0: 1},
        VISIBLE: {3.0: 1},
        "ApproximateNumberOfMessagesNotVisible": {2.0: 1},
        "ApproximateNumberOfMessagesDelayed": {1.0: 1},
        "ApproximateAgeOfOldestMessage": {0.0: 1},
    }
    assert await world.values() == {}


async def test_messages_are_counted_once_in_a_minute(world: World) -> None:
    for _ in range(3):
        world.metrics.add(KEY, "NumberOfMessagesSent")
        await world.values()
    assert world.counted == 1
    world.clock.advance(60)
    world.metrics.add(KEY, "NumberOfMessagesSent")
    assert VISIBLE in await world.values()


async def test_an_empty_receive_alone_stores_nothing(world: World) -> None:
    world.metrics.add_empty(KEY)
    assert await world.values() == {}
    world.metrics.add(KEY, "NumberOfMessagesSent")
    assert (await world.values())["NumberOfEmptyReceives"] == {1.0: 1}


async def test_a_queue_that_is_gone_has_no_messages(world: World) -> None:
    world.is_there = False
    world.metrics.add(KEY, "NumberOfMessagesDeleted")
    assert set(await world.values()) == {"NumberOfMessagesDeleted"}


async def test_a_node_that_is_emptied_forgets(world: World) -> None:
    world.metrics.add(KEY, "NumberOfMessagesSent")
    world.metrics.reset()
    assert await world.values() == {}
