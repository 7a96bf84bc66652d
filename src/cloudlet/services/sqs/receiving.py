"""Messages out of a queue: received, deleted, made visible. Plain functions of a transaction.

```
        delay over                   received                      deleted
delayed ----------> receivable ------------------> in flight ------------------> gone
                        ^  \\                          |
                        |   \\ received too often       | visibility timeout over, or set to 0
                        |    +--> dead-letter queue   |
                        +-----------------------------+
```
In a FIFO queue a whole group waits while one message of it is in flight.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile

from cloudlet.services.sqs import group_tables, message_tables, sending
from cloudlet.services.sqs import sequence as sequences
from cloudlet.services.sqs.attributes import MAX_DELAY_S, MAX_VISIBILITY_TIMEOUT_S
from cloudlet.services.sqs.errors import InvalidParameterValue, invalid
from cloudlet.services.sqs.message import Message
from cloudlet.services.sqs.queue import Queue
from cloudlet.services.sqs.receipt import Receipt
from cloudlet.store.base import Transaction

GROUPS_AT_ONCE = 100
FLIGHT = 20
"""So many messages at the head of a group are looked at: no more than ten of them can be in flight."""


@dataclass(slots=True)
class Receive:
    """One look into a queue, and what it found."""

    queue: Queue
    dead_letter_queue: Queue | None
    limit: int
    visibility_timeout_s: int
    now_ms: int
    next_sequence: Callable[[], int]
    except_groups: tuple[str, ...] = ()
    """Groups of a standard queue that have to wait for the others."""
    messages: list[Message] = field(default_factory=list)
    moved: int = 0
    """Messages that went to the dead-letter queue instead."""

    def run(self, tx: Transaction) -> list[Message]:
        """The messages received, with their new state. May be run again."""
        self.messages, self.moved = [], 0
        take = self._from_groups if self.queue.is_fifo else self._from_all
        take(tx)
        message_tables.mark_received(tx, self.queue.bucket, self.messages)
        return self.messages

    @property
    def floor(self) -> int:
        """Messages up to this sequence are too old."""
        return sequences.first_of(self.now_ms - self.queue.retention_s * 1000)

    def _from_all(self, tx: Transaction) -> None:
        while len(self.messages) < self.limit:
            wanted = self.limit - len(self.messages)
            found = message_tables.receivable(
                tx, self.queue.bucket, self.now_ms, self.floor, wanted, except_groups=self.except_groups
            )
            moved = self.moved
            self.messages += self._taken(tx, found)
            if self.moved == moved:
                return

    def _from_groups(self, tx: Transaction) -> None:
        bucket = self.queue.bucket
        group_tables.free_again(tx, bucket, self.now_ms, GROUPS_AT_ONCE)
        while len(self.messages) < self.limit:
            groups = group_tables.free(tx, bucket, self.limit)
            for group in groups:
                self._from_group(tx, group)
                if len(self.messages) >= self.limit:
                    return
            if not groups:
                return

    def _from_group(self, tx: Transaction, group: str) -> None:
        """Take what the group has, in its order, and let it wait; or leave it with the state that it really has."""
        bucket, wanted = self.queue.bucket, self.limit - len(self.messages)
        found = message_tables.of_group(tx, bucket, group, wanted)
        expired = [each.sequence for each in found if each.sequence <= self.floor]
        message_tables.remove(tx, bucket, expired)
        receivable = list(takewhile(lambda each: each.visible_ms <= self.now_ms, found[len(expired) :]))
        taken = list(self._taken(tx, receivable))
        self.messages += taken
        if taken and self.visibility_timeout_s:
            group_tables.put(tx, bucket, group, taken[-1].visible_ms, taken[0].sequence)
        elif taken:
            group_tables.put(tx, bucket, group, self.now_ms, taken[0].sequence)  # free again, but not for this receive
        else:
            refresh_group(tx, bucket, group, self.now_ms)

    def _taken(self, tx: Transaction, found: list[Message]) -> Iterator[Message]:
        """`found` as received; without those that were received too often, which are moved."""
        policy = self.queue.redrive_policy
        target = self.dead_letter_queue
        for message in found:
            if policy is not None and target is not None and message.receives_here >= policy.max_receive_count:
                sending.move(tx, self.queue, target, message, self.next_sequence(), self.now_ms)
                self.moved += 1
                continue
            yield message._replace(
                visible_ms=self.now_ms + self.visibility_timeout_s * 1000,
                receives=message.receives + 1,
                first_ms=message.first_ms or self.now_ms,
                received_ms=self.now_ms,
            )


def refresh_group(tx: Transaction, bucket: int, group: str, now_ms: int) -> None:
    """Bring a group's row in line with its messages."""
    states = message_tables.first_states(tx, bucket, group, FLIGHT)
    if not states:
        group_tables.remove(tx, bucket, group)
        return
    in_flight = [visible for _, visible, received in states if received and visible > now_ms]
    first, visible_ms, _ = states[0]
    free_ms = max(in_flight, default=visible_ms)
    group_tables.put(tx, bucket, group, free_ms if free_ms > now_ms else 0, first)


def delay_anew(tx: Transaction, queue: Queue, now_ms: int) -> int:
    """Give what lies in a FIFO queue the delay that the queue has now; how many groups that concerns.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-delay-queues.html
    """
    floor = sequences.first_of(now_ms - MAX_DELAY_S * 1000)
    groups = message_tables.delay_anew(tx, queue.bucket, floor, queue.delay_s * 1000)
    for group in groups:
        refresh_group(tx, queue.bucket, group, now_ms)
    return len(groups)


def delete(tx: Transaction, queue: Queue, receipt: Receipt, handle: str, now_ms: int) -> None:
    """Delete a message. One that is gone, or was received again since, is no error.

    Raises InvalidParameterValue where the visibility timeout is over in a FIFO queue.
    """
    if not queue.is_fifo:
        message_tables.delete(tx, queue.bucket, receipt.sequence, receipt.receives)
        return
    message = message_tables.find(tx, queue.bucket, receipt.sequence)
    if message is None:
        return
    if message.receives != receipt.receives or message.visible_ms <= now_ms:
        raise invalid(handle, "ReceiptHandle", "The receipt handle has expired.")
    message_tables.delete(tx, queue.bucket, receipt.sequence, receipt.receives)
    refresh_group(tx, queue.bucket, message.group, now_ms)


def change_visibility(
    tx: Transaction, queue: Queue, receipt: Receipt, handle: str, timeout_s: int, now_ms: int
) -> None:
    """Let a message in flight be received again `timeout_s` from now.

    Nothing happens to one that is visible already, or that was received again since: no error, which is what AWS does
    in spite of its MessageNotInflight (https://github.com/getmoto/moto/pull/4655). Raises InvalidParameterValue.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
    """
    message = message_tables.find(tx, queue.bucket, receipt.sequence)
    if message is None:
        raise invalid(
            handle, "ReceiptHandle", "Message does not exist or is not available for visibility timeout change."
        )
    if message.receives != receipt.receives or not message.is_in_flight(now_ms):
        return
    visible_ms = now_ms + timeout_s * 1000
    if visible_ms > message.received_ms + MAX_VISIBILITY_TIMEOUT_S * 1000:
        raise InvalidParameterValue(
            f"Value {timeout_s} for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the"
            f" message is beyond the limit [{MAX_VISIBILITY_TIMEOUT_S} seconds]."
        )
    message_tables.set_visible(tx, queue.bucket, receipt.sequence, visible_ms)
    if queue.is_fifo:
        refresh_group(tx, queue.bucket, message.group, now_ms)
