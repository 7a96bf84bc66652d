"""What is sent to each kind of target, held against AWS's own models."""

from typing import Any

import pytest

from cloudlet.arn import Arn
from cloudlet.clock import PlatformClock
from cloudlet.config import Config
from cloudlet.errors import OperationNotImplemented, ServiceError
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.ids import Ids
from cloudlet.services.base import Platform
from cloudlet.services.targets import (
    Attribute,
    Message,
    NoSuchService,
    NoSuchTarget,
    SendFailed,
    Targets,
    action_of,
)
from cloudlet.wire.model import ServiceModels

MODELS = ServiceModels()
ACCOUNT = "111111111111"
ROLE = Principal("assumed-role", ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/fn", "AROA:fn")
MESSAGE = Message(
    b'{"a": 1}',
    {"ErrorCode": Attribute("Number", "200")},
    source="lambda",
    detail_type="Result",
    resources=("arn:aws:lambda:us-east-1:111111111111:function:fn:1",),
    object_key="some/key",
)


class Denied(ServiceError):
    code = "AccessDeniedException"
    status = 403


class Missing(ServiceError):
    code = "QueueDoesNotExist"


class Invalid(ServiceError):
    code = "InvalidParameterValue"


class FakeCalls:
    """Validates calls by the model, keeps them, and answers with `answer`."""

    def __init__(self) -> None:
        self.answer: Any = {}
        self.calls: list[tuple[str, str, str, dict[str, Any]]] = []
        self.contexts: list[RequestContext] = []

    async def call(self, context: RequestContext, service: str, operation: str, params: dict[str, Any]) -> Any:
        MODELS.service(service).operation(operation).validate(params)
        self.calls.append((service, operation, context.region, params))
        self.contexts.append(context)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def calls() -> FakeCalls:
    return FakeCalls()


@pytest.fixture
def targets(calls: FakeCalls) -> Targets:
    return Targets(Platform(Config(), PlatformClock(), Ids(), None, None, calls))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arn", "operation", "expected"),
    [
        (
            f"arn:aws:sqs:eu-west-1:{ACCOUNT}:q",
            "SendMessage",
            {
                "QueueUrl": f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/q",
                "MessageBody": '{"a": 1}',
                "MessageAttributes": {"ErrorCode": {"DataType": "Number", "StringValue": "200"}},
            },
        ),
        (
            f"arn:aws:sns:eu-west-1:{ACCOUNT}:t",
            "Publish",
            {
                "TopicArn": f"arn:aws:sns:eu-west-1:{ACCOUNT}:t",
                "Message": '{"a": 1}',
                "MessageAttributes": {"ErrorCode": {"DataType": "Number", "StringValue": "200"}},
            },
        ),
        (
            f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:g",
            "Invoke",
            {
                "FunctionName": f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:g",
                "InvocationType": "Event",
                "Payload": b'{"a": 1}',
            },
        ),
        (
            f"arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/b",
            "PutEvents",
            {
                "Entries": [
                    {
                        "EventBusName": f"arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/b",
                        "Source": "lambda",
                        "DetailType": "Result",
                        "Detail": '{"a": 1}',
                        "Resources": [f"arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/b", *MESSAGE.resources],
                    }
                ]
            },
        ),
        (
            "arn:aws:s3:::bucket",
            "PutObject",
            {"Bucket": "bucket", "Key": "some/key", "Body": b'{"a": 1}', "ContentType": "application/json"},
        ),
    ],
    ids=["queue", "topic", "function", "bus", "bucket"],
)
async def test_each_kind_of_target_is_sent_what_its_model_takes(
    targets: Targets, calls: FakeCalls, arn: str, operation: str, expected: dict[str, Any]
) -> None:
    target = Arn.parse(arn)
    await targets.check("lambda.amazonaws.com", target, "eu-west-1")
    await targets.send(
        ROLE, target, MESSAGE, via="lambda.amazonaws.com", source_arn="arn:aws:lambda:x", region="eu-west-1"
    )
    assert calls.calls[1] == (target.service, operation, "eu-west-1", expected)
    probe, sent = calls.contexts
    assert probe.principal.kind == "service"
    assert (sent.principal, sent.called_via, sent.source_arn) == (ROLE, ("lambda.amazonaws.com",), "arn:aws:lambda:x")


async def test_a_fifo_target_is_given_group_and_deduplication(targets: Targets, calls: FakeCalls) -> None:
    message = Message(b"{}", group_id="g", deduplication_id="d")
    await targets.send(ROLE, Arn.parse(f"arn:aws:sqs:us-east-1:{ACCOUNT}:q.fifo"), message, via="events.amazonaws.com")
    assert calls.calls[0][3]["MessageGroupId"] == "g"
    assert calls.calls[0][3]["MessageDeduplicationId"] == "d"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (OperationNotImplemented("no"), NoSuchService),
        (Missing("no"), NoSuchTarget),
        (Denied("somebody may not see it"), None),
        ({}, None),
    ],
    ids=["no-service", "not-there", "hidden", "there"],
)
async def test_whether_there_is_such_a_target(
    targets: Targets, calls: FakeCalls, answer: Any, error: type[Exception] | None
) -> None:
    calls.answer = answer
    check = targets.check("lambda.amazonaws.com", Arn.parse(f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"), "us-east-1")
    if error is None:
        await check
    else:
        with pytest.raises(error):
            await check


async def test_what_cannot_be_sent_says_whether_it_ever_will(targets: Targets, calls: FakeCalls) -> None:
    queue = Arn.parse(f"arn:aws:sqs:us-east-1:{ACCOUNT}:q")
    for answer, is_permanent in ((Denied("no"), False), (Missing("no"), False), (Invalid("too long"), True)):
        calls.answer = answer
        with pytest.raises(SendFailed) as caught:
            await targets.send(ROLE, queue, MESSAGE, via="lambda.amazonaws.com")
        assert caught.value.is_permanent is is_permanent
        assert answer.message in str(caught.value)


async def test_an_event_that_the_bus_refuses_is_not_sent(targets: Targets, calls: FakeCalls) -> None:
    calls.answer = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "Throttled", "ErrorMessage": "slower"}]}
    with pytest.raises(SendFailed, match="Throttled: slower"):
        await targets.send(ROLE, Arn.parse(f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/b"), MESSAGE, via="x")


async def test_what_is_no_target_is_refused(targets: Targets) -> None:
    with pytest.raises(NoSuchTarget):
        await targets.check("lambda.amazonaws.com", Arn.parse("arn:aws:iam::1:role/x"), "us-east-1")
    assert action_of(Arn.parse("arn:aws:s3:::b")) == ("s3:PutObject", "arn:aws:s3:::b/*")
