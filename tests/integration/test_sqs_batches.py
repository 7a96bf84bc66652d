"""Which faults in a batch are answered for one entry, and which for all of it.

As AWS was seen to answer: https://github.com/aws/aws-sdk-go-v2/issues/2250,
https://github.com/aws/aws-sdk-php/issues/630, https://github.com/localstack/localstack/issues/1658,
https://github.com/aws/aws-sdk-js/issues/2388 and the recordings.
"""

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.test_sqs import make, receive
from tests.support.nodes import MakeClient
from tests.support.raw_calls import Answer, call_json, call_query, dev_signature

Call = Callable[..., Answer]
BATCHES = ("SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch")


@pytest.fixture
def call(endpoint: str, account: str) -> Call:
    """Calls SQS in AWS JSON, with members that an SDK would not leave out."""

    def send(operation: str, **params: Any) -> Answer:
        return call_json(endpoint, f"AmazonSQS.{operation}", params, dev_signature(account, "sqs"))

    return send


def lacks(entry_id: str, parameter: str) -> dict[str, Any]:
    text = f"The request must contain the parameter {parameter}."
    return {"Id": entry_id, "Code": "MissingParameter", "Message": text, "SenderFault": True}


@pytest.mark.parametrize("entry", [{}, {"MessageBody": ""}, {"MessageBody": None}])
def test_a_message_without_a_body_is_answered_alone(client: MakeClient, call: Call, entry: dict[str, Any]) -> None:
    sqs = client("sqs")
    url = make(sqs)
    entries = [{"Id": "good", "MessageBody": "m"}, {"Id": "bad", **entry}]
    answer = call("SendMessageBatch", QueueUrl=url, Entries=entries)
    assert answer.status == 200
    assert answer.json["Failed"] == [lacks("bad", "SendMessageBatchRequestEntry.2.MessageBody")]
    assert [each["Id"] for each in answer.json["Successful"]] == ["good"]
    assert [message["Body"] for message in receive(sqs, url)] == ["m"]


def test_a_fifo_queue_takes_all_of_a_batch_or_nothing(client: MakeClient, call: Call) -> None:
    sqs = client("sqs")
    url = make(sqs, "q.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    entries = [{"Id": "good", "MessageBody": "m", "MessageGroupId": "g"}, {"Id": "bad", "MessageGroupId": "g"}]
    answer = call("SendMessageBatch", QueueUrl=url, Entries=entries)
    assert (answer.status, answer.headers["x-amzn-query-error"]) == (400, "MissingParameter;Sender")
    assert "SendMessageBatchRequestEntry.2.MessageBody" in answer.json["message"]
    assert receive(sqs, url) == []


@pytest.mark.parametrize("operation", ["DeleteMessageBatch", "ChangeMessageVisibilityBatch"])
def test_an_entry_without_a_handle_is_answered_alone(client: MakeClient, call: Call, operation: str) -> None:
    sqs = client("sqs")
    url = make(sqs)
    sqs.send_message(QueueUrl=url, MessageBody="m")
    [message] = receive(sqs, url)
    good = {"Id": "good", "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 5}
    answer = call(operation, QueueUrl=url, Entries=[{"Id": "bad", "VisibilityTimeout": 5}, good])
    assert answer.status == 200
    assert answer.json == {"Successful": [{"Id": "good"}], "Failed": [lacks("bad", "ReceiptHandle")]}


def test_a_visibility_timeout_must_be_said_and_zero_is_one(client: MakeClient, call: Call) -> None:
    sqs = client("sqs")
    url = make(sqs)
    for _ in range(2):
        sqs.send_message(QueueUrl=url, MessageBody="m")
    first, second = (message["ReceiptHandle"] for message in receive(sqs, url))
    entries = [{"Id": "a", "ReceiptHandle": first}, {"Id": "b", "ReceiptHandle": second, "VisibilityTimeout": 0}]
    answer = call("ChangeMessageVisibilityBatch", QueueUrl=url, Entries=entries)
    named = "ChangeMessageVisibilityBatchRequestEntry.1.VisibilityTimeout"
    assert answer.json == {"Successful": [{"Id": "b"}], "Failed": [lacks("a", named)]}
    assert len(receive(sqs, url)) == 1


@pytest.mark.parametrize("operation", BATCHES)
def test_an_entry_without_an_id_cannot_be_answered_alone(client: MakeClient, call: Call, operation: str) -> None:
    url = make(client("sqs"))
    answer = call(operation, QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "m"}, {"MessageBody": "m"}])
    assert (answer.status, answer.headers["x-amzn-query-error"]) == (400, "MissingParameter;Sender")
    assert answer.json["message"] == f"The request must contain the parameter {operation}RequestEntry.2.Id."


@pytest.mark.parametrize("operation", BATCHES)
def test_a_batch_of_nothing_is_empty(
    client: MakeClient, endpoint: str, account: str, call: Call, operation: str
) -> None:
    url = make(client("sqs"))
    text = f"There should be at least one {operation}RequestEntry in the request."
    for params in ({}, {f"{operation}RequestEntry": ""}):
        answer = call_query(endpoint, "sqs", operation, {"QueueUrl": url, **params}, dev_signature(account, "sqs"))
        assert answer.status == 400
        assert f"<Code>AWS.SimpleQueueService.EmptyBatchRequest</Code><Message>{text}</Message>" in answer.body
    answer = call(operation, QueueUrl=url, Entries=[])
    assert answer.headers["x-amzn-query-error"] == "AWS.SimpleQueueService.EmptyBatchRequest;Sender"
    assert answer.json["message"] == text


def test_a_topic_says_that_the_entries_are_missing(client: MakeClient, endpoint: str, account: str) -> None:
    topic = client("sns").create_topic(Name="t")["TopicArn"]
    answer = call_query(endpoint, "sns", "PublishBatch", {"TopicArn": topic}, dev_signature(account, "sns"))
    assert answer.status == 400
    assert "<Code>ValidationError</Code>" in answer.body
    assert "publishBatchRequestEntries" in answer.body
