"""Publishing. https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from cloudlet.errors import OperationNotImplemented, ServiceError
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.sns.errors import (
    BatchEntryIdsNotDistinct,
    BatchRequestTooLong,
    EmptyBatchRequest,
    InvalidBatchEntryId,
    InvalidParameterValue,
    TooManyEntriesInBatchRequest,
    invalid,
)
from cloudlet.services.sns.message import shown_sequence
from cloudlet.services.sns.operations.base import Operations
from cloudlet.services.sns.publishing import Published, size_bytes
from cloudlet.services.sns.topic import Topic

if TYPE_CHECKING:
    from types_boto3_sns import type_defs as types

MAX_BATCH: Final = 10
_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
_TARGETS = ("TopicArn", "TargetArn", "PhoneNumber")


class PublishOperations(Operations):
    """Publish and PublishBatch."""

    @operation("Publish")
    async def publish(self, context: RequestContext, params: "types.PublishInputTypeDef") -> Result:
        given = [name for name in _TARGETS if params.get(name)]
        if len(given) != 1:
            raise invalid("TopicArn or TargetArn Reason: no value for required parameter" if not given else f"{' and '.join(given)} Reason: only one of them can be given")  # fmt: skip # noqa: E501
        if given == ["PhoneNumber"]:
            raise OperationNotImplemented("Publish to a phone number (SMS) is not implemented by Cloudlet.")
        if given == ["TargetArn"] and ":endpoint/" in str(params.get("TargetArn")):
            raise invalid("TargetArn Reason: No endpoint found for the target arn specified")
        known = await self.known(context, params, given[0])
        message = self.publisher.message(context, known.topic, params)
        (published,) = await self.publisher.publish(known, [message])
        self._count(known.topic, params, published)
        return _result(published)

    @operation("PublishBatch")
    async def publish_batch(self, context: RequestContext, params: "types.PublishBatchInputTypeDef") -> Result:
        key = self.key(context, params)
        entries: Sequence[Any] = params["PublishBatchRequestEntries"]
        _check_entries(entries)
        known = await self.known(context, {"TopicArn": key.arn})
        if sum(map(size_bytes, entries)) > known.topic.max_message_bytes:
            raise BatchRequestTooLong("The length of all the batch messages put together is more than the limit.")
        made, failed = [], []
        for entry in entries:
            try:
                made.append((entry, self.publisher.message(context, known.topic, entry)))
            except InvalidParameterValue:
                raise
            except ServiceError as error:
                failed.append(
                    {"Id": entry["Id"], "Code": "InvalidParameter", "Message": str(error), "SenderFault": True}
                )
        published = await self.publisher.publish(known, [message for _, message in made]) if made else []
        for (entry, _), each in zip(made, published, strict=True):
            self._count(known.topic, entry, each)
        successful = [{"Id": entry["Id"], **_result(each)} for (entry, _), each in zip(made, published, strict=True)]
        return {"Successful": successful, "Failed": failed}

    def _count(self, topic: Topic, params: Mapping[str, Any], published: Published) -> None:
        self.metrics.published(topic.key, size_bytes(params))
        self.metrics.filtered(topic.key, published.rejections)


def _result(published: Published) -> dict[str, Any]:
    result: dict[str, Any] = {"MessageId": published.id}
    if published.sequence:
        result["SequenceNumber"] = shown_sequence(published.sequence)
    return result


def _check_entries(entries: Sequence[Mapping[str, Any]]) -> None:
    """Raises what is wrong with a batch as a whole."""
    if not entries:
        raise EmptyBatchRequest("The batch request doesn't contain any entries.")
    if len(entries) > MAX_BATCH:
        raise TooManyEntriesInBatchRequest("The batch request contains more entries than permissible.")
    names = [entry["Id"] for entry in entries]
    if not all(_ENTRY_ID.fullmatch(name) for name in names):
        raise InvalidBatchEntryId("The Id of a batch entry in a batch request doesn't abide by the specification.")
    if len(set(names)) < len(names):
        raise BatchEntryIdsNotDistinct("Two or more batch entries in the request have the same Id.")
