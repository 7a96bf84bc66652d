"""SQS's errors as they go over the wire in AWS JSON: status, type, and the code of the query protocol.

As recorded of AWS in https://github.com/yavosh/pail/tree/main/test/diff/testdata/golden (sqs-errors, sqs-edge-cases,
sqs-visibility, sqs-fifo).
"""

from typing import Any

import pytest

from tests.integration.test_sqs import make
from tests.support.nodes import MakeClient
from tests.support.raw_calls import call_json, dev_signature

SQS, COMMON = "com.amazonaws.sqs", "com.amazon.coral.service"
LIST_VALUES = {"a": {"DataType": "String", "StringListValues": ["v"]}}


@pytest.mark.parametrize(
    ("operation", "params", "status", "type_name", "former"),
    [
        ("SendMessage", {"MessageBody": ""}, 400, f"{COMMON}#MissingRequiredParameterException", "MissingParameter"),
        ("SendMessage", {"MessageBody": "\x00"}, 400, f"{SQS}#InvalidMessageContents", "InvalidMessageContents"),
        (
            "SendMessage",
            {"MessageBody": "m", "MessageAttributes": LIST_VALUES},
            400,
            f"{SQS}#UnsupportedOperation",
            "AWS.SimpleQueueService.UnsupportedOperation",
        ),
        (
            "SendMessage",
            {"MessageBody": "m", "MessageDeduplicationId": "d"},
            400,
            f"{COMMON}#InvalidParameterValueException",
            "InvalidParameterValue",
        ),
        ("DeleteMessage", {}, 400, f"{COMMON}#MissingRequiredParameterException", "MissingParameter"),
        ("DeleteMessage", {"ReceiptHandle": "x"}, 404, f"{SQS}#ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"),
        (
            "ReceiveMessage",
            {"MaxNumberOfMessages": 11},
            400,
            f"{COMMON}#InvalidParameterValueException",
            "InvalidParameterValue",
        ),
        ("GetQueueAttributes", {"AttributeNames": ["No"]}, 400, f"{SQS}#InvalidAttributeName", "InvalidAttributeName"),
        (
            "SetQueueAttributes",
            {"Attributes": {"VisibilityTimeout": "99999"}},
            400,
            f"{SQS}#InvalidAttributeValue",
            "InvalidAttributeValue",
        ),
        ("GetQueueUrl", {}, 400, f"{COMMON}#InvalidParameterValueException", "InvalidParameterValue"),
        ("CreateQueue", {}, 400, f"{COMMON}#InvalidParameterValueException", "InvalidParameterValue"),
        (
            "GetQueueUrl",
            {"QueueName": "none"},
            400,
            f"{SQS}#QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue",
        ),
        (
            "CreateQueue",
            {"QueueName": "q", "Attributes": {"DelaySeconds": "1"}},
            400,
            f"{SQS}#QueueNameExists",
            "QueueAlreadyExists",
        ),
        ("GetQueueUrl", "{", 400, f"{COMMON}#SerializationException", "MalformedInput"),
        ("GetQueueUrl", "[]", 400, f"{COMMON}#SerializationException", "MalformedInput"),
        ("Bogus", {}, 400, f"{COMMON}#UnknownOperationException", "InvalidAction"),
    ],
)
def test_an_error_has_awss_status_type_and_code_of_before(
    client: MakeClient,
    endpoint: str,
    account: str,
    operation: str,
    params: Any,
    status: int,
    type_name: str,
    former: str,
) -> None:
    url = make(client("sqs"))
    given = {"QueueUrl": url, **params} if isinstance(params, dict) else params
    answer = call_json(endpoint, f"AmazonSQS.{operation}", given, dev_signature(account, "sqs"))
    said = (answer.status, answer.json["__type"], answer.headers["x-amzn-query-error"])
    assert said == (status, type_name, f"{former};Sender")
    assert answer.headers["content-type"] == "application/x-amz-json-1.0"


def test_a_name_must_be_said(client: MakeClient, endpoint: str, account: str) -> None:
    answer = call_json(endpoint, "AmazonSQS.GetQueueUrl", {}, dev_signature(account, "sqs"))
    assert answer.json["message"] == "Value for parameter QueueName is invalid. Reason: Must specify a queue name."


def test_a_purge_too_soon(client: MakeClient, endpoint: str, account: str) -> None:
    sqs = client("sqs")
    url = make(sqs)
    sqs.purge_queue(QueueUrl=url)
    answer = call_json(endpoint, "AmazonSQS.PurgeQueue", {"QueueUrl": url}, dev_signature(account, "sqs"))
    assert (answer.status, answer.json["__type"]) == (403, f"{SQS}#PurgeQueueInProgress")
