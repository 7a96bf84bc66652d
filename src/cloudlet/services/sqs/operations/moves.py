"""Message move tasks. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html"""

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final

import orjson

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Platform, Result, operation
from cloudlet.services.sqs import message_tables, move_tables, queue_tables
from cloudlet.services.sqs.errors import InvalidParameterValue, ResourceNotFound, UnsupportedOperation, invalid
from cloudlet.services.sqs.move_tables import MoveTask
from cloudlet.services.sqs.moving import MAX_RATE, Moving
from cloudlet.services.sqs.names import QueueKey, key_of_arn
from cloudlet.services.sqs.operations.base import check_owner
from cloudlet.services.sqs.operations.queues import QueueOperations
from cloudlet.services.sqs.queue import Queue
from cloudlet.store.base import Reader, Transaction

if TYPE_CHECKING:
    from types_boto3_sqs import type_defs as types

MAX_ACTIVE: Final = 100


class MoveOperations(QueueOperations):
    """Operations on message move tasks."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self.moving = Moving(platform.store, platform.clock, platform.ids, self.exchange)

    @operation("StartMessageMoveTask")
    async def start_message_move_task(
        self, context: RequestContext, params: "types.StartMessageMoveTaskRequestTypeDef"
    ) -> Result:
        source_arn, destination_arn = params["SourceArn"], params.get("DestinationArn")
        rate = params.get("MaxNumberOfMessagesPerSecond")
        if rate is not None and not 1 <= rate <= MAX_RATE:
            raise InvalidParameterValue(
                "Value for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: You must enter a number that's"
                f" between 1 and {MAX_RATE}."
            )
        source = _own_key(context, source_arn, "SourceArn")
        destination = _own_key(context, destination_arn, "DestinationArn") if destination_arn is not None else None
        if destination == source:
            raise InvalidParameterValue("Source queue arn and destination queue arn cannot be the same.")
        uuid, now_ms = self.platform.ids.uuid(), self.exchange.now_ms()
        handle = _encode(uuid, source_arn)

        def start(tx: Transaction) -> None:
            queue = _existing(tx, source, "SourceArn")
            if destination is not None and _existing(tx, destination, "DestinationArn").is_fifo != queue.is_fifo:
                raise InvalidParameterValue("The source queue and destination queue must be of the same queue type.")
            if not queue_tables.sources(tx, queue.key.arn, "", 1):
                raise InvalidParameterValue("Source queue must be configured as a Dead Letter Queue.")
            if move_tables.active_of(tx, source) is not None:
                raise InvalidParameterValue("There is already a task running. Only one active task is allowed for a source queue arn at a given time.")  # fmt: skip # noqa: E501
            if move_tables.count_active(tx, source.account, source.region) >= MAX_ACTIVE:
                raise UnsupportedOperation(f"Only {MAX_ACTIVE} active tasks are allowed for an account.")
            total = message_tables.count(tx, queue.bucket)
            last = message_tables.last(tx, queue.bucket)
            task = MoveTask(
                source, now_ms, uuid, destination_arn or "", rate or 0, move_tables.RUNNING, total, 0, last, ""
            )
            move_tables.add(tx, task)

        await self.platform.store.transact(start)
        self.moving.wake()
        return {"TaskHandle": handle}

    @operation("CancelMessageMoveTask")
    async def cancel_message_move_task(
        self, context: RequestContext, params: "types.CancelMessageMoveTaskRequestTypeDef"
    ) -> Result:
        uuid, source = _decode(params["TaskHandle"])
        check_owner(context, source)

        def cancel(tx: Transaction) -> int:
            _existing(tx, source, "SourceArn")
            task = move_tables.find(tx, uuid)
            if task is None or task.source != source or task.status != move_tables.RUNNING:
                raise ResourceNotFound("Task does not exist.")
            move_tables.put(tx, task._replace(status=move_tables.CANCELLING))
            return task.moved

        moved = await self.platform.store.transact(cancel)
        self.moving.wake()
        return {"ApproximateNumberOfMessagesMoved": moved}

    @operation("ListMessageMoveTasks")
    async def list_message_move_tasks(
        self, context: RequestContext, params: "types.ListMessageMoveTasksRequestTypeDef"
    ) -> Result:
        source = _own_key(context, params["SourceArn"], "SourceArn")
        limit = params.get("MaxResults", 1)
        if not 1 <= limit <= move_tables.MAX_LISTED:
            raise invalid(limit, "MaxResults", f"Must be between 1 and {move_tables.MAX_LISTED}, if provided.")

        def latest(reader: Reader) -> list[MoveTask]:
            _existing(reader, source, "SourceArn")
            return move_tables.latest(reader, source, limit)

        return {"Results": [_shown(task) for task in await self.platform.store.read(latest)]}


def _own_key(context: RequestContext, arn: str, parameter: str) -> QueueKey:
    key = key_of_arn(arn)
    if key is None or key.region != context.region:
        raise InvalidParameterValue(f"You must use this format to specify the {parameter}: arn:<partition>:<service>:<region>:<account-id>:<resource-id>")  # fmt: skip # noqa: E501
    check_owner(context, key)
    return key


def _existing(reader: Reader, key: QueueKey, parameter: str) -> Queue:
    queue = queue_tables.find(reader, key)
    if queue is None:
        raise ResourceNotFound(f"The resource that you specified for the {parameter} parameter doesn't exist.")
    return queue


def _shown(task: MoveTask) -> dict[str, Any]:
    result: dict[str, Any] = {
        "Status": task.status,
        "SourceArn": task.source.arn,
        "ApproximateNumberOfMessagesMoved": task.moved,
        "ApproximateNumberOfMessagesToMove": task.total,
        "StartedTimestamp": task.started_ms,
    }
    if task.status == move_tables.RUNNING:
        result["TaskHandle"] = _encode(task.handle, task.source.arn)
    optional = {
        "DestinationArn": task.destination,
        "MaxNumberOfMessagesPerSecond": task.rate,
        "FailureReason": task.reason,
    }
    return result | {name: value for name, value in optional.items() if value}


def _encode(uuid: str, source_arn: str) -> str:
    return base64.b64encode(orjson.dumps({"taskId": uuid, "sourceArn": source_arn})).decode()


def _decode(handle: str) -> tuple[str, QueueKey]:
    try:
        parsed = orjson.loads(base64.b64decode(handle, validate=True))
        uuid, source = parsed["taskId"], key_of_arn(parsed["sourceArn"])
    except (binascii.Error, ValueError, TypeError, KeyError, AttributeError):
        uuid = source = None
    if not isinstance(uuid, str) or source is None:
        raise InvalidParameterValue("Value for parameter TaskHandle is invalid.")
    return uuid, source
