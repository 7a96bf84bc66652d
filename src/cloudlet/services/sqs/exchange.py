"""What is done with messages, durably and awaited: the way from the operations to the store, and the long poll."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import orjson

from cloudlet.clock import now_ms
from cloudlet.errors import ServiceError
from cloudlet.services.base import Platform
from cloudlet.services.sqs import counting, fairness, group_tables, message_tables, queue_tables, receiving, sending
from cloudlet.services.sqs.errors import OverLimit
from cloudlet.services.sqs.message import Message
from cloudlet.services.sqs.queue import Queue
from cloudlet.services.sqs.queues import Queues
from cloudlet.services.sqs.receipt import Receipt
from cloudlet.services.sqs.receiving import Receive
from cloudlet.services.sqs.sending import Sent
from cloudlet.services.sqs.sequence import Sequences
from cloudlet.services.sqs.upkeep import Upkeep
from cloudlet.services.sqs.waiting import Waiting
from cloudlet.store.base import Reader, StoreError, Transaction

CHANNEL: Final = "sqs-messages"
"""Carries `bucket:count` of messages that were sent; or of everybody who waits, where the bucket is given up."""
MAX_IN_FLIGHT: Final = 120_000
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html"""
ATTEMPT_INTERVAL_MS: Final = 5 * 60 * 1000
EVERYBODY: Final = 1_000_000
"""More than wait at any queue."""
LOOK_AGAIN_S: Final = 10.0
"""A waiting receive looks for itself after this time, should another node's message have gone untold."""


class Exchange:
    """Sends, receives and deletes."""

    def __init__(self, platform: Platform, queues: Queues, upkeep: Upkeep) -> None:
        self._store = platform.store
        self._clock = platform.clock
        self._queues = queues
        self._upkeep = upkeep
        self._fairness = fairness.Fairness(platform.store)
        self.sequences = Sequences(platform.ids)
        self.waiting = Waiting(platform.clock)
        self._in_flight: dict[int, int] = {}
        """At most so many messages are in flight, by bucket: counted anew when the limit seems near."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._looking = 0
        """Receives that look into the store at this moment; those that wait do not count."""
        self._quiet = asyncio.Event()
        self._is_closed = False
        self._end = self._store.listen(CHANNEL, self._told)

    def close(self) -> None:
        """Let nobody wait any more."""
        self._is_closed = True
        self._end()
        self.waiting.close()

    def forget(self) -> None:
        """The store has been emptied."""
        self._in_flight.clear()
        self._fairness.forget()
        self.waiting.wake_all()

    def give_up(self, tx: Transaction, bucket: int) -> None:
        """A queue's messages are to be forgotten, in the transaction that gives it another bucket, or none."""
        queue_tables.add_trash(tx, bucket)
        tx.notify(CHANNEL, f"{bucket}:{EVERYBODY}")  # those who wait there, on whatever node, look where to wait now

    def given_up(self, bucket: int) -> None:
        """That transaction is done."""
        self._in_flight.pop(bucket, None)
        self._upkeep.wake()

    async def settled(self) -> None:
        """Wait until no receive is between its wake-up and its messages."""
        while self._looking:
            self._quiet.clear()
            await self._quiet.wait()

    def now_ms(self) -> int:
        """The time of what happens now."""
        return now_ms(self._clock)

    async def send(self, queue: Queue, messages: Sequence[Message]) -> list[Sent]:
        """Put messages into a queue; when this returns they are on disk."""
        moment_ms = self.now_ms()

        def put(tx: Transaction) -> list[Sent]:
            sent = sending.send(tx, queue, messages, moment_ms)
            tx.notify(CHANNEL, f"{queue.bucket}:{len(messages)}")
            return sent

        sent = await self._store.transact(put)
        self._upkeep.used()
        if messages[0].visible_ms > moment_ms:
            self.waiting.expect(queue.bucket, messages[0].visible_ms)
        return sent

    async def receive(
        self,
        queue: Queue,
        limit: int,
        visibility_timeout_s: int,
        wait_s: int,
        attempt_id: str = "",
        *,
        is_long: bool = False,
    ) -> list[Message]:
        """Messages, in flight from now on; none when there were none within `wait_s`.

        It is a client that waits, so the wait is one of the host's time: moving the platform's does not shorten it.
        Raises OverLimit where too many are in flight, unless the poll `is_long`, or the queue is a FIFO queue: these
        find nothing then.
        """
        until = self._clock.monotonic() + wait_s
        while True:
            self._looking += 1
            try:
                messages = []
                has_room = await self._has_room_in_flight(queue, limit, self.now_ms())
                if has_room:
                    messages = await self._receive(queue, limit, visibility_timeout_s, attempt_id)
                elif not (is_long or queue.is_fifo):
                    raise OverLimit(f"The maximum number of in flight messages is reached: {MAX_IN_FLIGHT}.")
            finally:
                self._looking -= 1
                if not self._looking:
                    self._quiet.set()
            left_s = until - self._clock.monotonic()
            if messages or left_s <= 0:
                return messages
            next_ms = await self._next_ms(queue, self.now_ms()) if has_room else None
            if next_ms is None or next_ms > self.now_ms():
                await self.waiting.wait(queue.bucket, min(left_s, LOOK_AGAIN_S), next_ms)
            current = None if self._is_closed else await self._queues.find(queue.key)
            if current is None:
                return []
            queue = current

    async def _next_ms(self, queue: Queue, moment_ms: int) -> int | None:
        """When the next message becomes visible that is not yet; whoever waits is woken then."""
        next_ms = await self._store.read(lambda reader: _next_ms(reader, queue, moment_ms))
        if next_ms is not None:
            self.waiting.expect(queue.bucket, next_ms)
        return next_ms

    async def _receive(self, queue: Queue, limit: int, visibility_timeout_s: int, attempt_id: str) -> list[Message]:
        """One look."""
        moment_ms = self.now_ms()
        look = Receive(
            queue,
            await self._queues.find(queue.redrive_policy.target) if queue.redrive_policy else None,
            limit,
            visibility_timeout_s,
            moment_ms,
            lambda: self.sequences.next(moment_ms),
        )

        def take(tx: Transaction) -> list[Message]:
            if attempt_id and (again := _again(tx, queue, attempt_id, visibility_timeout_s, moment_ms)):
                return again
            messages = run(tx)
            if attempt_id and messages:
                received = orjson.dumps([(each.sequence, each.receives) for each in messages]).decode()
                group_tables.remember_attempt(tx, queue.id, attempt_id, received, moment_ms + ATTEMPT_INTERVAL_MS)
            return messages

        def run(tx: Transaction) -> list[Message]:
            messages = look.run(tx)
            if look.moved and look.dead_letter_queue is not None:
                tx.notify(CHANNEL, f"{look.dead_letter_queue.bucket}:{look.moved}")
            return messages

        if not queue.is_fifo:
            look.except_groups = await self._fairness.noisy(queue, moment_ms)
        messages: list[Message] = []
        try:
            messages = await self._store.transact(take)
            with contextlib.suppress(StoreError):  # the first messages have been taken all the same
                if len(messages) < limit and look.except_groups:
                    look.except_groups, look.limit = (), limit - len(messages)
                    messages = messages + await self._store.transact(run)
                if messages and self.waiting.needs_alarm(queue.bucket):
                    await self._next_ms(queue, moment_ms)
        except asyncio.CancelledError:
            # Nobody gets what the transaction takes, or has taken.
            giving_back = asyncio.create_task(self._give_back(look, messages), name="sqs give back")
            self._tasks.add(giving_back)
            giving_back.add_done_callback(self._tasks.discard)
            raise
        self._took(queue, messages, limit, visibility_timeout_s, moment_ms)
        return messages

    async def _give_back(self, look: Receive, before: list[Message]) -> None:
        """Make visible again what a receive took that was cancelled; on many nodes, what it had taken so far."""
        queue, moment_ms = look.queue, self.now_ms()

        def put(tx: Transaction) -> None:
            for message in (*before, *look.messages):
                kept = message_tables.find(tx, queue.bucket, message.sequence)
                if kept is not None and kept.receives == message.receives and kept.is_in_flight(moment_ms):
                    message_tables.set_visible(tx, queue.bucket, message.sequence, moment_ms)
                    if queue.is_fifo:
                        receiving.refresh_group(tx, queue.bucket, message.group, moment_ms)

        with contextlib.suppress(StoreError):  # then they come back when their visibility timeout is over
            await self._store.transact(put)
            self.waiting.wake(queue.bucket, len(before) + len(look.messages))

    def _took(
        self, queue: Queue, messages: Sequence[Message], limit: int, visibility_timeout_s: int, moment_ms: int
    ) -> None:
        if not messages:
            return
        self._in_flight[queue.bucket] = self._in_flight.get(queue.bucket, 0) + len(messages)
        self.waiting.expect(queue.bucket, moment_ms + visibility_timeout_s * 1000)
        if len(messages) == limit or queue.is_fifo:
            self.waiting.wake(queue.bucket)  # there may be more, for the next who waits
        if messages[0].group:
            self._fairness.noticed(queue.bucket)

    async def _has_room_in_flight(self, queue: Queue, limit: int, moment_ms: int) -> bool:
        bucket = queue.bucket
        if self._in_flight.get(bucket, 0) + limit <= MAX_IN_FLIGHT:
            return True
        in_flight, _ = await counting.invisible(self._store, bucket, moment_ms)
        self._in_flight[bucket] = in_flight
        return in_flight + limit <= MAX_IN_FLIGHT

    async def delete(self, queue: Queue, receipts: Sequence[tuple[Receipt, str]]) -> list[ServiceError | None]:
        """Delete messages (each with its handle as the client gave it); what is wrong with each."""
        moment_ms = self.now_ms()
        outcomes = await self._store.transact(
            lambda tx: [_attempt(partial(receiving.delete, tx, queue, *each, moment_ms)) for each in receipts]
        )
        if queue.is_fifo:
            self.waiting.wake(queue.bucket)  # the group may have more
        return outcomes

    async def change_visibility(
        self, queue: Queue, changes: Sequence[tuple[Receipt, str, int]]
    ) -> list[ServiceError | None]:
        """Change visibility timeouts (receipt, handle, seconds from now); what is wrong with each."""
        moment_ms = self.now_ms()
        outcomes = await self._store.transact(
            lambda tx: [_attempt(partial(receiving.change_visibility, tx, queue, *each, moment_ms)) for each in changes]
        )
        for change, error in zip(changes, outcomes, strict=True):
            if error is None and change[2] == 0:
                self.waiting.wake(queue.bucket)
            elif error is None:
                self.waiting.expect(queue.bucket, moment_ms + change[2] * 1000)
        return outcomes

    def _told(self, payload: str) -> None:
        if not payload:
            self.waiting.wake_all()
            return
        bucket, _, count = payload.partition(":")
        self.waiting.wake(int(bucket), int(count))


def _next_ms(reader: Reader, queue: Queue, moment_ms: int) -> int | None:
    if queue.is_fifo:
        return group_tables.next_free_ms(reader, queue.bucket)
    return message_tables.next_visible_ms(reader, queue.bucket, moment_ms)


def _again(
    tx: Transaction, queue: Queue, attempt_id: str, visibility_timeout_s: int, moment_ms: int
) -> list[Message] | None:
    """What an earlier receive with this attempt id gave, while all of it is still in flight.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-receiverequestattemptid-request-parameter.html
    """
    received = group_tables.attempt(tx, queue.id, attempt_id, moment_ms)
    if received is None:
        return None
    messages = []
    for sequence, receives in orjson.loads(received):
        message = message_tables.find_whole(tx, queue.bucket, sequence)
        if message is None or message.receives != receives or not message.is_in_flight(moment_ms):
            return None
        messages.append(message._replace(visible_ms=moment_ms + visibility_timeout_s * 1000))
    message_tables.mark_received(tx, queue.bucket, messages)
    for group in {message.group for message in messages}:
        receiving.refresh_group(tx, queue.bucket, group, moment_ms)
    return messages


def _attempt(action: Callable[[], object]) -> ServiceError | None:
    """Do one of a batch's entries; its error, for the entry's own answer."""
    try:
        action()
    except ServiceError as error:
        return error
    return None
