"""How data comes in: what many requests bring at the same time is joined in memory and stored in one transaction.

While one batch is on its way to the disk the next one gathers. A request is answered when its own batch is stored.
"""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from cloudlet.clock import Clock
from cloudlet.services.cloudwatch import tables
from cloudlet.services.cloudwatch.metric import MetricKey, Place
from cloudlet.services.cloudwatch.retention import resolution_at
from cloudlet.services.cloudwatch.summary import Summary
from cloudlet.services.cloudwatch.tables import PointKey
from cloudlet.store.base import Store, Transaction

BATCH_POINTS: Final = 2_000
"""Points that one transaction stores; what one request brings is not divided."""
REMEMBERED_METRICS: Final = 100_000
PUBLISHED_EVERY_S: Final = 300
"""How often it is noted that a metric is still in use."""

logger = logging.getLogger(__name__)


class Datum(NamedTuple):
    """Data of one metric at one moment."""

    metric: MetricKey
    moment_s: float
    resolution: int
    """1 or 60."""
    unit: str
    summary: Summary


class _Batch:
    """What is stored together."""

    def __init__(self) -> None:
        self.points: dict[PointKey, Summary] = {}
        self.metrics: dict[tuple[Place, bytes], MetricKey] = {}
        self.stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def add(self, key: PointKey, summary: Summary) -> None:
        there = self.points.get(key)
        if there is None:
            there = self.points[key] = Summary()
        there.merge(summary)


class Ingestion:
    """Stores data. `on_data` is called when there is some that will be too old one day."""

    def __init__(self, store: Store, clock: Clock, on_data: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._on_data = on_data
        self._batches: deque[_Batch] = deque()
        self._storing: asyncio.Task[None] | None = None
        self._published: OrderedDict[tuple[Place, bytes], int] = OrderedDict()

    async def put(self, place: Place, data: Iterable[Datum]) -> None:
        """Store data; durable when this returns. Raises StoreError: then none of it is certain to be there."""
        if not self._batches or len(self._batches[-1].points) >= BATCH_POINTS:
            self._batches.append(_Batch())
        batch, now_s = self._batches[-1], self._clock.now()
        for datum in data:
            resolution = resolution_at(now_s - datum.moment_s, datum.resolution)
            moment_s = int(datum.moment_s // resolution) * resolution
            digest = datum.metric.digest
            batch.add(PointKey(*place, digest, resolution, moment_s, datum.unit), datum.summary)
            if now_s - self._published.get((place, digest), -PUBLISHED_EVERY_S) >= PUBLISHED_EVERY_S:
                batch.metrics[place, digest] = datum.metric
        if self._storing is None:
            self._storing = asyncio.create_task(self._store_all(), name="metrics: store")
        await asyncio.shield(batch.stored)
        self._on_data()

    def forget(self) -> None:
        """The store was emptied."""
        self._published.clear()

    async def settled(self) -> None:
        """Wait until what came so far is stored."""
        if self._storing is not None:
            await asyncio.shield(self._storing)

    async def _store_all(self) -> None:
        try:
            while self._batches:
                batch = self._batches.popleft()
                try:
                    await self._store_one(batch)
                except Exception as error:
                    batch.stored.set_exception(error)
                    batch.stored.exception()  # whoever waited may have gone
                else:
                    batch.stored.set_result(None)
        finally:
            self._storing = None

    async def _store_one(self, batch: _Batch) -> None:
        now_s = int(self._clock.now())

        def store(tx: Transaction) -> None:
            tables.add_points(tx, batch.points.items())
            tables.put_metrics(tx, ((place, metric) for (place, _), metric in batch.metrics.items()), now_s)

        await self._store.transact(store)
        for key in batch.metrics:
            self._published[key] = now_s
            self._published.move_to_end(key)
        while len(self._published) > REMEMBERED_METRICS:
            self._published.popitem(last=False)
