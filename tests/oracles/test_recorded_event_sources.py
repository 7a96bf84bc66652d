"""Lambda's recorded answers about event source mappings of queues, and what functions were given by them."""

import copy
import json
import re
from typing import Any

import pytest

from tests.support.lambda_replay import RECORDED, Make, Replay
from tests.support.nodes import control

pytestmark = pytest.mark.skipif(not RECORDED, reason="the recordings are not here")

REPORT = """
import json
import os

import boto3


def handler(event, context):
    failures = []
    for record in event["Records"]:
        message = json.loads(record["body"])
        if message["fail_attempts"] >= int(record["attributes"]["ApproximateReceiveCount"]):
            failures.append({"itemIdentifier": record["messageId"]})
    result = json.loads(os.environ["RESULT"]) if "RESULT" in os.environ else {"batchItemFailures": failures}
    boto3.client("sqs", endpoint_url=os.environ["AWS_ENDPOINT_URL"]).send_message(
        QueueUrl=os.environ["DESTINATION"], MessageBody=json.dumps({"event": event, "result": result})
    )
    return result
"""
BATCHING = """
import json
import os

import boto3


def handler(event, context):
    boto3.client("sqs", endpoint_url=os.environ["AWS_ENDPOINT_URL"]).send_message(
        QueueUrl=os.environ["DESTINATION"], MessageBody=json.dumps(event["Records"])
    )
"""


def make_queue(run: Replay, name: str, **attributes: str) -> tuple[str, str]:
    sqs = run.client("sqs")
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def map_queue(run: Replay, arn: str, **params: Any) -> Any:
    made = run.aws.create_event_source_mapping(FunctionName="fn", EventSourceArn=arn, **params)
    settled(run, made["UUID"])
    return made


def settled(run: Replay, uuid: str) -> str:
    while (state := run.aws.get_event_source_mapping(UUID=uuid)["State"]) not in ("Enabled", "Disabled"):
        pass
    return str(state)


def receive(run: Replay, url: str) -> Any:
    sqs = run.client("sqs")
    while "Messages" not in (answer := sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)):
        pass
    for message in answer["Messages"]:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return answer


def as_recorded(answer: Any) -> Any:
    """Without what the recordings name otherwise, and with the events inside messages as objects."""
    answer = copy.deepcopy(answer)
    for message in answer["Messages"]:
        if not message["Body"].startswith("{"):
            continue
        body = json.loads(message["Body"])
        for record in body.get("event", {}).get("Records", ()):
            record["attributes"] |= {"SentTimestamp": "sent-timestamp", "SenderId": "sender-id"}
            if "MessageGroupId" in record["attributes"]:
                record["body"] = json.loads(record["body"])
        message["Body"] = json.dumps(body)
    return answer


@pytest.mark.parametrize("name", ["None", "simple string", "invalid_filter2", "invalid_filter3"])
def test_sqs_invalid_event_filter(replay: Make, name: str) -> None:
    run = replay(f"TestSQSEventSourceMapping::test_sqs_invalid_event_filter[{name}]")
    run.create_simply()
    _, arn = make_queue(run, "q")
    wrong = {"None": None, "simple string": "simple string", "invalid_filter2": {"eventSource": "aws:sqs"}}
    pattern = json.dumps(wrong[name]) if name in wrong else json.dumps({"eventSource": []})
    run.fails(
        "create_event_source_mapping_exception",
        run.aws.create_event_source_mapping,
        FunctionName="fn",
        EventSourceArn=arn,
        FilterCriteria={"Filters": [{"Pattern": pattern}]},
    )


def test_esm_with_not_existing_sqs_queue(replay: Make) -> None:
    run = replay("test_esm_with_not_existing_sqs_queue")
    run.create_simply()
    _, arn = make_queue(run, "q")
    run.fails(
        "error",
        run.aws.create_event_source_mapping,
        FunctionName="fn",
        EventSourceArn=arn + "-missing",
        BatchSize=1,
    )


def test_create_event_source_validation_kinesis(replay: Make) -> None:
    run = replay("TestLambdaEventSourceMappings::test_create_event_source_validation_kinesis")
    run.create_simply()
    stream = {"FunctionName": "fn", "EventSourceArn": f"arn:aws:kinesis:us-east-1:{'1' * 12}:stream/s"}
    create = run.aws.create_event_source_mapping
    run.fails("no_starting_position", create, **stream)
    run.fails("invalid_starting_position", create, **stream, StartingPosition="invalid")


def test_tag_lifecycle_of_an_event_source_mapping(replay: Make) -> None:
    run = replay("TestLambdaTag::test_tag_lifecycle[event_source_mapping]")
    run.create_simply()
    mapping = map_queue(run, make_queue(run, "q")[1])
    arn = mapping["EventSourceMappingArn"]
    for step, change in (
        ("tag_single", {"A": "tag-a"}),
        ("tag_multiple", {"B": "tag-b", "C": "tag-c"}),
        ("tag_overlap", {"C": "tag-c-newsuffix", "D": "tag-d"}),
        ("untag_single", ["A"]),
        ("untag_multiple", ["B", "C"]),
        ("untag_nonexisting", ["F"]),
        ("untag_existing_and_nonexisting", ["D", "F"]),
    ):
        if isinstance(change, dict):
            answer = run.aws.tag_resource(Resource=arn, Tags=change)
        else:
            answer = run.aws.untag_resource(Resource=arn, TagKeys=change)
        run.check(f"{step}_response", answer)
        run.check(f"{step}_response_listtags", run.aws.list_tags(Resource=arn))
    run.aws.delete_event_source_mapping(UUID=mapping["UUID"])


def test_fifo_message_group_parallelism(replay: Make) -> None:
    run = replay("test_fifo_message_group_parallelism")
    run.create_simply()
    _, arn = make_queue(run, "q.fifo", FifoQueue="true")
    made = run.aws.create_event_source_mapping(FunctionName="fn", EventSourceArn=arn, BatchSize=1, Enabled=False)
    run.check("create_esm_disabled", made)
    uuid = {"UUID": made["UUID"]}
    run.check("update_esm_enabling", run.aws.update_event_source_mapping(**uuid, Enabled=True))
    assert settled(run, uuid=made["UUID"]) == "Enabled"
    run.check("get_esm_enabled", run.aws.get_event_source_mapping(**uuid))
    run.aws.delete_event_source_mapping(**uuid)


def test_report_batch_item_failures(replay: Make, lambda_endpoint: str) -> None:
    run = replay("test_report_batch_item_failures")
    destination, _ = make_queue(run, "destination")
    run.check("get_destination_queue_url", run.client("sqs").get_queue_url(QueueName="destination"))
    dead, dead_arn = make_queue(run, "dead.fifo", FifoQueue="true")
    policy = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
    url, arn = make_queue(run, "q.fifo", FifoQueue="true", RedrivePolicy=policy)
    run.create_simply(code=REPORT, Environment={"Variables": {"DESTINATION": destination}})
    entries = [
        {
            "Id": f"message-{number}",
            "MessageBody": json.dumps({"message": number, "fail_attempts": fail_attempts}),
            "MessageGroupId": "1",
            "MessageDeduplicationId": f"dedup-{number}",
        }
        for number, fail_attempts in ((1, 0), (2, 1), (3, 1), (4, 2))
    ]
    run.check("send_message_batch", run.client("sqs").send_message_batch(QueueUrl=url, Entries=entries))
    mapping = run.aws.create_event_source_mapping(
        FunctionName="fn", EventSourceArn=arn, BatchSize=10, FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    run.check("create_event_source_mapping", mapping)
    run.check("first_invocation", as_recorded(receive(run, destination)))
    settled(run, mapping["UUID"])
    control(lambda_endpoint, "clock", {"advance_s": 31})
    run.check("second_invocation", as_recorded(receive(run, destination)))
    control(lambda_endpoint, "clock", {"advance_s": 31})
    run.check("dlq_response", receive(run, dead))
    run.aws.delete_event_source_mapping(UUID=mapping["UUID"])


def test_report_batch_item_failures_that_make_no_sense(replay: Make, lambda_endpoint: str) -> None:
    run = replay("test_report_batch_item_failures_invalid_result_json_batch_fails")
    destination, _ = make_queue(run, "destination")
    run.check("get_destination_queue_url", run.client("sqs").get_queue_url(QueueName="destination"))
    dead, dead_arn = make_queue(run, "dead")
    url, arn = make_queue(run, "q", RedrivePolicy=json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2}))
    result = json.dumps({"batchItemFailures": [{"foo": "notvalid"}]})
    run.create_simply(code=REPORT, Environment={"Variables": {"DESTINATION": destination, "RESULT": result}})
    mapping = map_queue(run, arn, BatchSize=10, FunctionResponseTypes=["ReportBatchItemFailures"])
    run.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps({"message": 1, "fail_attempts": 0}))
    run.check("first_invocation", as_recorded(receive(run, destination)))
    control(lambda_endpoint, "clock", {"advance_s": 31})
    run.check("second_invocation", as_recorded(receive(run, destination)))
    control(lambda_endpoint, "clock", {"advance_s": 31})
    run.check("dlq_response", receive(run, dead))
    run.aws.delete_event_source_mapping(UUID=mapping["UUID"])


def test_report_batch_item_failures_on_lambda_error(replay: Make, lambda_endpoint: str) -> None:
    run = replay("test_report_batch_item_failures_on_lambda_error")
    dead, dead_arn = make_queue(run, "dead")
    url, arn = make_queue(run, "q", RedrivePolicy=json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1}))
    run.create_simply(code=REPORT)
    sqs = run.client("sqs")
    bodies = ("{not a json body", json.dumps({"message": 2, "fail_attempts": 0}))
    sqs.send_message_batch(
        QueueUrl=url, Entries=[{"Id": str(place), "MessageBody": body} for place, body in enumerate(bodies)]
    )
    mapping = map_queue(run, arn, BatchSize=10, FunctionResponseTypes=["ReportBatchItemFailures"])
    while mapping.get("LastProcessingResult") is None:
        mapping = run.aws.get_event_source_mapping(UUID=mapping["UUID"])
    control(lambda_endpoint, "clock", {"advance_s": 31})
    messages: list[Any] = []
    while len(messages) < 2:
        messages += sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=20).get("Messages", ())
    run.check("dlq_messages", sorted(messages, key=lambda message: "message" in message["Body"]))
    run.aws.delete_event_source_mapping(UUID=mapping["UUID"])


def test_sqs_event_source_mapping_batching_reserved_concurrency(replay: Make) -> None:
    run = replay("TestSQSEventSourceMapping::test_sqs_event_source_mapping_batching_reserved_concurrency")
    destination, _ = make_queue(run, "destination")
    url, arn = make_queue(run, "q")
    run.create_simply(code=BATCHING, Environment={"Variables": {"DESTINATION": destination}})
    concurrency = run.aws.put_function_concurrency(FunctionName="fn", ReservedConcurrentExecutions=2)
    run.check("put_concurrency_resp", concurrency)
    sqs = run.client("sqs")
    for batch in range(10):
        entries = [{"Id": str(place), "MessageBody": f"{batch}-{place}-message"} for place in range(3)]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    mapping = run.aws.create_event_source_mapping(
        FunctionName="fn",
        EventSourceArn=arn,
        BatchSize=20,
        MaximumBatchingWindowInSeconds=1,
        ScalingConfig={"MaximumConcurrency": 2},
    )
    run.check("create-event-source-mapping-response", mapping)
    batches: list[list[Any]] = []
    while sum(map(len, batches)) < 30:
        batches += [json.loads(message["Body"]) for message in receive(run, destination)["Messages"]]
    run.check("batch_info", {"total_batches_received": len(batches)})
    records = sorted((record for batch in batches for record in batch), key=lambda record: str(record["body"]))
    for record in records:
        assert re.fullmatch(r"\d{13}", record["attributes"]["SentTimestamp"])
        record["attributes"]["SentTimestamp"] = "sent-timestamp"
    run.check("Records", records)
    run.aws.delete_event_source_mapping(UUID=mapping["UUID"])
