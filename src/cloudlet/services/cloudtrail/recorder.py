"""Writes down the calls that wait in the queue, in batches beside the requests: into the store and the audit file."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from cloudlet.clock import Clock
from cloudlet.config import Config
from cloudlet.ids import Ids
from cloudlet.services.cloudtrail import tables
from cloudlet.services.cloudtrail.audit_file import AuditFile
from cloudlet.services.cloudtrail.queue import Call, CallQueue
from cloudlet.services.cloudtrail.record import Record, record_of_loss, records_of
from cloudlet.services.cloudtrail.resources import Resource, resources_of
from cloudlet.services.woken import sweep_for_ever
from cloudlet.store.base import Reader, Store, StoreError

logger = logging.getLogger(__name__)

GATHER_S = 0.2
"""A batch gathers for this long."""
BATCH = 256
AT_ONCE = 16
"""Events that are shaped before others get their turn."""
KEPT_EVENTS = 50_000
KEPT_DAYS = 90
"""As long as CloudTrail's event history goes back."""
REMOVE_EVERY = 1000
"""Events after which the oldest are removed."""
SWEEP_INTERVAL_S = 3600.0
DAY_US = 86_400_000_000


class Recorder:
    """The way from the queue to where events are kept. One per node."""

    def __init__(self, config: Config, store: Store, clock: Clock, ids: Ids, queue: CallQueue) -> None:
        self._home = config.account, config.region
        self._store = store
        self._clock = clock
        self._ids = ids
        self._queue = queue
        self._file = AuditFile(config.data / "audit")
        self._writing = asyncio.Lock()
        self._last_us = 0
        self._since_removal = 0

    async def write_forever(self) -> None:
        """Write down what comes, soon after it came."""
        while True:
            await self._queue.filled.wait()
            await asyncio.sleep(GATHER_S)
            await self.flush()

    async def sweep_forever(self) -> None:
        """Remove events when they are too old."""
        await sweep_for_ever(
            self._clock, SWEEP_INTERVAL_S, self.remove_oldest, logger, "the oldest events could not be removed"
        )

    async def flush(self) -> None:
        """Write down all that waits. Whatever cannot be kept is counted as lost, and the node goes on."""
        async with self._writing:
            while self._queue.filled.is_set():
                dropped = self._queue.take_dropped()
                await self._write(self._queue.take(BATCH), dropped)

    async def remove_oldest(self) -> None:
        """Remove the events that are too old or too many, in small steps. Raises StoreError."""
        before_us = int(self._clock.now() * 1_000_000) - KEPT_DAYS * DAY_US
        while await self._store.transact(lambda tx: tables.delete_oldest(tx, before_us, KEPT_EVENTS, REMOVE_EVERY)):
            pass

    async def _write(self, calls: Sequence[Call], dropped: int) -> None:
        records = await self._shape(calls)
        if dropped:
            logger.warning("events dropped", extra={"count": dropped})
            moment_us = self._moment_us(self._clock.now())
            records.append(record_of_loss(dropped, *self._home, moment_us, self._ids))
        if not records:
            return
        try:
            await self._store.transact(lambda tx: tables.add(tx, records))
            self._since_removal += len(records)
        except StoreError as error:
            logger.error("events are not in the store", extra={"count": len(records), "reason": str(error)})
        try:
            await asyncio.to_thread(self._file.append, [record.text for record in records])
        except OSError as error:
            logger.error("events are not in the audit file", extra={"count": len(records), "reason": str(error)})
        if self._since_removal >= REMOVE_EVERY:
            self._since_removal = 0
            with contextlib.suppress(StoreError):  # the sweep will
                await self.remove_oldest()

    async def _shape(self, calls: Sequence[Call]) -> list[Record]:
        try:
            resources = await self._store.read(lambda reader: _all_resources(reader, calls))
        except StoreError:
            resources = [[] for _ in calls]
        records: list[Record] = []
        for number, (call, named) in enumerate(zip(calls, resources, strict=True), 1):
            try:
                records += records_of(call, named, self._moment_us(call.moment), self._ids)
            except Exception:
                # One call that has no event must not end the loop that writes all others.
                logger.exception("a call has no event", extra={"operation": call.context.operation})
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        return records

    def _moment_us(self, moment: float) -> int:
        """The moment in microseconds, moved so that events keep the order in which they came."""
        self._last_us = max(int(moment * 1_000_000), self._last_us + 1)
        return self._last_us


def _all_resources(reader: Reader, calls: Sequence[Call]) -> list[list[Resource]]:
    return [resources_of(call.context, call.params, reader) for call in calls]
