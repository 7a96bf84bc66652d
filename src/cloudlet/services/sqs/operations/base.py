"""What the operations share."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cloudlet.errors import AccessDenied, ServiceError
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Platform, Service
from cloudlet.services.sqs.errors import (
    BatchEntryIdsNotDistinct,
    EmptyBatchRequest,
    InvalidBatchEntryId,
    TooManyEntriesInBatchRequest,
    missing,
)
from cloudlet.services.sqs.exchange import Exchange
from cloudlet.services.sqs.names import QueueKey
from cloudlet.services.sqs.queue import Queue
from cloudlet.services.sqs.queue_metrics import QueueMetrics
from cloudlet.services.sqs.queues import Queues
from cloudlet.services.sqs.upkeep import Upkeep

MAX_BATCH: Final = 10
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""
_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")

Entry = Mapping[str, Any]


class Operations(Service):
    """The base of the classes with the operations."""

    name = "sqs"
    metrics: QueueMetrics

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self.queues = Queues(platform.store)
        self.upkeep = Upkeep(platform.store, platform.clock)
        self.exchange = Exchange(platform, self.queues, self.upkeep)
        self.draining = asyncio.Event()
        """Set when receives wait no longer for messages."""

    async def queue(self, context: RequestContext, params: Mapping[str, Any]) -> Queue:
        """The queue that a request is about. Raises MissingParameter, InvalidAddress, QueueDoesNotExist."""
        url = params.get("QueueUrl")
        if not url:
            raise missing("QueueUrl")
        return await self.queues.of_url(context, url)

    async def owned_queue(self, context: RequestContext, params: Mapping[str, Any]) -> Queue:
        """The queue of a request that no policy opens to other accounts. Raises AccessDenied, and what `queue` does.

        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-limitations-of-custom-policies.html
        """
        queue = await self.queue(context, params)
        check_owner(context, queue.key)
        return queue


def check_owner(context: RequestContext, key: QueueKey) -> None:
    """Raises AccessDenied for a queue of another account than the caller's."""
    if key.account != context.account:
        action = f"sqs:{context.operation}".lower()  # as SQS spells actions when it refuses
        raise AccessDenied(
            f"User: {context.principal.arn} is not authorized to perform: {action} on resource: {key.arn} because no"
            f" resource-based policy allows the {action} action"
        )


def check_entries(entries: Sequence[Entry], kind: str) -> None:
    """Raises what is wrong with a batch as a whole: its size, and the ids by which entries are answered.

    `kind`: the entries' shape.
    """
    if not entries:
        raise EmptyBatchRequest(f"There should be at least one {kind} in the request.")
    if len(entries) > MAX_BATCH:
        raise TooManyEntriesInBatchRequest(
            f"Maximum number of entries per request are {MAX_BATCH}. You have sent {len(entries)}."
        )
    seen = set()
    for number, entry in enumerate(entries, 1):
        name = entry.get("Id")
        if name is None:
            raise missing(f"{kind}.{number}.Id")
        if not _ENTRY_ID.fullmatch(name):
            raise InvalidBatchEntryId(
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
                "It can be at most 80 letters long."
            )
        if name in seen:
            raise BatchEntryIdsNotDistinct(f"Id {name} repeated.")
        seen.add(name)


def failed(entry: Entry, error: ServiceError) -> dict[str, Any]:
    """A batch's answer for an entry that could not be done."""
    return {
        "Id": entry["Id"],
        "SenderFault": error.sender_fault,
        "Code": _CODES.get(error.code, error.code),
        "Message": str(error) or (error.__doc__ or ""),
    }


def batch_result(successful: list[dict[str, Any]], failures: list[dict[str, Any]]) -> dict[str, Any]:
    """A batch's answer; the two lists are there when they are not empty."""
    lists = {"Successful": successful, "Failed": failures}
    return {name: entries for name, entries in lists.items() if entries}


_CODES: Final = {
    "InvalidParameterValueException": "InvalidParameterValue",
    "MissingRequiredParameterException": "MissingParameter",
}
"""Codes that entries show, where they are not the shapes' names."""
