"""The service, put together."""

import asyncio
from typing import Final

from cloudlet.arn import Arn
from cloudlet.iam.facts import ResourceFacts
from cloudlet.services.sqs.group_tables import GROUPS
from cloudlet.services.sqs.message_tables import MESSAGES
from cloudlet.services.sqs.move_tables import MOVES
from cloudlet.services.sqs.names import key_of_arn
from cloudlet.services.sqs.operations.messages import MessageOperations
from cloudlet.services.sqs.operations.moves import MoveOperations
from cloudlet.services.sqs.operations.permissions import PermissionOperations
from cloudlet.services.sqs.queue_tables import QUEUES

NO_POLICY: Final = '{"Version":"2012-10-17","Statement":[]}'
"""A queue without a policy takes nothing from services such as SNS."""


class SqsService(MessageOperations, PermissionOperations, MoveOperations):
    """Amazon SQS."""

    migrations = (QUEUES, MESSAGES, GROUPS, MOVES)

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        self.upkeep.start(tasks)
        self.moving.start(tasks)

    async def stop(self) -> None:
        self.exchange.close()
        self.queues.close()

    async def idle(self) -> None:
        await self.exchange.settled()

    async def reset(self) -> None:
        self.queues.forget()
        self.exchange.forget()

    async def facts(self, resource: Arn) -> ResourceFacts | None:
        """A queue's policy and its tags."""
        key = key_of_arn(str(resource))
        queue = await self.queues.find(key) if key is not None else None
        if queue is None:
            return None
        return ResourceFacts(queue.attributes.get("Policy", NO_POLICY), queue.tags)
