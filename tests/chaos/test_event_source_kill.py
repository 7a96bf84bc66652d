"""A node is killed while a mapping hands a queue's messages to a function: each of them is done in the end."""

import json
from typing import Any

import pytest

from tests.support.functions import create_function
from tests.support.nodes import Clients, NodeProcess, control, fresh_account

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]
MESSAGES = 200
COPY = """
import json, os
import boto3

sqs = boto3.client("sqs", endpoint_url=os.environ["AWS_ENDPOINT_URL"])

def handler(event, context):
    bodies = [record["body"] for record in event["Records"]]
    sqs.send_message(QueueUrl=os.environ["COPY"], MessageBody=json.dumps(bodies))
"""


def test_every_message_is_done_although_the_node_is_killed(node: NodeProcess) -> None:
    clients = Clients(fresh_account())
    functions, sqs = clients.make(node.endpoint, "lambda"), clients.make(node.endpoint, "sqs")
    urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("q", "copy")}
    arn = sqs.get_queue_attributes(QueueUrl=urls["q"], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    path = urls["copy"].removeprefix(node.endpoint)
    code = COPY.replace('os.environ["COPY"]', f'os.environ["AWS_ENDPOINT_URL"] + {path!r}')
    create_function(functions, "fn", code, Timeout=10)
    made = functions.create_event_source_mapping(FunctionName="fn", EventSourceArn=arn, BatchSize=3)
    for start in range(0, MESSAGES, 10):
        entries = [{"Id": str(number), "MessageBody": str(number)} for number in range(start, start + 10)]
        sqs.send_message_batch(QueueUrl=urls["q"], Entries=entries)
    done: set[str] = set()
    for _ in range(3):
        before = len(done)
        while len(done) < min(before + MESSAGES // 5, MESSAGES):
            done |= copied(sqs, urls["copy"])
        node.kill9()
        node.start()
        sqs, functions = clients.make(node.endpoint, "sqs"), clients.make(node.endpoint, "lambda")
        urls = {name: sqs.get_queue_url(QueueName=name)["QueueUrl"] for name in urls}
    while len(done) < MESSAGES:
        control(node.endpoint, "clock", {"advance_s": 31})
        done |= copied(sqs, urls["copy"])
    assert done == {str(number) for number in range(MESSAGES)}
    assert functions.get_event_source_mapping(UUID=made["UUID"])["State"] == "Enabled"


def copied(sqs: Any, url: str) -> set[str]:
    """What functions have been given, as far as it is told."""
    found: set[str] = set()
    for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MaxNumberOfMessages=10).get("Messages", ()):
        found |= set(json.loads(message["Body"]))
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found
