"""Work behind the requests: points that are old are joined to coarser ones, and forgotten in the end."""

import asyncio
import logging
from functools import partial
from typing import Final

from cloudlet.clock import Clock
from cloudlet.services.cloudwatch import tables
from cloudlet.services.cloudwatch.retention import DAY_S, FORGOTTEN_S, KEPT_S, NEXT
from cloudlet.services.cloudwatch.summary import Summary
from cloudlet.services.cloudwatch.tables import PointKey
from cloudlet.store.base import Reader, Store, StoreError, Transaction

ROWS_PER_STEP: Final = 300
SWEEP_INTERVAL_S: Final = 3_600.0
LOOK_INTERVAL_S: Final = float(DAY_S)
"""How often it is looked whether something is due, at least."""

logger = logging.getLogger(__name__)


class Upkeep:
    """The loop. Safe on several nodes: each step does what is there to do."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._has_data = asyncio.Event()

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Run until `tasks` ends."""
        tasks.create_task(self.run(), name="metrics: retention")

    def wake(self) -> None:
        """There is data."""
        if not self._has_data.is_set():
            self._has_data.set()

    async def run(self) -> None:
        """Sweep whenever something is due."""
        while True:
            try:
                now_s = self._clock.now()
                self._has_data.clear()  # before looking: what comes meanwhile is seen, or wakes
                due_s = await self._store.read(_first_due)
                if due_s is None:
                    await self._has_data.wait()
                    continue
                least_s, most_s = now_s + SWEEP_INTERVAL_S, now_s + LOOK_INTERVAL_S
                await self._clock.sleep_loosely_until(min(max(due_s, least_s), most_s))
                await self.sweep()
            except StoreError:
                logger.warning("old metrics could not be swept; will be tried again", exc_info=True)
                await self._clock.sleep(SWEEP_INTERVAL_S)

    async def sweep(self) -> None:
        """Join and forget all that is due."""
        now_s = int(self._clock.now())
        for resolution, coarser in NEXT.items():
            step = partial(_join_step, resolution=resolution, coarser=coarser, before_s=now_s - KEPT_S[resolution])
            while await self._store.transact(step):
                pass
        while await self._store.transact(partial(_forget_step, before_s=now_s - FORGOTTEN_S)):
            pass


def _first_due(reader: Reader) -> int | None:
    """When something is too old next; None while there is nothing."""
    moments = [
        first_s + kept_s + 1
        for resolution, kept_s in KEPT_S.items()
        if (first_s := tables.first_point(reader, resolution)) is not None
    ]
    if (published_s := tables.first_published(reader)) is not None:
        moments.append(published_s + FORGOTTEN_S + 1)
    return min(moments, default=None)


def _join_step(tx: Transaction, resolution: int, coarser: int, before_s: int) -> bool:
    found = tables.old_points(tx, resolution, before_s, ROWS_PER_STEP)
    joined: dict[PointKey, Summary] = {}
    for key, summary in found:
        target = key._replace(resolution=coarser, moment_s=key.moment_s // coarser * coarser)
        joined.setdefault(target, Summary()).merge(summary)
    tables.add_points(tx, joined.items())
    tables.delete_points(tx, [key for key, _ in found])
    return bool(found)


def _forget_step(tx: Transaction, before_s: int) -> bool:
    found = tables.old_points(tx, 3600, before_s, ROWS_PER_STEP)
    tables.delete_points(tx, [key for key, _ in found])
    return bool(found) | bool(tables.delete_metrics(tx, before_s, ROWS_PER_STEP))
