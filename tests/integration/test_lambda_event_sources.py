"""Event source mappings of queues over HTTP: from a message that is sent to a function that has done it."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.test_lambda_events import grant, make_role, queue
from tests.support.functions import create_function
from tests.support.nodes import MakeClient, NodeInThread, control

COPY = """
import json, os
import boto3

sqs = boto3.client("sqs", endpoint_url=os.environ["AWS_ENDPOINT_URL"])

def handler(event, context):
    bodies = [record["body"] for record in event["Records"]]
    sqs.send_message(QueueUrl=os.environ["COPY"], MessageBody=json.dumps(bodies))
    if "bad" in bodies:
        raise ValueError("bad")
"""


class Flow:
    """A queue, a function that copies what it gets to another queue, and what joins them."""

    def __init__(self, client: MakeClient, **attributes: str) -> None:
        self.functions, self.sqs = client("lambda"), client("sqs")
        name = "q.fifo" if attributes.get("FifoQueue") else "q"
        self.url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        self.arn = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        self.copy, _ = queue(self.sqs, "copy")
        create_function(self.functions, "fn", COPY, Environment={"Variables": {"COPY": self.copy}}, Timeout=30)

    def map(self, **params: Any) -> str:
        made = self.functions.create_event_source_mapping(FunctionName="fn", EventSourceArn=self.arn, **params)
        self.settled(made["UUID"])
        return str(made["UUID"])

    def settled(self, uuid: str) -> str:
        while (state := self.functions.get_event_source_mapping(UUID=uuid)["State"]) not in ("Enabled", "Disabled"):
            pass
        return str(state)

    def batches(self, messages: int) -> list[list[str]]:
        """What the function was given, until it were so many messages."""
        found: list[list[str]] = []
        while sum(map(len, found)) < messages:
            for message in self.sqs.receive_message(QueueUrl=self.copy, WaitTimeSeconds=20, MaxNumberOfMessages=10).get(
                "Messages", ()
            ):
                found.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self.copy, ReceiptHandle=message["ReceiptHandle"])
        return found

    def counts(self, url: str = "") -> tuple[int, int]:
        """How many messages wait, and are in flight."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=url or self.url, AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])


def refusal(call: Any, **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_messages_reach_the_function_and_are_gone(client: MakeClient) -> None:
    flow = Flow(client)
    uuid = flow.map()
    for start in range(0, 60, 10):
        entries = [{"Id": str(number), "MessageBody": str(number)} for number in range(start, start + 10)]
        flow.sqs.send_message_batch(QueueUrl=flow.url, Entries=entries)
    batches = flow.batches(60)
    assert sorted(int(body) for batch in batches for body in batch) == list(range(60))
    assert max(map(len, batches)) <= 10
    while flow.functions.get_event_source_mapping(UUID=uuid).get("LastProcessingResult") != "OK":
        pass
    while flow.counts() != (0, 0):
        pass
    flow.functions.delete_event_source_mapping(UUID=uuid)


def test_queues_that_want_tls_can_be_used_where_there_is_no_network(client: MakeClient) -> None:
    flow = Flow(client)
    for url in (flow.url, flow.copy):
        arn = flow.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": arn}
        condition = {"Bool": {"aws:SecureTransport": "false"}}
        policy = json.dumps({"Version": "2012-10-17", "Statement": statement | {"Condition": condition}})
        flow.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    uuid = flow.map()
    flow.sqs.send_message(QueueUrl=flow.url, MessageBody="m")
    assert flow.batches(1) == [["m"]]
    flow.functions.delete_event_source_mapping(UUID=uuid)


def test_a_failing_batch_comes_back_and_ends_in_the_dead_letter_queue(node: NodeInThread, client: MakeClient) -> None:
    flow = Flow(client)
    dead, dead_arn = queue(flow.sqs, "dead")
    policy = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
    flow.sqs.set_queue_attributes(QueueUrl=flow.url, Attributes={"RedrivePolicy": policy})
    uuid = flow.map(BatchSize=1)
    flow.sqs.send_message(QueueUrl=flow.url, MessageBody="bad")
    assert flow.batches(1) == [["bad"]]
    control(node.endpoint, "clock", {"advance_s": 120})
    assert flow.batches(1) == [["bad"]]
    [message] = flow.sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=20)["Messages"]
    assert message["Body"] == "bad"
    shown = flow.functions.get_event_source_mapping(UUID=uuid)
    assert shown["LastProcessingResult"] == "PROBLEM: Function call failed"
    flow.functions.delete_event_source_mapping(UUID=uuid)


def test_a_fifo_queue_keeps_its_order_and_groups_run_beside_each_other(client: MakeClient) -> None:
    flow = Flow(client, FifoQueue="true", ContentBasedDeduplication="true")
    uuid = flow.map(BatchSize=2)
    for number in range(20):
        group = "ab"[number % 2]
        flow.sqs.send_message(QueueUrl=flow.url, MessageBody=f"{group}{number}", MessageGroupId=group)
    bodies = [body for batch in flow.batches(20) for body in batch]
    for group in "ab":
        mine = [int(body[1:]) for body in bodies if body[0] == group]
        assert mine == sorted(mine)
        assert len(mine) == 10
    flow.functions.delete_event_source_mapping(UUID=uuid)


def test_enabling_disabling_and_changing(client: MakeClient) -> None:
    flow = Flow(client)
    uuid = flow.map(Enabled=False)
    assert flow.functions.get_event_source_mapping(UUID=uuid)["State"] == "Disabled"
    flow.sqs.send_message(QueueUrl=flow.url, MessageBody='{"kind": "other"}')
    flow.sqs.send_message(QueueUrl=flow.url, MessageBody='{"kind": "mine"}')
    assert flow.counts() == (2, 0)
    update = flow.functions.update_event_source_mapping
    pattern = {"Filters": [{"Pattern": '{"body": {"kind": ["mine"]}}'}]}
    assert update(UUID=uuid, FilterCriteria=pattern)["State"] == "Updating"
    assert flow.settled(uuid) == "Disabled"
    assert update(UUID=uuid, Enabled=True, BatchSize=1)["State"] == "Enabling"
    assert flow.batches(1) == [['{"kind": "mine"}']]
    while flow.counts() != (0, 0):
        pass
    assert update(UUID=uuid, Enabled=False)["State"] == "Disabling"
    assert flow.settled(uuid) == "Disabled"
    flow.sqs.send_message(QueueUrl=flow.url, MessageBody='{"kind": "mine"}')
    assert flow.counts() == (1, 0)
    shown = flow.functions.get_event_source_mapping(UUID=uuid)
    assert (shown["BatchSize"], shown["FilterCriteria"]) == (1, pattern)
    assert "FilterCriteria" not in update(UUID=uuid, FilterCriteria={"Filters": []})
    flow.functions.delete_event_source_mapping(UUID=uuid)


def test_an_alias_is_invoked_and_shown(client: MakeClient) -> None:
    flow = Flow(client)
    flow.functions.publish_version(FunctionName="fn")
    flow.functions.create_alias(FunctionName="fn", Name="live", FunctionVersion="1")
    made = flow.functions.create_event_source_mapping(FunctionName="fn:live", EventSourceArn=flow.arn)
    assert made["FunctionArn"].endswith(":function:fn:live")
    flow.sqs.send_message(QueueUrl=flow.url, MessageBody="a")
    assert flow.batches(1) == [["a"]]
    listed = flow.functions.list_event_source_mappings
    assert [each["UUID"] for each in listed(FunctionName="fn:live")["EventSourceMappings"]] == [made["UUID"]]
    assert [each["UUID"] for each in listed(EventSourceArn=flow.arn)["EventSourceMappings"]] == [made["UUID"]]
    assert listed(FunctionName="other")["EventSourceMappings"] == []
    flow.settled(made["UUID"])
    flow.functions.delete_event_source_mapping(UUID=made["UUID"])


def test_pages(client: MakeClient) -> None:
    flow = Flow(client)
    made = set()
    for number in range(3):
        _, arn = queue(flow.sqs, f"q{number}")
        create = flow.functions.create_event_source_mapping
        made.add(create(FunctionName="fn", EventSourceArn=arn, Enabled=False)["UUID"])
    pages = list(flow.functions.get_paginator("list_event_source_mappings").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["EventSourceMappings"]) for page in pages] == [2, 1]
    assert {each["UUID"] for page in pages for each in page["EventSourceMappings"]} == made


def test_the_function_s_role_reads_the_queue(client: MakeClient) -> None:
    flow, iam = Flow(client), client("iam")
    role = make_role(iam, "reader")
    flow.functions.update_function_configuration(FunctionName="fn", Role=role)
    create = {"call": flow.functions.create_event_source_mapping, "FunctionName": "fn", "EventSourceArn": flow.arn}
    invalid = "InvalidParameterValueException"
    text = "The provided execution role does not have permissions to call {} on SQS"
    assert refusal(**create) == (invalid, text.format("ReceiveMessage"))
    grant(iam, "reader", "sqs:ReceiveMessage", "sqs:SendMessage")
    assert refusal(**create) == (invalid, text.format("DeleteMessage"))
    grant(iam, "reader", "sqs:*")
    uuid = flow.map()
    flow.sqs.send_message(QueueUrl=flow.url, MessageBody="a")
    assert flow.batches(1) == [["a"]]
    flow.functions.delete_event_source_mapping(UUID=uuid)


def test_what_is_refused(client: MakeClient) -> None:
    flow = Flow(client)
    create, mapping = flow.functions.create_event_source_mapping, {"FunctionName": "fn", "EventSourceArn": flow.arn}
    invalid = "InvalidParameterValueException"
    assert refusal(create, FunctionName="fn") == (invalid, "Unrecognized event source.")
    assert refusal(create, FunctionName="missing", EventSourceArn=flow.arn) == (invalid, "Function does not exist")
    flow.functions.update_function_configuration(FunctionName="fn", Timeout=31)
    assert refusal(create, **mapping) == (
        invalid,
        "Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds",
    )
    flow.functions.get_waiter("function_updated_v2").wait(FunctionName="fn")
    flow.functions.update_function_configuration(FunctionName="fn", Timeout=30)
    uuid = flow.map(Enabled=False)
    assert refusal(create, **mapping) == (
        "ResourceConflictException",
        f'An event source mapping with SQS arn (" {flow.arn} ") and function (" fn ") already exists.'
        f" Please update or delete the existing mapping with UUID {uuid}",
    )
    gone = ("ResourceNotFoundException", "The resource you requested does not exist.")
    missing = uuid[:-4] + "0000"
    for call in ("get", "update", "delete"):
        assert refusal(getattr(flow.functions, f"{call}_event_source_mapping"), UUID=missing) == gone


def test_who_is_deleted_polls_no_more_and_who_has_no_function_takes_nothing(client: MakeClient) -> None:
    flow = Flow(client)
    uuid = flow.map()
    flow.functions.delete_function(FunctionName="fn")
    flow.sqs.send_message(QueueUrl=flow.url, MessageBody="a")
    while not flow.functions.get_event_source_mapping(UUID=uuid).get("LastProcessingResult", "").startswith("PROBLEM"):
        pass
    change = flow.functions.update_event_source_mapping
    assert refusal(change, UUID=uuid, BatchSize=5) == ("InvalidParameterValueException", "Function does not exist")
    assert change(UUID=uuid, Enabled=False)["State"] == "Disabling"
    assert flow.settled(uuid) == "Disabled"
    assert refusal(change, UUID=uuid, Enabled=True) == ("InvalidParameterValueException", "Function does not exist")
    assert flow.functions.delete_event_source_mapping(UUID=uuid)["State"] == "Deleting"
    while flow.functions.list_event_source_mappings()["EventSourceMappings"]:
        pass
    assert sum(flow.counts()) == 1
