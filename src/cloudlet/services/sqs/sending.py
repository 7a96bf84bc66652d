"""Messages into a queue. Plain functions of a transaction."""

from collections.abc import Sequence
from typing import NamedTuple

from cloudlet.services.sqs import group_tables, message_tables
from cloudlet.services.sqs.message import Message, with_details
from cloudlet.services.sqs.queue import Queue
from cloudlet.store.base import Transaction

DEDUPLICATION_INTERVAL_MS = 5 * 60 * 1000
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html"""


class Sent(NamedTuple):
    """What became of a message that was sent."""

    id: str
    sequence: int
    is_duplicate: bool = False


def send(tx: Transaction, queue: Queue, messages: Sequence[Message], now_ms: int) -> list[Sent]:
    """Put messages into a queue; into a FIFO queue each only once within the deduplication interval."""
    if queue.is_fifo:
        return [_send_once(tx, queue, message, now_ms) for message in messages]
    sequences = message_tables.insert_all(tx, queue.bucket, messages)
    return [Sent(message.id, sequence) for message, sequence in zip(messages, sequences, strict=True)]


def _send_once(tx: Transaction, queue: Queue, message: Message, now_ms: int) -> Sent:
    deduplication = str(message.detail("deduplication") or "")
    scope = message.group if queue.deduplicates_by_group else ""
    if found := group_tables.duplicate(tx, queue.id, scope, deduplication, now_ms):
        return Sent(*found, is_duplicate=True)
    sequence = add_to_group(tx, queue, message, now_ms)
    expires_ms = now_ms + DEDUPLICATION_INTERVAL_MS
    group_tables.remember(tx, queue.id, scope, deduplication, message.id, sequence, expires_ms)
    return Sent(message.id, sequence)


def add_to_group(tx: Transaction, queue: Queue, message: Message, now_ms: int) -> int:
    """Put a message at the end of its group, whatever its deduplication id; the sequence that it gets."""
    free_ms = message.visible_ms if message.visible_ms > now_ms else 0
    sequence = group_tables.join(tx, queue.bucket, message.group, message.sequence, free_ms)
    given = message_tables.insert(tx, queue.bucket, message._replace(sequence=sequence))
    if given != sequence:
        group_tables.set_last(tx, queue.bucket, message.group, given)
    return given


def move(tx: Transaction, source: Queue, target: Queue, message: Message, sequence: int, now_ms: int) -> None:
    """Move a message to a dead-letter queue. `sequence`: a new one, for FIFO queues, where its retention begins anew.

    In a standard queue it keeps its own, and with it the moment from which its retention counts.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
    """
    message_tables.remove(tx, source.bucket, [message.sequence])
    moved = with_details(message, source=source.key.arn, received_before=message.receives)
    moved = moved._replace(visible_ms=now_ms, received_ms=0)
    if target.is_fifo:
        add_to_group(tx, target, moved._replace(sequence=sequence), now_ms)
    else:
        message_tables.insert(tx, target.bucket, moved)
