"""Sending JSON to an ARN as a role: to a queue, a topic, a function, an event bus or a bucket.

What is sent goes through the dispatcher like a client's call, so the caller's permissions and the target's policy
decide, and a service is a target as soon as the node has it. Destinations of functions and of event source mappings,
subscriptions and rules' targets differ in what they send, not in how.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cloudlet.arn import Arn
from cloudlet.errors import CloudletError, OperationNotImplemented, ServiceError
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.services.base import Params, Platform

_PERMANENT = frozenset(
    {
        "InvalidMessageContents",
        "InvalidParameterException",
        "InvalidParameterValue",
        "InvalidParameterValueException",
        "InvalidRequestContentException",
        "EntityTooLarge",
        "RequestEntityTooLargeException",
        "RequestTooLargeException",
        "SerializationException",
        "ValidationException",
    }
)
"""Errors of a message that no target will ever take: it is too large, or its content is not allowed."""


class NoSuchTarget(CloudletError):
    """There is no resource of this ARN, or no such kind of target."""


class NoSuchService(CloudletError):
    """This node has not the service that the ARN names."""


class SendFailed(CloudletError):
    """The target did not take it. `is_permanent` when it never will."""

    def __init__(self, message: str, *, is_permanent: bool = False) -> None:
        super().__init__(message)
        self.is_permanent = is_permanent


class Attribute(NamedTuple):
    """An attribute of a message of SQS or SNS."""

    data_type: str
    value: str


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent; each kind of target uses what it has a place for."""

    body: bytes
    """JSON, or any UTF-8 text for a queue, a topic or a bucket."""
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    group_id: str = ""
    """For a FIFO queue or topic."""
    deduplication_id: str = ""
    source: str = ""
    """Of the event on a bus."""
    detail_type: str = ""
    resources: tuple[str, ...] = ()
    """Of the event, after the bus itself."""
    object_key: str = ""
    """Where it goes in a bucket."""


class _Kind(NamedTuple):
    """How a service takes messages, and how to see whether a resource is there."""

    service: str
    operation: str
    action: str
    """What has to be allowed; the operation's name in messages of errors is that of the action."""
    params: Callable[[Arn, Message], Params]
    probe: str
    probe_params: Callable[[Arn], Params]


def _queue(arn: Arn, message: Message) -> Params:
    params: Params = {
        "QueueUrl": f"https://sqs.{arn.region}.amazonaws.com/{arn.account}/{arn.resource}",
        "MessageBody": message.body.decode(),
    }
    return params | _attributes(message) | _ordering(message)


def _topic(arn: Arn, message: Message) -> Params:
    return {"TopicArn": str(arn), "Message": message.body.decode(), **_attributes(message), **_ordering(message)}


def _function(arn: Arn, message: Message) -> Params:
    return {"FunctionName": str(arn), "InvocationType": "Event", "Payload": message.body}


def _bus(arn: Arn, message: Message) -> Params:
    entry = {
        "EventBusName": str(arn),
        "Source": message.source,
        "DetailType": message.detail_type,
        "Detail": message.body.decode(),
        "Resources": [str(arn), *message.resources],
    }
    return {"Entries": [entry]}


def _bucket(arn: Arn, message: Message) -> Params:
    return {
        "Bucket": arn.resource,
        "Key": message.object_key,
        "Body": message.body,
        "ContentType": "application/json",
    }


def _attributes(message: Message) -> Params:
    if not message.attributes:
        return {}
    return {
        "MessageAttributes": {
            name: {"DataType": attribute.data_type, "StringValue": attribute.value}
            for name, attribute in message.attributes.items()
        }
    }


def _ordering(message: Message) -> Params:
    given = {"MessageGroupId": message.group_id, "MessageDeduplicationId": message.deduplication_id}
    return {name: value for name, value in given.items() if value}


def _queue_probe(arn: Arn) -> Params:
    return {"QueueName": arn.resource, "QueueOwnerAWSAccountId": arn.account}


_KINDS: Mapping[str, _Kind] = {
    "sqs": _Kind("sqs", "SendMessage", "sqs:SendMessage", _queue, "GetQueueUrl", _queue_probe),
    "sns": _Kind("sns", "Publish", "sns:Publish", _topic, "GetTopicAttributes", lambda arn: {"TopicArn": str(arn)}),
    "lambda": _Kind(
        "lambda",
        "Invoke",
        "lambda:InvokeFunction",
        _function,
        "GetFunctionConfiguration",
        lambda arn: {"FunctionName": str(arn)},
    ),
    "events": _Kind(
        "events", "PutEvents", "events:PutEvents", _bus, "DescribeEventBus", lambda arn: {"Name": str(arn)}
    ),
    "s3": _Kind("s3", "PutObject", "s3:PutObject", _bucket, "HeadBucket", lambda arn: {"Bucket": arn.resource}),
}


def action_of(arn: Arn) -> tuple[str, str]:
    """The action that sending to `arn` needs, and the resource that it is about. Raises NoSuchTarget."""
    kind = _kind(arn)
    return kind.action, f"{arn}/*" if kind.service == "s3" else str(arn)


class Targets:
    """Sends messages, and looks whether somebody could take them."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def check(self, service_principal: str, target: Arn, region: str) -> None:
        """Return when there is such a resource. Raises NoSuchTarget, NoSuchService.

        `region` is the caller's: buckets' ARNs name none.
        """
        kind = _kind(target)
        principal = Principal.service(service_principal, target.account)
        context = RequestContext(principal, target.region or region, self._platform.ids.uuid())
        try:
            await self._platform.calls.call(context, kind.service, kind.probe, kind.probe_params(target))
        except OperationNotImplemented as error:
            raise NoSuchService(kind.service) from error
        except ServiceError as error:
            if error.sender_fault and "AccessDenied" not in error.code:
                raise NoSuchTarget(str(target)) from error

    async def send(
        self, caller: Principal, target: Arn, message: Message, *, via: str, source_arn: str = "", region: str = ""
    ) -> None:
        """Send `message` as `caller` for the resource `source_arn`; `via` is the service that does it.

        Raises SendFailed, NoSuchTarget.
        """
        kind = _kind(target)
        context = RequestContext(
            caller,
            target.region or region,
            self._platform.ids.uuid(),
            called_via=(via,),
            source_arn=source_arn,
        )
        try:
            answer = await self._platform.calls.call(
                context, kind.service, kind.operation, kind.params(target, message)
            )
        except ServiceError as error:
            raise SendFailed(f"{error.code}: {error.message}", is_permanent=error.code in _PERMANENT) from error
        if isinstance(answer, Mapping) and answer.get("FailedEntryCount"):
            raise SendFailed(_failed_entry(answer))


def _kind(target: Arn) -> _Kind:
    kind = _KINDS.get(target.service)
    if kind is None:
        raise NoSuchTarget(f"{target.service} is no kind of target")
    return kind


def _failed_entry(answer: Mapping[str, Any]) -> str:
    return next(
        (
            f"{entry['ErrorCode']}: {entry.get('ErrorMessage', '')}"
            for entry in answer["Entries"]
            if "ErrorCode" in entry
        ),
        "the event bus did not take the event",
    )
