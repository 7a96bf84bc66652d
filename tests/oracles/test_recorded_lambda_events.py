"""Lambda's recorded answers about asynchronous invocations (see tests.support.lambda_replay)."""

import json
from typing import Any

import pytest

from tests.support.lambda_replay import RECORDED, Make, Replay

pytestmark = pytest.mark.skipif(not RECORDED, reason="the recordings are not here")
RAISING = """
import json

def handler(event, context):
    if event.get("raise_error"):
        raise Exception("Test exception (this is intentional)")
    names = ("function_name", "function_version", "invoked_function_arn", "memory_limit_in_mb", "aws_request_id",
             "log_group_name", "log_stream_name", "client_context")
    return {"event": event, "context": {name: getattr(context, name) for name in names}}
"""


def test_lambda_eventinvokeconfig_lifecycle(replay: Make) -> None:
    run = replay("TestLambdaEventInvokeConfig::test_lambda_eventinvokeconfig_lifecycle")
    run.create_simply()
    aws, fn = run.aws, {"FunctionName": "fn"}
    run.check("put_invokeconfig_retries_0", aws.put_function_event_invoke_config(**fn, MaximumRetryAttempts=0))
    run.check("put_invokeconfig_eventage_60", aws.put_function_event_invoke_config(**fn, MaximumEventAgeInSeconds=60))
    update = aws.update_function_event_invoke_config
    run.check("update_invokeconfig_eventage_nochange", update(**fn, MaximumEventAgeInSeconds=60))
    run.check("update_invokeconfig_retries", update(**fn, MaximumRetryAttempts=1))
    run.check("get_invokeconfig", aws.get_function_event_invoke_config(**fn))
    run.check("get_invokeconfig_latest", aws.get_function_event_invoke_config(**fn, Qualifier="$LATEST"))
    run.check("list_single_invokeconfig", aws.list_function_event_invoke_configs(**fn))
    run.check("publish_version_result", _published(run))
    run.fails("get_invokeconfig_postpublish", aws.get_function_event_invoke_config, **fn, Qualifier="1")
    put = aws.put_function_event_invoke_config(**fn, Qualifier="1", MaximumEventAgeInSeconds=120)
    run.check("put_published_invokeconfig", put)
    run.check("get_published_invokeconfig", aws.get_function_event_invoke_config(**fn, Qualifier="1"))
    for step in RECORDED["TestLambdaEventInvokeConfig::test_lambda_eventinvokeconfig_lifecycle"]:
        if step.startswith("list_paging") and step != "list_paging_nolimit_postdelete":
            run.leave_out(step)  # markers of AWS's own making
    aws.delete_function_event_invoke_config(**fn)
    run.check("list_paging_nolimit_postdelete", aws.list_function_event_invoke_configs(**fn))


def _published(run: Replay) -> Any:
    run.aws.publish_version(FunctionName="fn")
    run.aws.get_waiter("published_version_active").wait(FunctionName="fn", Qualifier="1")
    shown = run.aws.get_function_configuration(FunctionName="fn", Qualifier="1")
    return {**shown, "ResponseMetadata": {**shown["ResponseMetadata"], "HTTPStatusCode": 201}}


@pytest.mark.parametrize("case", ["Success-payload0", "payload0", "payload1"])
def test_assess_lambda_destination_invocation(replay: Make, case: str) -> None:
    run = replay(f"TestLambdaDestinationSqs::test_assess_lambda_destination_invocation[{case}]")
    run.create_simply(code=RAISING)
    sqs = run.sqs
    url = sqs.create_queue(QueueName="destination")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    retries = {} if case.startswith("Success") else {"MaximumRetryAttempts": 0}
    put = run.aws.put_function_event_invoke_config(
        FunctionName="fn",
        DestinationConfig={"OnSuccess": {"Destination": arn}, "OnFailure": {"Destination": arn}},
        **retries,
    )
    run.check("put_function_event_invoke_config", put)
    run.invoke(payload={"raise_error": 1} if case == "payload1" else {}, InvocationType="Event")
    received = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)
    body = json.loads(received["Messages"][0]["Body"])
    body["responsePayload"].pop("stackTrace", None)
    expected = RECORDED[f"TestLambdaDestinationSqs::test_assess_lambda_destination_invocation[{case}]"]
    record = expected["receive_message_result"]["Messages"][0]["Body"]
    assert body.keys() == record.keys()
    for part in ("requestContext", "responseContext", "requestPayload"):
        assert body[part].keys() == record[part].keys()
    assert body["requestContext"]["condition"] == record["requestContext"]["condition"]
    assert body["requestContext"]["approximateInvokeCount"] == 1
    assert body["responseContext"] == record["responseContext"]
    assert body["responsePayload"].keys() == record["responsePayload"].keys() - {"stackTrace"}
    run.leave_out("receive_message_result")  # compared by hand: the stack names other lines
