"""Asynchronous invocations over HTTP: destinations with the function's own rights, dead letters, retries in time."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.test_sns import queue as topic_queue
from tests.support.functions import create_function
from tests.support.nodes import MakeClient, NodeInThread, control

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
FAILING = "def handler(event, context):\n    raise ValueError('no')\n"
ECHO = "def handler(event, context):\n    print('got', __import__('json').dumps(event))\n    return event\n"


def make_role(iam: Any, name: str) -> str:
    return str(iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"])


def grant(iam: Any, name: str, *actions: str) -> None:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=name, PolicyName="granted", PolicyDocument=document)


def queue(sqs: Any, name: str) -> tuple[str, str]:
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    return url, attributes["QueueArn"]


def received(sqs: Any, url: str) -> Any:
    [message] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    return json.loads(message["Body"])


def invoke(functions: Any, name: str = "fn", event: Any = None) -> None:
    assert functions.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event))["StatusCode"] == 202


def test_a_function_is_a_destination(node: NodeInThread, client: MakeClient) -> None:
    functions, logs = client("lambda"), client("logs")
    target = create_function(functions, "target", ECHO)
    create_function(functions, "fn", ECHO)
    destinations = {"OnSuccess": {"Destination": target["FunctionArn"]}}
    functions.put_function_event_invoke_config(FunctionName="fn", DestinationConfig=destinations)
    invoke(functions, event={"a": 1})
    control(node.endpoint, "clock", {"advance_s": 0})  # returns when nothing is under way any more
    events = logs.filter_log_events(logGroupName="/aws/lambda/target", filterPattern="got")["events"]
    record = json.loads(events[0]["message"].removeprefix("got "))
    assert record["requestContext"]["condition"] == "Success"
    assert record["requestContext"]["functionArn"] == target["FunctionArn"].replace("target", "fn") + ":$LATEST"
    assert (record["requestPayload"], record["responsePayload"]) == ({"a": 1}, {"a": 1})


def test_a_destination_needs_the_role_s_permission_when_it_is_set_and_when_it_is_used(
    node: NodeInThread, client: MakeClient
) -> None:
    functions, iam, sqs = client("lambda"), client("iam"), client("sqs")
    role, (url, arn) = make_role(iam, "worker"), queue(sqs, "destined")
    create_function(functions, "fn", ECHO, Role=role)
    put = {"FunctionName": "fn", "DestinationConfig": {"OnSuccess": {"Destination": arn}}}
    with pytest.raises(ClientError) as caught:
        functions.put_function_event_invoke_config(**put)
    assert caught.value.response["Error"] == {
        "Code": "InvalidParameterValueException",
        "Message": f"The function's execution role does not have permissions to call SendMessage on {arn}",
    }
    grant(iam, "worker", "sqs:SendMessage")
    functions.put_function_event_invoke_config(**put)
    iam.delete_role_policy(RoleName="worker", PolicyName="granted")
    invoke(functions, event="first")
    control(node.endpoint, "clock", {"advance_s": 600})
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    [waiting] = [
        one for one in node.call(node.node.deliveries.list("waiting", "lambda-destination")) if one.target == arn
    ]
    assert "AccessDenied" in waiting.error
    grant(iam, "worker", "sqs:SendMessage")
    control(node.endpoint, "clock", {"advance_s": 600})
    assert received(sqs, url)["requestPayload"] == "first"


def test_a_dead_letter_target_needs_the_role_s_permission(client: MakeClient) -> None:
    functions, iam, sqs = client("lambda"), client("iam"), client("sqs")
    role, (_, arn) = make_role(iam, "worker"), queue(sqs, "dead")
    with pytest.raises(ClientError) as caught:
        create_function(functions, "fn", ECHO, Role=role, DeadLetterConfig={"TargetArn": arn})
    assert caught.value.response["Error"] == {
        "Code": "InvalidParameterValueException",
        "Message": "The provided execution role does not have permissions to call SendMessage on SQS",
    }
    missing = arn.replace(":dead", ":missing")
    with pytest.raises(ClientError, match=f"The target ARN {missing} is invalid"):
        create_function(functions, "fn", ECHO, DeadLetterConfig={"TargetArn": missing})


def test_a_function_that_may_not_run_hands_its_events_on_at_once(node: NodeInThread, client: MakeClient) -> None:
    functions, sqs = client("lambda"), client("sqs")
    url, arn = queue(sqs, "destined")
    create_function(functions, "fn", ECHO)
    destinations = {"OnFailure": {"Destination": arn}}
    functions.put_function_event_invoke_config(FunctionName="fn", DestinationConfig=destinations)
    functions.put_function_concurrency(FunctionName="fn", ReservedConcurrentExecutions=0)
    invoke(functions, event={"a": 1})
    record = received(sqs, url)
    assert record["requestContext"]["condition"] == "ZeroReservedConcurrency"
    assert record["requestPayload"] == {"a": 1}
    assert "responseContext" not in record


def test_an_event_that_is_too_old_is_handed_on(node: NodeInThread, client: MakeClient) -> None:
    functions, sqs = client("lambda"), client("sqs")
    url, arn = queue(sqs, "destined")
    create_function(functions, "fn", FAILING)
    functions.put_function_event_invoke_config(
        FunctionName="fn", MaximumEventAgeInSeconds=100, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    invoke(functions)
    control(node.endpoint, "clock", {"advance_s": 600})
    record = received(sqs, url)
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["responsePayload"]["errorMessage"] == "no"


def test_an_alias_has_settings_of_its_own(node: NodeInThread, client: MakeClient) -> None:
    functions, sqs = client("lambda"), client("sqs")
    url, arn = queue(sqs, "destined")
    create_function(functions, "fn", FAILING)
    functions.publish_version(FunctionName="fn")
    functions.create_alias(FunctionName="fn", Name="live", FunctionVersion="1")
    functions.put_function_event_invoke_config(
        FunctionName="fn",
        Qualifier="live",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": arn}},
    )
    invoke(functions)
    invoke(functions, "fn:live", {"through": "alias"})
    record = received(sqs, url)
    assert record["requestContext"]["functionArn"].endswith(":function:fn:live")
    assert record["responseContext"]["executedVersion"] == "1"
    assert record["requestPayload"] == {"through": "alias"}


def test_a_failure_whose_record_is_too_large_is_told_without_its_payloads(
    node: NodeInThread, client: MakeClient
) -> None:
    """A topic takes 256 KiB. https://docs.aws.amazon.com/lambda/latest/api/API_OnFailure.html"""
    functions, sqs, sns = client("lambda"), client("sqs"), client("sns")
    topic = sns.create_topic(Name="failed")["TopicArn"]
    url, arn = topic_queue(sqs, topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    create_function(functions, "fn", FAILING)
    functions.put_function_event_invoke_config(
        FunctionName="fn", MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": topic}}
    )
    invoke(functions, event="x" * 300_000)
    record = received(sqs, url)
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert not {"requestPayload", "responsePayload"} & set(record)


def test_a_destination_of_another_partition(client: MakeClient) -> None:
    functions, sqs = client("lambda"), client("sqs")
    _, arn = queue(sqs, "destined")
    create_function(functions, "fn", ECHO)
    with pytest.raises(ClientError, match="is invalid"):
        functions.put_function_event_invoke_config(
            FunctionName="fn", DestinationConfig={"OnFailure": {"Destination": arn.replace("arn:aws:", "arn:aws-cn:")}}
        )
