"""The service, put together."""

import asyncio
from collections.abc import Iterable

from cloudlet.services.cloudwatch.ingestion import Datum
from cloudlet.services.cloudwatch.metric import MetricKey, Place
from cloudlet.services.cloudwatch.operations.data import DataOperations
from cloudlet.services.cloudwatch.operations.listing import ListOperations
from cloudlet.services.cloudwatch.operations.putting import PutOperations
from cloudlet.services.cloudwatch.operations.statistics import StatisticsOperations
from cloudlet.services.cloudwatch.summary import Summary
from cloudlet.services.cloudwatch.tables import MIGRATIONS
from cloudlet.services.measurements import Measurement


class CloudWatchService(PutOperations, DataOperations, StatisticsOperations, ListOperations):
    """Amazon CloudWatch: metrics."""

    migrations = MIGRATIONS

    async def record(self, measurements: Iterable[Measurement]) -> None:
        """Store what the platform has measured itself, in AWS's namespaces. Raises StoreError."""
        by_place: dict[Place, list[Datum]] = {}
        for one in measurements:
            metric = MetricKey(one.namespace, one.name, one.dimensions)
            datum = Datum(metric, one.moment_s, 60, one.unit, Summary.of_values(one.values.items()))
            by_place.setdefault(Place(one.account, one.region), []).append(datum)
        await asyncio.gather(*(self.ingestion.put(place, data) for place, data in by_place.items()))

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        self.upkeep.start(tasks)

    async def idle(self) -> None:
        await self.ingestion.settled()

    async def reset(self) -> None:
        self.ingestion.forget()
