"""Queues: created, found, changed, purged, deleted."""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.sqs import attributes as names
from cloudlet.services.sqs import counting, move_tables, queue_tables, receiving, tagging
from cloudlet.services.sqs.errors import (
    InvalidParameterValue,
    PurgeQueueInProgress,
    QueueDeletedRecently,
    QueueNameExists,
    invalid,
    missing,
    no_queue,
)
from cloudlet.services.sqs.exchange import CHANNEL
from cloudlet.services.sqs.names import QueueKey, check_name, key_of_arn
from cloudlet.services.sqs.operations.base import Operations
from cloudlet.services.sqs.queue import Queue
from cloudlet.services.sqs.queues import changed
from cloudlet.store.base import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_sqs import type_defs as types

MAX_LISTED: Final = 1_000
PURGE_INTERVAL_S: Final = 60


class QueueOperations(Operations):
    """Operations on queues."""

    @operation("CreateQueue")
    async def create_queue(self, context: RequestContext, params: "types.CreateQueueRequestTypeDef") -> Result:
        given: Mapping[str, str] = {str(name): value for name, value in (params.get("Attributes") or {}).items()}
        is_fifo = given.get("FifoQueue") == "true"
        name, tags = _name(params), dict(params.get("tags") or {})
        check_name(name, is_fifo=is_fifo)
        tagging.check(tags, name)
        key = QueueKey(context.account, context.region, name)
        settings = names.changed({}, given, is_fifo=is_fifo)
        now_ms = self.exchange.now_ms()
        queue = Queue(key, self._number(), self._number(), settings, tags, now_ms, now_ms, 0)

        def create(tx: Transaction) -> None:
            existing = queue_tables.find(tx, key)
            if existing is not None:
                check_same(existing, given, settings)
                return
            deleted_ms = queue_tables.deleted_ms(tx, key)
            delay_ms = self.platform.config.queue_recreation_delay_s * 1000
            if deleted_ms is not None and now_ms < deleted_ms + delay_ms:
                raise QueueDeletedRecently(
                    "You must wait 60 seconds after deleting a queue before you can create another with the same name."
                )
            check_redrive(tx, queue, given)
            queue_tables.add(tx, queue)
            changed(tx, key)

        await self.platform.store.transact(create)
        return {"QueueUrl": key.url(context.endpoint)}

    @operation("GetQueueUrl")
    async def get_queue_url(self, context: RequestContext, params: "types.GetQueueUrlRequestTypeDef") -> Result:
        account = params.get("QueueOwnerAWSAccountId") or context.account
        key = QueueKey(account, context.region, _name(params))
        if await self.queues.find(key) is None:
            raise no_queue()
        return {"QueueUrl": key.url(context.endpoint)}

    @operation("ListQueues")
    async def list_queues(self, context: RequestContext, params: "types.ListQueuesRequestTypeDef") -> Result:
        limit, after = page_of(params)
        prefix, account, region = params.get("QueueNamePrefix") or "", context.account, context.region
        found = await self.platform.store.read(
            lambda reader: queue_tables.names(reader, account, region, prefix, after, limit + 1)
        )
        urls = [QueueKey(account, region, name).url(context.endpoint) for name in found[:limit]]
        result: dict[str, Any] = {"QueueUrls": urls} if urls else {}
        if len(found) > limit and params.get("MaxResults"):
            result["NextToken"] = token_of(found[limit - 1])
        return result

    @operation("ListDeadLetterSourceQueues")
    async def list_dead_letter_source_queues(
        self, context: RequestContext, params: "types.ListDeadLetterSourceQueuesRequestTypeDef"
    ) -> Result:
        queue = await self.queue(context, params)
        limit, after = page_of(params)
        found = await self.platform.store.read(
            lambda reader: queue_tables.sources(reader, queue.key.arn, after, limit + 1)
        )
        urls = [queue.key._replace(name=name).url(context.endpoint) for name in found[:limit]]
        result: dict[str, Any] = {"queueUrls": urls}
        if len(found) > limit and params.get("MaxResults"):
            result["NextToken"] = token_of(found[limit - 1])
        return result

    @operation("GetQueueAttributes")
    async def get_queue_attributes(
        self, context: RequestContext, params: "types.GetQueueAttributesRequestTypeDef"
    ) -> Result:
        queue = await self.queue(context, params)
        wanted = {str(name) for name in params.get("AttributeNames") or ()}
        names.check_names(wanted, is_fifo=queue.is_fifo)
        found = names.shown(queue.attributes, is_fifo=queue.is_fifo)
        found["CreatedTimestamp"] = str(queue.created_ms // 1000)
        found["LastModifiedTimestamp"] = str(queue.modified_ms // 1000)
        found["QueueArn"] = queue.key.arn
        if "All" in wanted or wanted.intersection(names.COUNTS):
            found |= dict(zip(names.COUNTS, map(str, await self.message_counts(queue)), strict=True))
        if "All" not in wanted:
            found = {name: value for name, value in found.items() if name in wanted}
        return {"Attributes": found} if found else {}

    async def message_counts(self, queue: Queue) -> tuple[int, int, int]:
        """How many messages are visible, in flight and delayed."""
        now_ms, store = self.exchange.now_ms(), self.platform.store
        visible = await counting.visible(store, queue.bucket, now_ms)
        return visible, *await counting.invisible(store, queue.bucket, now_ms)

    @operation("SetQueueAttributes")
    async def set_queue_attributes(
        self, context: RequestContext, params: "types.SetQueueAttributesRequestTypeDef"
    ) -> Result:
        given: Mapping[str, str] = {str(name): value for name, value in params["Attributes"].items()}
        if not given:
            raise missing("Attributes")

        def change(tx: Transaction, queue: Queue) -> Queue:
            settings = names.changed(queue.attributes, given, is_fifo=queue.is_fifo)
            now_ms = self.exchange.now_ms()
            new = replace(queue, attributes=settings, modified_ms=now_ms)
            check_redrive(tx, new, given)
            if new.is_fifo and new.delay_s != queue.delay_s and (groups := receiving.delay_anew(tx, new, now_ms)):
                tx.notify(CHANNEL, f"{new.bucket}:{groups}")
            return new

        await self.change_queue(context, params, change)
        return {}

    @operation("PurgeQueue")
    async def purge_queue(self, context: RequestContext, params: "types.PurgeQueueRequestTypeDef") -> Result:
        bucket = self._number()

        def change(tx: Transaction, queue: Queue) -> Queue:
            now_ms = self.exchange.now_ms()
            if now_ms < queue.purged_ms + PURGE_INTERVAL_S * 1000:
                raise PurgeQueueInProgress(
                    f"Only one PurgeQueue operation on {queue.key.name} is allowed every {PURGE_INTERVAL_S} seconds."
                )
            self.exchange.give_up(tx, queue.bucket)
            return replace(queue, bucket=bucket, purged_ms=now_ms)

        queue = await self.queue(context, params)
        await self._change(queue.key, change)
        self.exchange.given_up(queue.bucket)
        return {}

    @operation("DeleteQueue")
    async def delete_queue(self, context: RequestContext, params: "types.DeleteQueueRequestTypeDef") -> Result:
        queue = await self.owned_queue(context, params)

        def delete(tx: Transaction) -> None:
            current = queue_tables.find(tx, queue.key)
            if current is None:
                raise no_queue()
            queue_tables.delete(tx, current, self.exchange.now_ms())
            move_tables.forget(tx, current.key)
            self.exchange.give_up(tx, current.bucket)
            changed(tx, current.key)

        await self.platform.store.transact(delete)
        self.exchange.given_up(queue.bucket)
        return {}

    async def change_queue(
        self, context: RequestContext, params: Mapping[str, Any], change: Callable[[Transaction, Queue], Queue]
    ) -> None:
        """Change the row of a queue of the caller's. Raises QueueDoesNotExist, AccessDenied, what `change` raises."""
        await self._change((await self.owned_queue(context, params)).key, change)

    async def _change(self, key: QueueKey, change: Callable[[Transaction, Queue], Queue]) -> None:
        def put(tx: Transaction) -> None:
            queue = queue_tables.find(tx, key)
            if queue is None:
                raise no_queue()
            queue_tables.put(tx, change(tx, queue))
            changed(tx, key)

        await self.platform.store.transact(put)

    def _number(self) -> int:
        """A random number for what must not be guessed or given twice."""
        return int.from_bytes(self.platform.ids.bytes(8), "big") >> 1


def _name(params: Mapping[str, Any]) -> str:
    """The queue's name in a request. Raises InvalidParameterValue where there is none."""
    name: str | None = params.get("QueueName")
    if name is None:
        raise InvalidParameterValue("Value for parameter QueueName is invalid. Reason: Must specify a queue name.")
    return name


def check_same(queue: Queue, given: Mapping[str, str], settings: Mapping[str, str]) -> None:
    """Raises QueueNameExists when an attribute that was given differs from that of the queue that is there."""
    shown = names.shown(queue.attributes, is_fifo=queue.is_fifo)
    for name in given:
        if shown.get(name) != settings.get(name):
            raise QueueNameExists(
                f"A queue already exists with the same name and a different value for attribute {name}"
            )


def check_redrive(reader: Reader, queue: Queue, given: Mapping[str, str]) -> None:
    """Raises InvalidParameterValue when the dead-letter queue that was given cannot be this queue's."""
    value = given.get("RedrivePolicy")
    if not value:
        return
    target = key_of_arn(orjson.loads(queue.attributes["RedrivePolicy"])["deadLetterTargetArn"])
    if target is not None and target.region != queue.key.region:
        raise invalid(value, "RedrivePolicy", "Dead-letter target must be in same region as the source.")
    if target is not None and target.account != queue.key.account:
        raise invalid(value, "RedrivePolicy", "Dead-letter target owner should be same as the source.")
    found = queue_tables.find(reader, target) if target is not None else None
    if found is None:
        raise invalid(value, "RedrivePolicy", "Dead letter target does not exist.")
    if found.is_fifo != queue.is_fifo:
        raise invalid(value, "RedrivePolicy", "Dead-letter queue must be same type of queue as the source.")
    if not found.allows_redrive_from(queue.key):
        raise invalid(value, "RedrivePolicy", "Queue does not have permission to use this dead-letter queue.")


def page_of(params: Mapping[str, Any]) -> tuple[int, str]:
    """How many a page holds, and after which name it begins. Raises InvalidParameterValue."""
    limit = params.get("MaxResults")
    if limit is not None and not 1 <= limit <= MAX_LISTED:
        raise invalid(limit, "MaxResults", f"MaxResults must be an integer between 1 and {MAX_LISTED}.")
    token = params.get("NextToken")
    if not token:
        return limit or MAX_LISTED, ""
    try:
        return limit or MAX_LISTED, base64.urlsafe_b64decode(token).decode()
    except (binascii.Error, ValueError):
        raise InvalidParameterValue("Invalid or expired next token.") from None


def token_of(name: str) -> str:
    """The token for the page that begins after a name."""
    return base64.urlsafe_b64encode(name.encode()).decode()
