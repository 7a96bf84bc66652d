"""Sending, receiving and deleting messages."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from cloudlet.errors import ServiceError
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.long_poll import while_there
from cloudlet.services.sqs import message as messages
from cloudlet.services.sqs import message_attributes, receipt
from cloudlet.services.sqs.attributes import MAX_DELAY_S, MAX_MESSAGE_BYTES, MAX_VISIBILITY_TIMEOUT_S, MAX_WAIT_S
from cloudlet.services.sqs.errors import (
    BatchRequestTooLong,
    InvalidAttributeName,
    InvalidParameterValue,
    invalid,
    missing,
)
from cloudlet.services.sqs.message import Message
from cloudlet.services.sqs.operations.base import MAX_BATCH, Entry, Operations, batch_result, check_entries, failed
from cloudlet.services.sqs.queue import Queue
from cloudlet.services.sqs.sending import Sent
from cloudlet.services.sqs.sequence import shown

if TYPE_CHECKING:
    from types_boto3_sqs import type_defs as types

_SEND_ENTRY, _DELETE_ENTRY = "SendMessageBatchRequestEntry", "DeleteMessageBatchRequestEntry"
_CHANGE_ENTRY = "ChangeMessageVisibilityBatchRequestEntry"
_SYSTEM_ATTRIBUTES = frozenset(
    (
        "All",
        "SenderId",
        "SentTimestamp",
        "ApproximateReceiveCount",
        "ApproximateFirstReceiveTimestamp",
        "SequenceNumber",
        "MessageDeduplicationId",
        "MessageGroupId",
        "AWSTraceHeader",
        "DeadLetterQueueSourceArn",
    )
)


class MessageOperations(Operations):
    """Operations on messages."""

    @operation("SendMessage")
    async def send_message(self, context: RequestContext, params: "types.SendMessageRequestTypeDef") -> Result:
        queue = await self.queue(context, params)
        message = self._message(context, queue, params)
        (sent,) = await self.exchange.send(queue, [message])
        self.metrics.add(queue.key, "NumberOfMessagesSent")
        return _sent(queue, params, sent)

    @operation("SendMessageBatch")
    async def send_message_batch(
        self, context: RequestContext, params: "types.SendMessageBatchRequestTypeDef"
    ) -> Result:
        queue = await self.queue(context, params)
        entries: Sequence[Any] = params["Entries"]
        check_entries(entries, _SEND_ENTRY)
        size = sum(_size_bytes(entry) for entry in entries)
        if size > MAX_MESSAGE_BYTES:
            raise BatchRequestTooLong(
                f"Batch requests cannot be longer than {MAX_MESSAGE_BYTES} bytes. You have sent {size} bytes."
            )
        good, made, failures = [], [], []
        for number, entry in enumerate(entries, 1):
            # What a FIFO queue needs, it needs of all entries: it takes none out of their order.
            if queue.is_fifo and entry.get("MessageGroupId") is None:
                raise InvalidParameterValue("The request must contain the parameter MessageGroupId.")
            if not entry.get("MessageBody"):
                lacks = missing(f"{_SEND_ENTRY}.{number}.MessageBody")
                if queue.is_fifo:
                    raise lacks
                failures.append(failed(entry, lacks))
                continue
            try:
                made.append(self._message(context, queue, entry))
                good.append(entry)
            except ServiceError as error:
                failures.append(failed(entry, error))
        sent = await self.exchange.send(queue, made) if made else []
        if made:
            self.metrics.add(queue.key, "NumberOfMessagesSent", len(made))
        successful = [{"Id": entry["Id"], **_sent(queue, entry, each)} for entry, each in zip(good, sent, strict=True)]
        return batch_result(successful, failures)

    def _message(self, context: RequestContext, queue: Queue, params: Mapping[str, Any]) -> Message:
        """A message out of what a client sent. Raises what is wrong with it."""
        body = params.get("MessageBody")
        messages.check_body(body)
        attributes: Mapping[str, Any] = params.get("MessageAttributes") or {}
        message_attributes.check(attributes)
        trace = message_attributes.check_system(params.get("MessageSystemAttributes") or {})
        if _size_bytes(params) > queue.max_message_bytes:
            raise InvalidParameterValue(
                "One or more parameters are invalid. "
                f"Reason: Message must be shorter than {queue.max_message_bytes} bytes."
            )
        group, deduplication = _fifo_parameters(queue, params)
        delay_s = _delay_s(queue, params.get("DelaySeconds"))
        now_ms = self.exchange.now_ms()
        return Message(
            self.exchange.sequences.next(now_ms),
            now_ms + delay_s * 1000,
            0,
            messages.NEVER,
            messages.NEVER,
            group,
            self.platform.ids.uuid(),
            context.principal.user_id or context.source_ip,  # SenderId: the address of one who has not signed
            body or "",
            messages.details(
                attributes=message_attributes.to_json(attributes) if attributes else None,
                trace=trace or context.trace_id,
                deduplication=deduplication,
            )
            if attributes or trace or deduplication or context.trace_id
            else "",
        )

    @operation("ReceiveMessage")
    async def receive_message(self, context: RequestContext, params: "types.ReceiveMessageRequestTypeDef") -> Result:
        queue = await self.queue(context, params)
        limit = _within(params, "MaxNumberOfMessages", 1, MAX_BATCH, 1, "Must be between 1 and 10, if provided.")
        wait_s = _within(
            params, "WaitTimeSeconds", 0, MAX_WAIT_S, queue.wait_s, f"Must be >= 0 and <= {MAX_WAIT_S}, if provided."
        )
        timeout_s = _within(
            params,
            "VisibilityTimeout",
            0,
            MAX_VISIBILITY_TIMEOUT_S,
            queue.visibility_timeout_s,
            f"Must be >= 0 and <= {MAX_VISIBILITY_TIMEOUT_S}, if provided.",
        )
        wanted: set[str] = {*params.get("AttributeNames", ()), *params.get("MessageSystemAttributeNames", ())}
        for name in wanted - _SYSTEM_ATTRIBUTES:
            raise InvalidAttributeName(f"Unknown Attribute {name}.")
        attempt_id = params.get("ReceiveRequestAttemptId") or ""
        if attempt_id:
            _check_attempt(queue, attempt_id)
        received = await self.exchange.receive(queue, limit, timeout_s, 0, attempt_id, is_long=wait_s > 0)
        if not received and wait_s:
            waiting = self.exchange.receive(queue, limit, timeout_s, wait_s, attempt_id, is_long=True)
            received = await while_there(context, waiting, self.draining) or []
        if not received:
            self.metrics.add_empty(queue.key)
            return {}
        self.metrics.add(queue.key, "NumberOfMessagesReceived", len(received))
        names = params.get("MessageAttributeNames") or ()
        return {"Messages": [_received(queue, message, wanted, names) for message in received]}

    @operation("DeleteMessage")
    async def delete_message(self, context: RequestContext, params: "types.DeleteMessageRequestTypeDef") -> Result:
        queue = await self.queue(context, params)
        handle = params["ReceiptHandle"]
        (error,) = await self.exchange.delete(queue, [(receipt.decode(queue.id, handle), handle)])
        if error is not None:
            raise error
        self.metrics.add(queue.key, "NumberOfMessagesDeleted")
        return {}

    @operation("DeleteMessageBatch")
    async def delete_message_batch(
        self, context: RequestContext, params: "types.DeleteMessageBatchRequestTypeDef"
    ) -> Result:
        queue = await self.queue(context, params)
        entries = params["Entries"]
        check_entries(entries, _DELETE_ENTRY)
        good, failures = _receipts(queue, entries)
        outcomes = await self.exchange.delete(queue, [(found, entry["ReceiptHandle"]) for entry, found in good])
        if deleted := outcomes.count(None):
            self.metrics.add(queue.key, "NumberOfMessagesDeleted", deleted)
        return _batch_of_receipts(good, outcomes, failures)

    @operation("ChangeMessageVisibility")
    async def change_message_visibility(
        self, context: RequestContext, params: "types.ChangeMessageVisibilityRequestTypeDef"
    ) -> Result:
        queue = await self.queue(context, params)
        handle, timeout_s = params["ReceiptHandle"], params["VisibilityTimeout"]
        _check_timeout(timeout_s)
        change = (receipt.decode(queue.id, handle), handle, timeout_s)
        (error,) = await self.exchange.change_visibility(queue, [change])
        if error is not None:
            raise error
        return {}

    @operation("ChangeMessageVisibilityBatch")
    async def change_message_visibility_batch(
        self, context: RequestContext, params: "types.ChangeMessageVisibilityBatchRequestTypeDef"
    ) -> Result:
        queue = await self.queue(context, params)
        entries = params["Entries"]
        check_entries(entries, _CHANGE_ENTRY)
        good, failures = _receipts(queue, entries, has_timeouts=True)
        changes = [(found, entry["ReceiptHandle"], entry["VisibilityTimeout"]) for entry, found in good]
        outcomes = await self.exchange.change_visibility(queue, changes)
        return _batch_of_receipts(good, outcomes, failures)


def _size_bytes(params: Mapping[str, Any]) -> int:
    attributes = params.get("MessageAttributes")
    return len((params.get("MessageBody") or "").encode()) + (
        message_attributes.size_bytes(attributes) if attributes else 0
    )


def _sent(queue: Queue, params: Mapping[str, Any], sent: Sent) -> dict[str, Any]:
    result = {"MessageId": sent.id, "MD5OfMessageBody": messages.md5(params["MessageBody"])}
    if attributes := params.get("MessageAttributes"):
        result["MD5OfMessageAttributes"] = message_attributes.md5(attributes)
    if system := params.get("MessageSystemAttributes"):
        result["MD5OfMessageSystemAttributes"] = message_attributes.md5(system)
    if queue.is_fifo:
        result["SequenceNumber"] = shown(sent.sequence)
    return result


def _received(queue: Queue, message: Message, wanted: set[str], names: Sequence[str]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "MessageId": message.id,
        "ReceiptHandle": receipt.encode(queue.id, receipt.Receipt(message.sequence, message.receives)),
        "MD5OfBody": messages.md5(message.body),
        "Body": message.body,
    }
    if wanted:
        attributes = messages.system_attributes(message, is_fifo=queue.is_fifo)
        if "All" not in wanted:
            attributes = {name: value for name, value in attributes.items() if name in wanted}
        if attributes:
            result["Attributes"] = attributes
    if names and message.details and (kept := message.detail("attributes")):
        chosen = message_attributes.selected(message_attributes.from_json(kept), names)
        if chosen:
            result["MessageAttributes"] = chosen
            result["MD5OfMessageAttributes"] = message_attributes.md5(chosen)
    return result


def _fifo_parameters(queue: Queue, params: Mapping[str, Any]) -> tuple[str, str]:
    """The group and the deduplication id. Raises MissingParameter, InvalidParameterValue."""
    group, deduplication = params.get("MessageGroupId"), params.get("MessageDeduplicationId")
    if group is not None:
        messages.check_identifier(group, "MessageGroupId")
    if deduplication is not None:
        if not queue.is_fifo:
            raise invalid(
                deduplication,
                "MessageDeduplicationId",
                "The request includes a parameter that is not valid for this queue type.",
            )
        messages.check_identifier(deduplication, "MessageDeduplicationId")
    if not queue.is_fifo:
        return group or "", ""
    if group is None:
        raise missing("MessageGroupId")
    if deduplication is None:
        if not queue.has_content_deduplication:
            raise InvalidParameterValue(
                "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided"
                " explicitly"
            )
        deduplication = sha256(params["MessageBody"].encode()).hexdigest()
    return group, deduplication


def _delay_s(queue: Queue, given: int | None) -> int:
    if given is None:
        return queue.delay_s
    if queue.is_fifo:
        raise invalid(given, "DelaySeconds", "The request include parameter that is not valid for this queue type.")
    if not 0 <= given <= MAX_DELAY_S:
        raise invalid(given, "DelaySeconds", f"DelaySeconds must be >= 0 and <= {MAX_DELAY_S}.")
    return given


def _within(params: Mapping[str, Any], name: str, low: int, high: int, default: int, reason: str) -> int:
    value: int | None = params.get(name)
    if value is None:
        return default
    if not low <= value <= high:
        raise invalid(value, name, reason)
    return value


def _check_timeout(timeout_s: int) -> None:
    if not 0 <= timeout_s <= MAX_VISIBILITY_TIMEOUT_S:
        raise invalid(
            timeout_s, "VisibilityTimeout", f"VisibilityTimeout must be >= 0 and <= {MAX_VISIBILITY_TIMEOUT_S}."
        )


def _check_attempt(queue: Queue, attempt_id: str) -> None:
    if not queue.is_fifo:
        raise invalid(
            attempt_id,
            "ReceiveRequestAttemptId",
            "The request includes a parameter that is not valid for this queue type.",
        )
    messages.check_identifier(attempt_id, "ReceiveRequestAttemptId")


def _receipts(
    queue: Queue, entries: Sequence[Any], *, has_timeouts: bool = False
) -> tuple[list[tuple[Entry, receipt.Receipt]], list[dict[str, Any]]]:
    """The entries with valid handles, and timeouts where they have them, and the answers for the others."""
    good, failures = [], []
    for number, entry in enumerate(entries, 1):
        try:
            if not (handle := entry.get("ReceiptHandle")):
                raise missing("ReceiptHandle")
            if has_timeouts:
                if (timeout_s := entry.get("VisibilityTimeout")) is None:
                    raise missing(f"{_CHANGE_ENTRY}.{number}.VisibilityTimeout")
                _check_timeout(timeout_s)
            found = receipt.decode(queue.id, handle)
        except ServiceError as error:
            failures.append(failed(entry, error))
        else:
            good.append((entry, found))
    return good, failures


def _batch_of_receipts(
    good: list[tuple[Entry, receipt.Receipt]], outcomes: Sequence[ServiceError | None], failures: list[dict[str, Any]]
) -> dict[str, Any]:
    successful = []
    for (entry, _), error in zip(good, outcomes, strict=True):
        if error is None:
            successful.append({"Id": entry["Id"]})
        else:
            failures.append(failed(entry, error))
    return batch_result(successful, failures)
