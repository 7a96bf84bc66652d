"""The service, put together."""

import asyncio
from typing import Final

from cloudlet.arn import Arn
from cloudlet.iam.facts import ResourceFacts
from cloudlet.services.base import Platform
from cloudlet.services.measurements import Record
from cloudlet.services.sqs.group_tables import GROUPS
from cloudlet.services.sqs.message_tables import MESSAGES
from cloudlet.services.sqs.move_tables import MOVES
from cloudlet.services.sqs.names import QueueKey
from cloudlet.services.sqs.operations.messages import MessageOperations
from cloudlet.services.sqs.operations.moves import MoveOperations
from cloudlet.services.sqs.operations.permissions import PermissionOperations
from cloudlet.services.sqs.operations.tags import TagOperations
from cloudlet.services.sqs.queue_metrics import QueueMetrics
from cloudlet.services.sqs.queue_tables import QUEUES

NO_POLICY: Final = '{"Version":"2012-10-17","Statement":[]}'
"""A queue without a policy takes nothing from services such as SNS."""


class SqsService(MessageOperations, TagOperations, PermissionOperations, MoveOperations):
    """Amazon SQS."""

    migrations = (QUEUES, MESSAGES, GROUPS, MOVES)

    def __init__(self, platform: Platform, record: Record) -> None:
        super().__init__(platform)
        self.metrics = QueueMetrics(record, platform.clock, platform.store, self.queues, self.message_counts)

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        self.metrics.measuring.start()
        self._look = tasks.create_task(self.metrics.run(), name="sqs metrics")
        self.upkeep.start(tasks)
        self.moving.start(tasks)

    def drain(self) -> None:
        self.draining.set()

    async def stop(self) -> None:
        self._look.cancel()
        await self.metrics.measuring.close()
        self.exchange.close()
        self.queues.close()

    async def idle(self) -> None:
        await self.exchange.settled()
        await self.metrics.measuring.flush()

    async def reset(self) -> None:
        self.queues.forget()
        self.exchange.forget()
        self.metrics.reset()

    async def facts(self, resource: Arn) -> ResourceFacts | None:
        """A queue's policy and its tags."""
        queue = await self.queues.find(QueueKey(resource.account, resource.region, resource.resource))
        if queue is None:
            return None
        return ResourceFacts(queue.attributes.get("Policy", NO_POLICY), queue.tags)
