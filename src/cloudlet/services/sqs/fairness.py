"""Fair queues: in a standard queue whose messages have groups, a group that floods it does not hold up the others.

A group is noisy while clearly more messages of it are in flight than of others. Receives take messages of other groups
first, and the noisy ones' when there are no others: order is not promised in a standard queue, and nothing is lost.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html
"""

from typing import Final

from cloudlet.services.sqs import message_tables
from cloudlet.services.sqs.queue import Queue
from cloudlet.store.base import Store

SAMPLE: Final = 1_000
"""So many messages in flight are looked at."""
MIN_IN_FLIGHT: Final = 10
"""A group with fewer in flight is not noisy."""
TIMES_MEAN: Final = 2
MAX_NOISY: Final = 10
LOOK_EVERY_MS: Final = 500


class Fairness:
    """Which groups are noisy now. Costs queues without groups a look into a dictionary."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._looked: dict[int, tuple[int, tuple[str, ...]]] = {}
        """By bucket of a queue with groups: when it was looked at last, and what was found."""

    def noticed(self, bucket: int) -> None:
        """A message with a group was received."""
        self._looked.setdefault(bucket, (0, ()))

    def forget(self) -> None:
        """The store has been emptied."""
        self._looked.clear()

    async def noisy(self, queue: Queue, now_ms: int) -> tuple[str, ...]:
        """The groups that have to wait for the others."""
        looked = self._looked.get(queue.bucket)
        if looked is None:
            return ()
        if now_ms - looked[0] < LOOK_EVERY_MS:
            return looked[1]
        bucket = queue.bucket
        found = await self._store.read(lambda reader: message_tables.groups_in_flight(reader, bucket, now_ms, SAMPLE))
        groups = noisy_of(found)
        if found:
            self._looked[bucket] = (now_ms, groups)
        else:
            self._looked.pop(bucket, None)
        return groups


def noisy_of(in_flight: dict[str, int]) -> tuple[str, ...]:
    """The groups with clearly more than their share. One that is alone in flight has more than the share of those that
    wait."""
    shares = len(in_flight) + (len(in_flight) == 1)
    mean = sum(in_flight.values()) / shares if shares else 0.0
    noisy = [group for group, count in in_flight.items() if count >= MIN_IN_FLIGHT and count >= TIMES_MEAN * mean]
    return tuple(sorted(noisy, key=lambda group: -in_flight[group])[:MAX_NOISY])
