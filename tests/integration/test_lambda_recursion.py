"""Functions that loop through SDK, queue and events over HTTP are stopped after sixteen invocations."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.functions import create_function
from tests.support.nodes import MakeClient

AGAIN = """
import boto3, json

def handler(event, context):
    if event < 20:
        boto3.client('lambda').invoke(
            FunctionName=context.function_name, InvocationType='Event', Payload=json.dumps(event + 1)
        )
    else:
        boto3.client('sqs').send_message(QueueUrl='none', MessageBody=str(event))
"""
TO_QUEUE = """
import boto3, os

def handler(event, context):
    for record in event['Records']:
        boto3.client('sqs').send_message(QueueUrl=os.environ['URL'], MessageBody=str(int(record['body']) + 1))
"""


def queue(sqs: Any, name: str, **attributes: str) -> tuple[str, str]:
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def received(sqs: Any, url: str) -> str:
    """The next message of a queue, whenever it comes."""
    while not (messages := sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20).get("Messages")):
        pass
    return str(messages[0]["Body"])


def test_a_function_that_sends_itself_events_is_stopped(client: MakeClient) -> None:
    functions, sqs = client("lambda"), client("sqs")
    url, arn = queue(sqs, "failed")
    create_function(functions, "fn", AGAIN, Timeout=60)
    functions.put_function_event_invoke_config(FunctionName="fn", DestinationConfig={"OnFailure": {"Destination": arn}})
    functions.invoke(FunctionName="fn", InvocationType="Event", Payload="1")
    record = json.loads(received(sqs, url))
    assert record["requestPayload"] == 17
    assert record["requestContext"]["condition"] == "RecursiveInvocation"
    assert "responseContext" not in record


def test_a_loop_through_a_queue_ends_in_its_dead_letter_queue(client: MakeClient) -> None:
    functions, sqs = client("lambda"), client("sqs")
    dead_url, dead_arn = queue(sqs, "dead")
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1})
    url, arn = queue(sqs, "loop", VisibilityTimeout="5", RedrivePolicy=redrive)
    create_function(functions, "fn", TO_QUEUE, Timeout=5, Environment={"Variables": {"URL": url}})
    functions.create_event_source_mapping(FunctionName="fn", EventSourceArn=arn, BatchSize=1)
    sqs.send_message(QueueUrl=url, MessageBody="1")
    assert received(sqs, dead_url) == "17"


TO_TOPIC = """
import boto3, os

def handler(event, context):
    [record] = event['Records']
    count = int(record['Sns']['Message']) + 1
    boto3.client('sns').publish(TopicArn=os.environ['TOPIC'], Message=str(count))
"""


def test_a_loop_through_a_topic_is_stopped(client: MakeClient) -> None:
    functions, sns, sqs = client("lambda"), client("sns"), client("sqs")
    topic = sns.create_topic(Name="loop")["TopicArn"]
    url, arn = queue(sqs, "failed")
    made = create_function(functions, "fn", TO_TOPIC, Timeout=30, Environment={"Variables": {"TOPIC": topic}})
    functions.put_function_event_invoke_config(FunctionName="fn", DestinationConfig={"OnFailure": {"Destination": arn}})
    functions.add_permission(
        FunctionName="fn",
        StatementId="topic",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=topic,
    )
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=made["FunctionArn"])
    sns.publish(TopicArn=topic, Message="1")
    record = json.loads(received(sqs, url))
    assert record["requestContext"]["condition"] == "RecursiveInvocation"
    assert record["requestPayload"]["Records"][0]["Sns"]["Message"] == "17"


def test_a_function_may_be_let_loop(client: MakeClient) -> None:
    functions, sqs = client("lambda"), client("sqs")
    url, _ = queue(sqs, "done")
    source = AGAIN.replace("'none'", repr(url))
    create_function(functions, "fn", source, Timeout=60)
    assert functions.put_function_recursion_config(FunctionName="fn", RecursiveLoop="Allow")["RecursiveLoop"] == "Allow"
    functions.invoke(FunctionName="fn", InvocationType="Event", Payload="1")
    assert received(sqs, url) == "20"


def test_settings_that_are_none_are_refused(client: MakeClient) -> None:
    functions = client("lambda", parameter_validation=False)
    with pytest.raises(ClientError, match="enum value set"):
        functions.put_function_recursion_config(FunctionName="fn", RecursiveLoop="Sometimes")
