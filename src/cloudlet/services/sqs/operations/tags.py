"""Tags of queues. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-tags.html"""

from dataclasses import replace
from typing import TYPE_CHECKING

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.sqs import tagging
from cloudlet.services.sqs.errors import InvalidParameterValue, missing
from cloudlet.services.sqs.operations.queues import QueueOperations
from cloudlet.services.sqs.queue import Queue
from cloudlet.store.base import Transaction

if TYPE_CHECKING:
    from types_boto3_sqs import type_defs as types


class TagOperations(QueueOperations):
    """TagQueue, UntagQueue and ListQueueTags."""

    @operation("TagQueue")
    async def tag_queue(self, context: RequestContext, params: "types.TagQueueRequestTypeDef") -> Result:
        new = dict(params["Tags"])
        if not new:
            raise missing("Tags")

        def change(_tx: Transaction, queue: Queue) -> Queue:
            tags = {**queue.tags, **new}
            tagging.check(tags, queue.key.name)
            return replace(queue, tags=tags)

        await self.change_queue(context, params, change)
        return {}

    @operation("UntagQueue")
    async def untag_queue(self, context: RequestContext, params: "types.UntagQueueRequestTypeDef") -> Result:
        gone = set(params["TagKeys"])
        if not gone:
            raise InvalidParameterValue(tagging.KEY_LENGTH)
        await self.change_queue(
            context,
            params,
            lambda _tx, queue: replace(
                queue, tags={name: value for name, value in queue.tags.items() if name not in gone}
            ),
        )
        return {}

    @operation("ListQueueTags")
    async def list_queue_tags(self, context: RequestContext, params: "types.ListQueueTagsRequestTypeDef") -> Result:
        queue = await self.owned_queue(context, params)
        return {"Tags": dict(queue.tags)} if queue.tags else {}
