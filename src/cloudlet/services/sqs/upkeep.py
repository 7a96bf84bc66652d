"""What is swept up in the background: messages too old, purged and deleted queues, old deduplication ids.

A sweep comes when something is due, so that a clock that is moved forward by years does not stop at each minute on the
way. Nothing waits for it: receives pass over what is too old, and what is purged lies in a bucket that no queue has.
"""

import asyncio
import logging
from functools import partial
from typing import Final

from cloudlet.clock import Clock, now_ms
from cloudlet.services.sqs import group_tables, message_tables, queue_tables
from cloudlet.services.sqs import sequence as sequences
from cloudlet.services.sqs.names import QueueKey
from cloudlet.services.sqs.queue import Queue
from cloudlet.services.sqs.receiving import refresh_group
from cloudlet.store.base import Reader, Store, StoreError, Transaction

logger = logging.getLogger(__name__)

SWEEP_EVERY_S: Final = 60.0
"""What is new is looked at not more often than this."""
AT_ONCE: Final = 500
"""Rows that one transaction takes away: others want their turn."""
QUEUES_AT_ONCE: Final = 200
REMEMBER_DELETED_MS: Final = 60_000
RETRY_S: Final = 1.0


class Upkeep:
    """The loop. Safe on several nodes: each step does what is there to do."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._woken = asyncio.Event()
        self._used = asyncio.Event()

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Begin."""
        tasks.create_task(self._sweep_trash(), name="sqs trash")
        tasks.create_task(self._sweep_old(), name="sqs retention")

    def wake(self) -> None:
        """There is trash."""
        self._woken.set()
        self._used.set()

    def used(self) -> None:
        """There is something that will be too old one day."""
        if not self._used.is_set():
            self._used.set()

    async def _sweep_trash(self) -> None:
        while True:
            try:
                while (bucket := await self._store.read(queue_tables.trash)) is not None:
                    await self._store.transact(partial(_sweep_bucket, bucket=bucket))
            except StoreError:
                await _after_failure()
                continue
            await self._woken.wait()
            self._woken.clear()

    async def _sweep_old(self) -> None:
        while True:
            self._used.clear()
            try:
                due_ms = await self._due_ms()
                if await self._is_used_before(due_ms):
                    await self._clock.sleep(SWEEP_EVERY_S)
                else:
                    await self.sweep()
            except StoreError:
                await _after_failure()

    async def _is_used_before(self, due_ms: int | None) -> bool:
        """Wait; true when there is something new before the moment, which may be due earlier."""
        if due_ms is None:
            return await self._used.wait()
        tasks = [
            asyncio.create_task(self._used.wait()),
            asyncio.create_task(self._clock.sleep_until((due_ms + 1) / 1000)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return not tasks[1].done()
        finally:
            for task in tasks:
                task.cancel()

    async def _due_ms(self) -> int | None:
        """When something is too old next; None while there is nothing."""
        moments = await self._store.read(_ends)
        after = QueueKey("", "", "")
        while page := await self._store.read(partial(queue_tables.page, after=after, limit=QUEUES_AT_ONCE)):
            moments += await self._store.read(partial(_ends_of, queues=page))
            after = page[-1].key
            await asyncio.sleep(0)  # a read of a store in this process gives nobody a turn
        return min(moments, default=None)

    async def sweep(self) -> None:
        """One round over everything that can be too old."""
        moment_ms = now_ms(self._clock)

        def forget(tx: Transaction) -> bool:
            queue_tables.forget_deleted(tx, moment_ms - REMEMBER_DELETED_MS)
            return group_tables.forget_old(tx, moment_ms, AT_ONCE)

        while await self._store.transact(forget):
            pass
        after = QueueKey("", "", "")
        while page := await self._store.read(partial(queue_tables.page, after=after, limit=QUEUES_AT_ONCE)):
            for queue in page:
                floor = sequences.first_of(moment_ms - queue.retention_s * 1000)
                await self._expire(queue, floor, moment_ms)
            after = page[-1].key
            await asyncio.sleep(0)

    async def _expire(self, queue: Queue, floor: int, moment_ms: int) -> None:
        bucket = queue.bucket
        while await self._store.read(lambda reader: message_tables.expired(reader, bucket, floor, 1)):
            await self._store.transact(lambda tx: _expire_some(tx, bucket, floor, moment_ms))


async def _after_failure() -> None:
    """The store could not do its work: the next attempt, a moment later, begins anew."""
    logger.warning("queues could not be swept; will be tried again", exc_info=True)
    await asyncio.sleep(RETRY_S)


def _ends(reader: Reader) -> list[int]:
    deleted_ms = queue_tables.first_deleted_ms(reader)
    return [
        *group_tables.first_ends(reader),
        *([] if deleted_ms is None else [deleted_ms + REMEMBER_DELETED_MS]),
    ]


def _ends_of(reader: Reader, queues: list[Queue]) -> list[int]:
    firsts = [(queue, message_tables.first(reader, queue.bucket)) for queue in queues]
    return [sequences.moment_ms(first) + queue.retention_s * 1000 for queue, first in firsts if first]


def _expire_some(tx: Transaction, bucket: int, floor: int, moment_ms: int) -> None:
    found = message_tables.expired(tx, bucket, floor, AT_ONCE)
    message_tables.remove(tx, bucket, [sequence for sequence, _ in found])
    for group in {group for _, group in found if group}:
        refresh_group(tx, bucket, group, moment_ms)


def _sweep_bucket(tx: Transaction, bucket: int) -> None:
    found = message_tables.expired(tx, bucket, sequences.first_of(1 << 42), AT_ONCE)
    message_tables.remove(tx, bucket, [sequence for sequence, _ in found])
    if not found and not group_tables.sweep(tx, bucket, AT_ONCE):
        queue_tables.remove_trash(tx, bucket)
