"""Sending to a resource of another service, as a role: what destinations, dead-letter queues and mappings do.

Every send is an API call of the role through the dispatcher, so that its policies and the resource's are asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cloudlet.arn import Arn
from cloudlet.clock import now_ms
from cloudlet.errors import OperationNotImplemented, ServiceError
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.services.base import Params, Platform

LOCAL = "http://localhost"
"""The host in queues' URLs that never leave the node."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent: a text, with attributes where the target's kind has them."""

    body: str
    attributes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Name -> (data type, value)."""
    source: str = ""
    """For event buses, as the next ones."""
    detail_type: str = ""
    resources: tuple[str, ...] = ()
    key: str = ""
    """For buckets."""


class TargetMissing(Exception):
    """The target is of a kind that this node does not have; the message says so."""


async def send(platform: Platform, context: RequestContext, arn: str, letter: Letter) -> None:
    """Send `letter` to the resource `arn` as `context.principal`.

    Raises ServiceError: what the service answers; TargetMissing.
    """
    target = Arn.parse(arn)
    service, operation, params = _call(target, letter)
    call = replace(context, region=target.region or context.region)
    try:
        await platform.calls.call(call, service, operation, params)
    except OperationNotImplemented as error:
        raise TargetMissing(f"Cloudlet does not have {service} yet.") from error


def _call(target: Arn, letter: Letter) -> tuple[str, str, Params]:
    attributes = {
        name: {"DataType": data_type, "StringValue": value} for name, (data_type, value) in letter.attributes.items()
    }
    more: Params = {"MessageAttributes": attributes} if attributes else {}
    if target.service == "sqs":
        url = f"{LOCAL}/{target.account}/{target.resource}"
        return "sqs", "SendMessage", {"QueueUrl": url, "MessageBody": letter.body, **more}
    if target.service == "sns":
        return "sns", "Publish", {"TopicArn": str(target), "Message": letter.body, **more}
    if target.service == "lambda":
        invocation = {"FunctionName": str(target), "InvocationType": "Event", "Payload": letter.body.encode()}
        return "lambda", "Invoke", invocation
    if target.service == "events":
        entry = {
            "EventBusName": str(target),
            "Source": letter.source,
            "DetailType": letter.detail_type,
            "Detail": letter.body,
            "Resources": [str(target), *letter.resources],
        }
        return "events", "PutEvents", {"Entries": [entry]}
    if target.service == "s3":
        return "s3", "PutObject", {"Bucket": target.resource, "Key": letter.key, "Body": letter.body.encode()}
    raise TargetMissing(f"{target} is nothing that can be sent to.")


async def exists(platform: Platform, context: RequestContext, arn: str) -> bool:
    """True when the resource is there, as `context.principal` may see it.

    Raises TargetMissing where this node does not have the service, ServiceError: what it answers otherwise.
    """
    target = Arn.parse(arn)
    asked: dict[str, tuple[str, Params]] = {
        "sqs": ("GetQueueUrl", {"QueueName": target.resource, "QueueOwnerAWSAccountId": target.account}),
        "sns": ("GetTopicAttributes", {"TopicArn": arn}),
        "lambda": ("GetFunctionConfiguration", {"FunctionName": arn}),
        "events": ("DescribeEventBus", {"Name": arn}),
        "s3": ("HeadBucket", {"Bucket": target.resource}),
    }
    if target.service not in asked:
        return False
    operation, params = asked[target.service]
    try:
        await platform.calls.call(
            replace(context, region=target.region or context.region), target.service, operation, params
        )
    except OperationNotImplemented as error:
        raise TargetMissing(f"Cloudlet does not have {target.service} yet.") from error
    except ServiceError as error:
        if error.sender_fault and "AccessDenied" not in error.code:
            return False
        raise
    return True


async def as_role(platform: Platform, role_arn: str, service: str, region: str, source_arn: str) -> RequestContext:
    """A context in which `service` (`lambda.amazonaws.com`) acts as a role for `source_arn`.

    In dev mode, a role of another account that is not there means the one of this name in the account of `source_arn`,
    as for functions. Raises ServiceError where the role cannot be assumed.
    """
    account = Arn.parse(source_arn).account
    try:
        return await _as_role(platform, role_arn, service, account, region, source_arn)
    except ServiceError:
        own = str(replace(Arn.parse(role_arn), account=account))
        if platform.config.auth != "dev" or own == role_arn:
            raise
        return await _as_role(platform, own, service, account, region, source_arn)


async def _as_role(
    platform: Platform, role_arn: str, service: str, account: str, region: str, source_arn: str
) -> RequestContext:
    context = RequestContext(Principal.service(service, account), region, platform.ids.uuid(), source_arn=source_arn)
    session = source_arn.rpartition(":")[2][:64].ljust(2, "_")
    answer = await platform.calls.call(context, "sts", "AssumeRole", {"RoleArn": role_arn, "RoleSessionName": session})
    user = answer["AssumedRoleUser"]
    principal = Principal(
        "assumed-role",
        Arn.parse(role_arn).account,
        user["Arn"],
        user["AssumedRoleId"],
        role_arn=role_arn,
        token_issued=now_ms(platform.clock) / 1000,
    )
    return context.for_call(principal, platform.ids.uuid(), service, source_arn)
