"""The metrics of queues, in AWS/SQS: what is sent, received and deleted, and each minute how many messages there are.

A queue is looked at when something was done with it, and then for as long as it has messages; after a start, every
queue once. SentMessageSize and the metrics of fair queues' groups are not there.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from cloudlet.clock import Clock
from cloudlet.services.measurements import Measurement, Record
from cloudlet.services.measuring import Measuring
from cloudlet.services.sqs import message_tables, queue_tables
from cloudlet.services.sqs import sequence as sequences
from cloudlet.services.sqs.names import QueueKey
from cloudlet.services.sqs.queue import Queue
from cloudlet.services.sqs.queues import Queues
from cloudlet.store.base import Store, StoreError

NAMESPACE: Final = "AWS/SQS"
LOOK_INTERVAL_S: Final = 60.0
"""How often queues with messages are looked at, on the host's clock."""
MAX_LOOKED_AT: Final = 10_000
QUEUES_AT_ONCE: Final = 200
_GAUGES: Final = (
    "ApproximateNumberOfMessagesVisible",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
Counts = Callable[[Queue], Awaitable[tuple[int, int, int]]]
"""How many messages a queue has that are visible, in flight and delayed."""

logger = logging.getLogger(__name__)


class QueueMetrics:
    """Counts what is done with queues."""

    def __init__(self, record: Record, clock: Clock, store: Store, queues: Queues, counts: Counts) -> None:
        self._record = record
        self._clock = clock
        self._store = store
        self._queues = queues
        self._count_messages = counts
        self._counts: dict[tuple[QueueKey, str], int] = {}
        """By queue and metric."""
        self._looked_at: dict[QueueKey, int] = {}
        """Queues that are in use, and the minute in which they were last looked at."""
        self.measuring = Measuring("metrics of queues", record, clock, self._take)

    def add(self, key: QueueKey, name: str, count: int = 1) -> None:
        """`count` messages were sent, received or deleted."""
        if not self.measuring.is_dirty:
            self.measuring.mark()
        self._counts[key, name] = self._counts.get((key, name), 0) + count

    def add_empty(self, key: QueueKey) -> None:
        """A receive found nothing. Those who poll do that all the time: it is stored with all else, or each minute."""
        counted = key, "NumberOfEmptyReceives"
        self._counts[counted] = self._counts.get(counted, 0) + 1

    def reset(self) -> None:
        """Forget what was counted."""
        self._counts.clear()
        self._looked_at.clear()
        self.measuring.reset()

    async def run(self) -> None:
        """Look at queues that have messages, for ever."""
        try:
            await self._know_all()
        except StoreError:
            logger.warning("queues could not be listed", exc_info=True)
        while True:
            await asyncio.sleep(LOOK_INTERVAL_S)
            if self._counts and not self.measuring.is_dirty:
                self.measuring.mark()
            try:
                await self._record(await self._look(list(self._looked_at)))
            except StoreError:
                logger.warning("queues could not be looked at; will be tried again", exc_info=True)

    async def _know_all(self) -> None:
        after = QueueKey("", "", "")
        while page := await self._store.read(partial(queue_tables.page, after=after, limit=QUEUES_AT_ONCE)):
            self._looked_at.update((queue.key, 0) for queue in page[: MAX_LOOKED_AT - len(self._looked_at)])
            after = page[-1].key
            await asyncio.sleep(0)

    async def _take(self, since_s: float) -> list[Measurement]:
        counts, self._counts = self._counts, {}
        found = [_measurement(key, name, "Count", since_s, {1.0: count}) for (key, name), count in counts.items()]
        return found + await self._look({key for key, _ in counts})

    async def _look(self, keys: "list[QueueKey] | set[QueueKey]") -> list[Measurement]:
        """How many messages there are in these queues; in each once in a minute."""
        found: list[Measurement] = []
        for key in keys:
            now_s = self._clock.now()
            if self._looked_at.get(key) == int(now_s // 60):
                continue
            queue = await self._queues.find(key)
            if queue is None:
                self._looked_at.pop(key, None)
                continue
            numbers = await self._count_messages(queue)
            if any(numbers) and (key in self._looked_at or len(self._looked_at) < MAX_LOOKED_AT):
                self._looked_at[key] = int(now_s // 60)
            else:
                self._looked_at.pop(key, None)
            gauges = zip(_GAUGES, numbers, strict=True)
            found += [_measurement(key, name, "Count", now_s, {float(number): 1}) for name, number in gauges]
            age_s = await self._oldest_s(queue, now_s) if any(numbers) else 0.0
            found.append(_measurement(key, "ApproximateAgeOfOldestMessage", "Seconds", now_s, {age_s: 1}))
            await asyncio.sleep(0)  # there may be thousands of queues
        return found

    async def _oldest_s(self, queue: Queue, now_s: float) -> float:
        bucket = queue.bucket
        first = await self._store.read(lambda reader: message_tables.first(reader, bucket))
        return max(0.0, float(int(now_s - sequences.moment_ms(first) / 1000))) if first else 0.0


def _measurement(key: QueueKey, name: str, unit: str, moment_s: float, values: dict[float, float]) -> Measurement:
    return Measurement(key.account, key.region, NAMESPACE, name, (("QueueName", key.name),), unit, moment_s, values)
