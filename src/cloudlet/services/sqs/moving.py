"""Message move tasks: what lies in a dead-letter queue goes back, in the background and over restarts.

A step moves some messages in one transaction with the task's own row, so that a kill loses none and moves none twice.
A moved message is a new one: its id, its time and its number of receives begin anew.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
"""

import asyncio
import logging
from typing import Final

from cloudlet.clock import Clock, now_ms
from cloudlet.ids import Ids
from cloudlet.services.sqs import message_tables, move_tables, queue_tables, sending
from cloudlet.services.sqs.exchange import CHANNEL, Exchange
from cloudlet.services.sqs.message import NEVER, Message, details
from cloudlet.services.sqs.move_tables import MoveTask
from cloudlet.services.sqs.names import key_of_arn
from cloudlet.services.sqs.queue import Queue
from cloudlet.services.sqs.receiving import refresh_group
from cloudlet.store.base import Store, StoreError, Transaction

logger = logging.getLogger(__name__)

AT_ONCE: Final = 100
MAX_RATE: Final = 500
RETRY_S: Final = 1.0
"""After the store could not do its work."""
NO_QUEUE: Final = "AWS.SimpleQueueService.NonExistentQueue"


class Moving:
    """Runs the tasks of this store. Several nodes may: each step is one transaction."""

    def __init__(self, store: Store, clock: Clock, ids: Ids, exchange: Exchange) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._exchange = exchange
        self._woken = asyncio.Event()
        self._moved: set[str] = set()
        """Handles of the tasks that are at work."""
        self._turn = asyncio.Semaphore(1)
        """One step at a time: others write too."""

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Take up what was under way."""
        tasks.create_task(self._run(), name="sqs message moves")

    def wake(self) -> None:
        """There is a new task."""
        self._woken.set()

    async def _run(self) -> None:
        """Have each task that has not ended at work, beside the others: a slow one holds up none."""
        async with asyncio.TaskGroup() as movers:
            while True:
                self._woken.clear()
                try:
                    active = await self._store.read(move_tables.active)
                except StoreError:
                    logger.warning("message moves could not be read; will be tried again", exc_info=True)
                    await asyncio.sleep(RETRY_S)
                    continue
                for task in active:
                    if task.handle not in self._moved:
                        self._moved.add(task.handle)
                        movers.create_task(self._move_all(task), name=f"sqs move {task.handle}")
                await self._woken.wait()

    async def _move_all(self, task: MoveTask) -> None:
        """Take one task to its end."""
        while True:
            try:
                async with self._turn:
                    moved = await self._step(task)
            except StoreError:
                logger.warning("messages could not be moved; will be tried again", exc_info=True)
                await asyncio.sleep(RETRY_S)
                continue
            if moved is None:
                self._moved.discard(task.handle)
                return
            if task.rate:
                await self._clock.sleep(moved / task.rate)

    async def _step(self, task: MoveTask) -> int | None:
        """Move some messages of a task; how many, or None where it has ended."""
        limit = min(AT_ONCE, task.rate) if task.rate else AT_ONCE
        moment_ms = now_ms(self._clock)

        def move(tx: Transaction) -> int | None:
            current = move_tables.find(tx, task.handle)
            if current is None or current.status not in (move_tables.RUNNING, move_tables.CANCELLING):
                return None
            after, moved = self._after_step(tx, current, limit, moment_ms)
            move_tables.put(tx, after)
            return moved

        return await self._store.transact(move)

    def _after_step(self, tx: Transaction, task: MoveTask, limit: int, moment_ms: int) -> tuple[MoveTask, int]:
        if task.status == move_tables.CANCELLING:
            return task._replace(status=move_tables.CANCELLED), 0
        source = queue_tables.find(tx, task.source)
        if source is None:
            return task._replace(status=move_tables.FAILED, reason=NO_QUEUE), 0
        found = message_tables.waiting(tx, source.bucket, moment_ms, task.last, limit)
        moved = 0
        for message in found:
            target = self._target(tx, task, message)
            if target is None or target.is_fifo != source.is_fifo:
                reason = NO_QUEUE if task.destination else "CouldNotDetermineMessageSource"
                return task._replace(status=move_tables.FAILED, reason=reason, moved=task.moved + moved), moved
            self._move(tx, source, target, message, moment_ms)
            moved += 1
        status = task.status if len(found) == limit else move_tables.COMPLETED
        return task._replace(status=status, moved=task.moved + moved), moved

    def _target(self, tx: Transaction, task: MoveTask, message: Message) -> Queue | None:
        arn = task.destination or message.detail("source")
        key = key_of_arn(arn) if arn else None
        return queue_tables.find(tx, key) if key is not None else None

    def _move(self, tx: Transaction, source: Queue, target: Queue, message: Message, moment_ms: int) -> None:
        message_tables.remove(tx, source.bucket, [message.sequence])
        kept = {name: message.detail(name) for name in ("attributes", "trace", "deduplication")}
        new = Message(
            self._exchange.sequences.next(moment_ms),
            moment_ms,
            0,
            NEVER,
            NEVER,
            message.group,
            self._ids.uuid(),
            message.sender,
            message.body,
            details(**kept),
        )
        if target.is_fifo:
            sending.add_to_group(tx, target, new, moment_ms)
            refresh_group(tx, source.bucket, message.group, moment_ms)
        else:
            message_tables.insert(tx, target.bucket, new)
        tx.notify(CHANNEL, f"{target.bucket}:1")
