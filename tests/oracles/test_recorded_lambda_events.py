"""Lambda's recorded answers about asynchronous invocations: settings, destinations, dead-letter queues."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.lambda_replay import RECORDED, Make, Replay
from tests.support.nodes import control

pytestmark = pytest.mark.skipif(not RECORDED, reason="the recordings are not here")

DESTINED = """
import json

def handler(event, context):
    if event.get("raise_error"):
        raise Exception("Test exception (this is intentional)")
    names = (
        "aws_request_id", "function_name", "function_version", "invoked_function_arn", "log_group_name",
        "log_stream_name", "memory_limit_in_mb",
    )
    return {"event": event, "context": {"client_context": None, **{name: getattr(context, name) for name in names}}}
"""


def _queue(run: Replay, name: str) -> tuple[Any, str, str]:
    sqs = run.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return sqs, url, arn


def _received(sqs: Any, url: str) -> Any:
    """The one message that comes, as it was recorded: with all attributes."""
    while "Messages" not in (
        answer := sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, MessageAttributeNames=["All"])
    ):
        pass
    return answer


def _without_stack(answer: Any) -> Any:
    """AWS's trace names the line of its test's file."""
    body = json.loads(answer["Messages"][0]["Body"])
    if "stackTrace" in body.get("responsePayload", {}):
        [line] = body["responsePayload"]["stackTrace"]
        assert line.startswith('  File "/var/task/handler.py", line')
        body["responsePayload"]["stackTrace"] = [
            '  File "/var/task/handler.py", line 55, in handler\n'
            '    raise Exception("Test exception (this is intentional)")\n'
        ]
        answer["Messages"][0]["Body"] = json.dumps(body)
    return answer


def test_lambda_eventinvokeconfig_lifecycle(replay: Make) -> None:
    run = replay("TestLambdaEventInvokeConfig::test_lambda_eventinvokeconfig_lifecycle")
    run.create_simply()
    aws, fn = run.aws, {"FunctionName": "fn"}
    run.check("put_invokeconfig_retries_0", aws.put_function_event_invoke_config(**fn, MaximumRetryAttempts=0))
    run.check("put_invokeconfig_eventage_60", aws.put_function_event_invoke_config(**fn, MaximumEventAgeInSeconds=60))
    same = aws.update_function_event_invoke_config(**fn, MaximumEventAgeInSeconds=60)
    run.check("update_invokeconfig_eventage_nochange", same)
    run.check("update_invokeconfig_retries", aws.update_function_event_invoke_config(**fn, MaximumRetryAttempts=1))
    run.check("get_invokeconfig", aws.get_function_event_invoke_config(**fn))
    run.check("get_invokeconfig_latest", aws.get_function_event_invoke_config(**fn, Qualifier="$LATEST"))
    run.check("list_single_invokeconfig", aws.list_function_event_invoke_configs(**fn))
    version = run.check("publish_version_result", aws.publish_version(**fn))["Version"]
    run.fails("get_invokeconfig_postpublish", aws.get_function_event_invoke_config, **fn, Qualifier=version)
    put = aws.put_function_event_invoke_config(**fn, Qualifier=version, MaximumEventAgeInSeconds=120)
    run.check("put_published_invokeconfig", put)
    run.check("get_published_invokeconfig", aws.get_function_event_invoke_config(**fn, Qualifier=version))
    first = aws.list_function_event_invoke_configs(**fn, MaxItems=1)
    second = aws.list_function_event_invoke_configs(**fn, MaxItems=1, Marker=first["NextMarker"])
    assert len(first["FunctionEventInvokeConfigs"]) == len(second["FunctionEventInvokeConfigs"]) == 1
    assert "NextMarker" not in second
    aws.delete_function_event_invoke_config(**fn)
    run.check("list_paging_nolimit_postdelete", aws.list_function_event_invoke_configs(**fn))
    with pytest.raises(ClientError, match="doesn't have an EventInvokeConfig"):
        aws.delete_function_event_invoke_config(**fn)


@pytest.mark.parametrize(
    ("name", "event", "retries"),
    [
        ("test_assess_lambda_destination_invocation[Success-payload0]", {}, None),
        ("test_assess_lambda_destination_invocation[payload0]", {}, 0),
        ("test_assess_lambda_destination_invocation[payload1]", {"raise_error": 1}, 0),
        ("test_lambda_destination_default_retries", {"raise_error": 1}, None),
    ],
    ids=["success-recorded-early", "success", "failure", "default-retries"],
)
def test_lambda_destination(replay: Make, lambda_endpoint: str, name: str, event: Any, retries: int | None) -> None:
    run = replay(f"TestLambdaDestinationSqs::{name}")
    sqs, url, arn = _queue(run, "destined")
    run.create_simply("fn", DESTINED)
    given = {} if retries is None else {"MaximumRetryAttempts": retries}
    destinations = {"OnSuccess": {"Destination": arn}, "OnFailure": {"Destination": arn}}
    put = run.aws.put_function_event_invoke_config(FunctionName="fn", DestinationConfig=destinations, **given)
    run.check("put_function_event_invoke_config", put)
    run.invoke(payload=event, InvocationType="Event")
    if retries is None and event:
        control(lambda_endpoint, "clock", {"advance_s": 600})
    run.check("receive_message_result", _without_stack(_received(sqs, url)))


def test_sqs_queue_as_lambda_dead_letter_queue(replay: Make, lambda_endpoint: str) -> None:
    run = replay("test_sqs_queue_as_lambda_dead_letter_queue")
    sqs, url, arn = _queue(run, "dead")
    made = run.create_simply("fn", DESTINED, DeadLetterConfig={"TargetArn": arn})["CreateFunctionResponse"]
    run.check("lambda-response-dlq-config", made["DeadLetterConfig"])
    run.invoke(payload={"raise_error": 1}, InvocationType="Event")
    control(lambda_endpoint, "clock", {"advance_s": 600})
    run.check("messages", _received(sqs, url))
    run.aws.update_function_configuration(FunctionName="fn", DeadLetterConfig={"TargetArn": ""})
    assert "DeadLetterConfig" not in run.aws.get_function_configuration(FunctionName="fn")
