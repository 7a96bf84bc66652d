"""Asynchronous invocations over HTTP: how often they are tried, and where their outcome goes."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.functions import create_function
from tests.support.nodes import MakeClient

SOURCE = """
def handler(event, context):
    if event.get("fail"):
        raise ValueError("on purpose")
    return {"seen": event}
"""


def queue(sqs: Any, name: str) -> tuple[str, str]:
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def receive(sqs: Any, url: str) -> Any:
    found = sqs.receive_message(
        QueueUrl=url, WaitTimeSeconds=20, MessageAttributeNames=["All"], AttributeNames=["All"]
    ).get("Messages", [])
    assert len(found) == 1
    return found[0]


def test_the_outcome_goes_to_its_destination(client: MakeClient) -> None:
    aws, sqs = client("lambda"), client("sqs")
    (good, good_arn), (bad, bad_arn) = queue(sqs, "good"), queue(sqs, "bad")
    made = create_function(aws, "fn", SOURCE)
    destinations = {"OnSuccess": {"Destination": good_arn}, "OnFailure": {"Destination": bad_arn}}
    aws.put_function_event_invoke_config(FunctionName="fn", MaximumRetryAttempts=0, DestinationConfig=destinations)
    aws.invoke(FunctionName="fn", InvocationType="Event", Payload=b'{"n": 1}')
    record = json.loads(receive(sqs, good)["Body"])
    assert record["requestContext"]["condition"] == "Success"
    assert record["requestContext"]["functionArn"] == f"{made['FunctionArn']}:$LATEST"
    assert record["requestPayload"] == {"n": 1}
    assert record["responsePayload"] == {"seen": {"n": 1}}
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}
    aws.invoke(FunctionName="fn", InvocationType="Event", Payload=b'{"fail": 1}')
    record = json.loads(receive(sqs, bad)["Body"])
    assert record["version"] == "1.0"
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorMessage"] == "on purpose"


def test_an_error_is_tried_twice_more_and_ends_in_the_dead_letter_queue(
    client: MakeClient, advance: Callable[[float], None]
) -> None:
    aws, sqs, logs = client("lambda"), client("sqs"), client("logs")
    url, arn = queue(sqs, "dead")
    create_function(aws, "fn", SOURCE, DeadLetterConfig={"TargetArn": arn})
    assert aws.get_function_configuration(FunctionName="fn")["DeadLetterConfig"] == {"TargetArn": arn}
    request_id = aws.invoke(FunctionName="fn", InvocationType="Event", Payload=b'{"fail": 1}')["ResponseMetadata"][
        "RequestId"
    ]

    def tries() -> int:
        events = logs.filter_log_events(logGroupName="/aws/lambda/fn", filterPattern='"END RequestId"')["events"]
        return len(events)

    for count, wait_s in ((1, 61), (2, 121), (3, 0)):
        while not logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/fn")["logGroups"] or tries() < count:
            pass
        if wait_s:
            advance(wait_s)
    message = receive(sqs, url)
    assert message["Body"] == '{"fail": 1}'
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert attributes == {"RequestID": request_id, "ErrorCode": "200", "ErrorMessage": "on purpose"}


def test_a_function_can_be_a_destination(client: MakeClient) -> None:
    aws, sqs = client("lambda"), client("sqs")
    url, arn = queue(sqs, "end")
    create_function(aws, "fn", SOURCE)
    next_one = create_function(aws, "next", SOURCE)["FunctionArn"]
    for name, target in (("fn", next_one), ("next", arn)):
        aws.put_function_event_invoke_config(
            FunctionName=name, DestinationConfig={"OnSuccess": {"Destination": target}}
        )
    aws.invoke(FunctionName="fn", InvocationType="Event", Payload=b'{"n": 2}')
    record = json.loads(receive(sqs, url)["Body"])
    assert record["requestPayload"]["responsePayload"] == {"seen": {"n": 2}}


def test_a_role_that_may_not_send_sends_nothing(client: MakeClient) -> None:
    aws, sqs, iam = client("lambda"), client("sqs"), client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    url, arn = queue(sqs, "q")
    create_function(aws, "fn", SOURCE, Role=role)
    aws.put_function_event_invoke_config(FunctionName="fn", DestinationConfig={"OnSuccess": {"Destination": arn}})
    aws.invoke(FunctionName="fn", InvocationType="Event", Payload=b'{"n": 1}')
    assert "Messages" not in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn}]}
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps(allow))
    assert json.loads(receive(sqs, url)["Body"])["requestPayload"] == {"n": 1}  # it was only put off


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("arn:aws:sqs:us-east-1:{account}:nobody", "there is no such resource"),
        ("arn:aws:events:us-east-1:{account}:event-bus/default", "Cloudlet does not have events yet"),
        ("arn:aws:iam::{account}:role/x", "The provided destination config DestinationConfig"),
    ],
)
def test_a_destination_that_is_none_is_refused(client: MakeClient, account: str, target: str, text: str) -> None:
    aws = client("lambda")
    create_function(aws, "fn", SOURCE)
    config = {"OnSuccess": {"Destination": target.format(account=account)}}
    with pytest.raises(ClientError, match=text):
        aws.put_function_event_invoke_config(FunctionName="fn", DestinationConfig=config)


def test_the_configuration_of_an_alias_goes_with_it(client: MakeClient) -> None:
    aws = client("lambda")
    create_function(aws, "fn", SOURCE)
    aws.create_alias(FunctionName="fn", Name="live", FunctionVersion="$LATEST")
    aws.put_function_event_invoke_config(FunctionName="fn", Qualifier="live", MaximumEventAgeInSeconds=60)
    found = aws.list_function_event_invoke_configs(FunctionName="fn")["FunctionEventInvokeConfigs"]
    assert [each["FunctionArn"].rpartition(":")[2] for each in found] == ["live"]
    aws.delete_alias(FunctionName="fn", Name="live")
    assert not aws.list_function_event_invoke_configs(FunctionName="fn")["FunctionEventInvokeConfigs"]
