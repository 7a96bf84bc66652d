"""SQS answers as the real one did, wherever it was recorded.

The recordings are LocalStack's (Apache-2.0); what each step called is told by its tests of the same names. Those of the
query protocol have the same answers, but for how an error is written; `query` asks by it.
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

from tests.support.nodes import Clients, NodeInThread
from tests.support.recordings import Check, Comparison, Replays, answer_of

ACCOUNT = "111111111111"
RECORDED = Replays("sqs")
pytestmark = RECORDED.is_here
FIFO = {"FifoQueue": "true"}
OTHERWISE = {
    *(f"TestSqsProvider::test_message_deduplication_id_invalid[{case}]" for case in ("empty", "spaces", "too_long")),
    *(
        f"TestSqsProvider::test_send_message_to_standard_queue_with_invalid_message_group_id[{case}]"
        for case in ("empty", "spaces", "too_long")
    ),
}
"""What a test here replays under several names."""
STACKS = {
    "test_create_fifo_queue_with_all_properties",
    "test_create_sqs_with_inlinepolicy",
    "test_create_standard_queue_with_required_properties",
    "test_update_add_two_additional_queues_to_policy",
    "test_update_fifo_queue_remove_all_properties_except_queuename",
    "test_update_sqs_with_inlinepolicy",
    "test_update_standard_queue_remove_some_properties",
}
"""Of CloudFormation, which is not there yet."""


@pytest.fixture
def sqs(node: NodeInThread) -> Iterator[Any]:
    clients = Clients(ACCOUNT)
    yield clients.make(node.endpoint, "sqs", parameter_validation=False)
    clients.close()


@pytest.fixture
def check(request: pytest.FixtureRequest) -> Check:
    return RECORDED.check(request, _plain)


def _plain(answer: Any) -> Any:
    """Without what only this client adds, and with the error's own members where they stand in both."""
    if isinstance(answer, dict):
        return {
            key: {"HTTPStatusCode": value["HTTPStatusCode"]} if key == "ResponseMetadata" else value
            for key, value in answer.items()
            if key not in ("message", "Message", "Type")
        }
    return answer


def name_of(request: pytest.FixtureRequest, suffix: str = "") -> str:
    return "".join(c if c.isalnum() else "-" for c in request.node.name)[-60:] + suffix


@pytest.fixture
def queue(sqs: Any, request: pytest.FixtureRequest) -> str:
    """A standard queue of this test's own."""
    return str(sqs.create_queue(QueueName=name_of(request))["QueueUrl"])


@pytest.fixture
def fifo(sqs: Any, request: pytest.FixtureRequest) -> str:
    """A FIFO queue of this test's own."""
    return str(sqs.create_queue(QueueName=name_of(request, ".fifo"), Attributes=FIFO)["QueueUrl"])


@RECORDED.by("TestSqsProvider::test_change_message_visibility_batch_with_too_large_batch[sqs]")
def test_too_many_changes(sqs: Any, queue: str, check: Check) -> None:
    entries = [{"Id": str(i), "ReceiptHandle": "x", "VisibilityTimeout": 1} for i in range(20)]
    check("error_response", answer_of(sqs.change_message_visibility_batch, QueueUrl=queue, Entries=entries))


@RECORDED.by("TestSqsProvider::test_too_many_entries_in_batch_request[sqs]")
def test_too_many_entries(sqs: Any, queue: str, check: Check) -> None:
    entries = [{"Id": str(i), "MessageBody": "x"} for i in range(20)]
    check("test_too_many_entries_in_batch_request", answer_of(sqs.send_message_batch, QueueUrl=queue, Entries=entries))


@RECORDED.by("TestSqsProvider::test_create_fifo_queue_with_different_attributes_raises_error[sqs]")
def test_another_fifo_queue_of_the_name(sqs: Any, request: pytest.FixtureRequest, check: Check) -> None:
    name = name_of(request, ".fifo")
    sqs.create_queue(QueueName=name, Attributes={**FIFO, "ContentBasedDeduplication": "true"})
    other = {**FIFO, "ContentBasedDeduplication": "false"}
    check("queue-already-exists", answer_of(sqs.create_queue, QueueName=name, Attributes=other))


@RECORDED.by("TestSqsProvider::test_create_queue_with_different_attributes_raises_exception[sqs]")
def test_another_queue_of_the_name(sqs: Any, request: pytest.FixtureRequest, check: Check) -> None:
    name = name_of(request)
    sqs.create_queue(QueueName=name, Attributes={"DelaySeconds": "1"})
    for step in ("create_queue_01", "create_queue_02"):
        check(step, answer_of(sqs.create_queue, QueueName=name, Attributes={"DelaySeconds": "2"}))


@RECORDED.by("TestSqsProvider::test_create_standard_queue_with_fifo_attribute_raises_error[sqs]")
def test_fifo_attributes_of_a_standard_queue(sqs: Any, request: pytest.FixtureRequest, check: Check) -> None:
    for step, attributes in (
        ("invalid-attribute-fifo-queue", {"FifoQueue": "false"}),
        ("invalid-attribute-content-based-deduplication", {"ContentBasedDeduplication": "false"}),
        ("invalid-attribute-deduplication-scope", {"DeduplicationScope": "queue"}),
        ("invalid-attribute-throughput-limit", {"FifoThroughputLimit": "perQueue"}),
    ):
        check(step, answer_of(sqs.create_queue, QueueName=name_of(request), Attributes=attributes))


@pytest.mark.parametrize("entry_id", ["", "invalid:id", "testLongId" * 10])
@RECORDED.by("TestSqsProvider::test_delete_message_batch_invalid_msg_id[sqs-{entry_id}]")
def test_ids_of_entries(sqs: Any, queue: str, check: Check, entry_id: str) -> None:
    entries = [{"Id": entry_id, "ReceiptHandle": "x"}]
    check("error_response", answer_of(sqs.delete_message_batch, QueueUrl=queue, Entries=entries))


@RECORDED.by("TestSqsProvider::test_fair_queue_with_message_group_id[sqs]")
def test_a_group_in_a_standard_queue(sqs: Any, queue: str, check: Check) -> None:
    check("send_message", sqs.send_message(QueueUrl=queue, MessageBody="message", MessageGroupId="test"))
    check("get-message-with-deduplication-id", _times(sqs.receive_message(QueueUrl=queue, AttributeNames=["All"])))


def _times(received: dict[str, Any]) -> dict[str, Any]:
    """Times as numbers: how recordings are compared."""
    for message in received.get("Messages", ()):
        for name in ("SentTimestamp", "ApproximateFirstReceiveTimestamp"):
            if name in message.get("Attributes", {}):
                message["Attributes"][name] = int(message["Attributes"][name])
    return received


@RECORDED.by("TestSqsProvider::test_fifo_message_attributes[sqs]")
def test_attributes_of_a_fifo_message(sqs: Any, fifo: str, check: Check) -> None:
    sent = sqs.send_message(
        QueueUrl=fifo, MessageBody="message-body-1", MessageGroupId="group-1", MessageDeduplicationId="dedup-1"
    )
    check("send_message", sent)
    for number in (0, 1):
        received = sqs.receive_message(QueueUrl=fifo, AttributeNames=["All"], VisibilityTimeout=0)
        check(f"receive_message_{number}", _times(received))


@RECORDED.by("TestSqsProvider::test_fifo_queue_send_message_with_delay_seconds_fails[sqs]")
def test_a_delay_in_a_fifo_queue(sqs: Any, fifo: str, check: Check) -> None:
    params = {"QueueUrl": fifo, "MessageBody": "m", "MessageGroupId": "1", "MessageDeduplicationId": "2"}
    check("send_message", answer_of(sqs.send_message, **params, DelaySeconds=2))


@pytest.mark.parametrize("name", ["MessageDeduplicationId", "MessageGroupId"])
@pytest.mark.parametrize(("case", "value"), [("empty", ""), ("spaces", "group 123"), ("too_long", "a" * 129)])
def test_identifiers(sqs: Any, queue: str, fifo: str, case: str, value: str, name: str) -> None:
    if name == "MessageGroupId":
        recording = f"TestSqsProvider::test_send_message_to_standard_queue_with_invalid_message_group_id[{case}]"
        answer = answer_of(sqs.send_message, QueueUrl=queue, MessageBody="m", MessageGroupId=value)
    else:
        recording = f"TestSqsProvider::test_message_deduplication_id_invalid[{case}]"
        answer = answer_of(
            sqs.send_message, QueueUrl=fifo, MessageBody="m", MessageGroupId="g", MessageDeduplicationId=value
        )
    Comparison().check(_plain(RECORDED.answers[recording]["error-response"]), _plain(answer))


@RECORDED.by("TestSqsProvider::test_receive_message_attribute_names_filters[sqs]")
def test_the_attributes_that_a_consumer_wants(sqs: Any, queue: str, check: Check) -> None:
    sqs.send_message(
        QueueUrl=queue, MessageBody="msg", MessageAttributes={"Foo": {"DataType": "String", "StringValue": "Bar"}}
    )

    def receive(**params: Any) -> Any:
        return _times(sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0, **params))

    check("all_attributes", receive(AttributeNames=["All"]))
    check("all_system_and_message_attributes", receive(AttributeNames=["All"], MessageAttributeNames=["All"]))
    check("single_attribute", receive(AttributeNames=["SenderId"]))
    check("multiple_attributes", receive(AttributeNames=["SenderId", "SequenceNumber"]))


@RECORDED.by("TestSqsProvider::test_receive_empty_queue[sqs]")
def test_an_empty_queue(sqs: Any, queue: str, check: Check) -> None:
    check("empty_short_poll_resp", sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=0))
    check("empty_short_poll_resp_no_param", sqs.receive_message(QueueUrl=queue))
    check("empty_long_poll_resp", sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1))


@RECORDED.by("TestSqsProvider::test_send_batch_missing_message_group_id_for_fifo_queue[sqs]")
def test_a_batch_without_groups(sqs: Any, fifo: str, check: Check) -> None:
    entries = [{"Id": "1", "MessageBody": "m", "MessageDeduplicationId": "d"}]
    answer = answer_of(sqs.send_message_batch, QueueUrl=fifo, Entries=entries)
    check("test_missing_message_group_id_for_fifo_queue", answer)


@RECORDED.by("TestSqsProvider::test_send_message_batch_with_oversized_contents[sqs]")
def test_a_batch_that_is_too_large(sqs: Any, queue: str, check: Check) -> None:
    entries = [{"Id": "1", "MessageBody": "a" * 1_048_570}, {"Id": "2", "MessageBody": "a" * 7}]
    check("send_oversized_message_batch", answer_of(sqs.send_message_batch, QueueUrl=queue, Entries=entries))


@RECORDED.by("TestSqsProvider::test_send_receive_max_number_of_messages[sqs]")
def test_too_many_messages(sqs: Any, queue: str, check: Check) -> None:
    answer = answer_of(sqs.receive_message, QueueUrl=queue, MaxNumberOfMessages=11)
    check("send_max_number_of_messages", answer)


@RECORDED.by("TestSqsProvider::test_send_receive_wait_time_seconds[sqs]")
def test_how_long_to_wait(sqs: Any, queue: str, check: Check) -> None:
    receive = sqs.receive_message
    check("recieve_message_error_too_large", answer_of(receive, QueueUrl=queue, WaitTimeSeconds=21))
    check("recieve_message_error_too_small", answer_of(receive, QueueUrl=queue, WaitTimeSeconds=-1))
    for step, params in (("by_default", {}), ("explicit", {"WaitTimeSeconds": 0})):
        sqs.send_message(QueueUrl=queue, MessageBody="message")
        check(f"empty_short_poll_{step}_resp", receive(QueueUrl=queue, **params))


def _attributes(sqs: Any, url: str) -> Any:
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    for name in ("CreatedTimestamp", "LastModifiedTimestamp"):
        answer["Attributes"][name] = int(answer["Attributes"][name])
    return answer


@RECORDED.by("TestSqsProvider::test_set_queue_attributes_default_values[sqs]")
def test_attributes_and_their_defaults(sqs: Any, queue: str, check: Check) -> None:
    check("get-queue-attributes-initial-values", _attributes(sqs, queue))
    changed = {"KmsMasterKeyId": "testKeyId", "KmsDataKeyReusePeriodSeconds": "6000"}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes=changed)
    check("get-queue-attributes-after-update", _attributes(sqs, queue))
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"KmsMasterKeyId": ""})
    check("get-queue-attributes-after-set-to-defaults", _attributes(sqs, queue))


@pytest.mark.parametrize("kind", ["standard", "fifo"])
@RECORDED.by("TestSqsProvider::test_set_unsupported_attribute_{kind}[sqs]")
def test_the_kind_of_a_queue_stays(sqs: Any, queue: str, fifo: str, check: Check, kind: str) -> None:
    change = sqs.set_queue_attributes
    check("invalid-attr-name-1", answer_of(change, QueueUrl=queue, Attributes={"FifoQueue": "true"}))
    url = queue if kind == "standard" else fifo
    check("invalid-attr-name-2", answer_of(change, QueueUrl=url, Attributes={"FifoQueue": "false"}))


@RECORDED.by("TestSqsProvider::test_sse_queue_attributes[sqs]")
def test_encryption(sqs: Any, request: pytest.FixtureRequest, check: Check) -> None:
    names = ["KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled"]
    for step, attributes in (
        ("sse_kms_attributes", {"KmsMasterKeyId": "testKeyId", "KmsDataKeyReusePeriodSeconds": "6000"}),
        ("sse_sqs_attributes", {"SqsManagedSseEnabled": "true"}),
    ):
        name = name_of(request, step)[-80:]
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        check(step, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names))


@RECORDED.by("test_cancel_with_invalid_task_handle")
def test_a_task_that_is_none(sqs: Any, check: Check) -> None:
    check("error", answer_of(sqs.cancel_message_move_task, TaskHandle="foobared"))


@RECORDED.by("TestSqsProvider::test_receive_message_message_system_attribute_names_filters[sqs]")
def test_the_system_attributes_that_a_consumer_wants(sqs: Any, queue: str, check: Check) -> None:
    attributes = {"Foo": {"DataType": "String", "StringValue": "Bar"}}
    sqs.send_message(QueueUrl=queue, MessageBody="msg", MessageAttributes=attributes)

    def receive(*names: str, **params: Any) -> Any:
        found = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0, MessageSystemAttributeNames=names, **params)
        return _times(found)

    check("all_attributes", receive("All"))
    check("all_system_and_message_attributes", receive("All", MessageAttributeNames=["All"]))
    check("single_attribute", receive("SenderId"))
    check("multiple_attributes", receive("SenderId", "SequenceNumber"))


@RECORDED.by("TestSqsProvider::test_message_system_attribute_names_with_attribute_names[sqs]")
def test_both_names_of_system_attributes(sqs: Any, queue: str, check: Check) -> None:
    sqs.send_message(QueueUrl=queue, MessageBody="msg")
    for step, names in (("same_values", ["All"]), ("different_values", ["SenderId"])):
        wanted = {"AttributeNames": ["All"], "MessageSystemAttributeNames": names}
        check(step, _times(sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0, **wanted)))


@RECORDED.by("TestSqsProvider::test_fifo_deduplication_not_on_message_group_id[sqs-{content_based}]")
@pytest.mark.parametrize("content_based", [True, False])
def test_a_duplicate_in_another_group(
    sqs: Any, request: pytest.FixtureRequest, check: Check, content_based: bool
) -> None:
    attributes = {**FIFO, "ContentBasedDeduplication": str(content_based).lower()}
    url = sqs.create_queue(QueueName=name_of(request, ".fifo"), Attributes=attributes)["QueueUrl"]
    same = {} if content_based else {"MessageDeduplicationId": "same"}
    for step, group in (("get-messages", "1"), ("get-dedup-messages", "2")):
        sqs.send_message(QueueUrl=url, MessageBody='{"foo": "bar"}', MessageGroupId=group, **same)
        check(step, sqs.receive_message(QueueUrl=url))


@RECORDED.by("TestSqsProvider::test_fifo_change_to_regular_throughput_after_creation[sqs]")
def test_from_high_throughput_to_regular(sqs: Any, request: pytest.FixtureRequest, check: Check) -> None:
    high = {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
    url = sqs.create_queue(QueueName=name_of(request, ".fifo"), Attributes={**FIFO, **high})["QueueUrl"]

    def send_and_receive(body: str, group: str, deduplication: str) -> Any:
        sent = {"MessageBody": body, "MessageGroupId": group, "MessageDeduplicationId": deduplication}
        sqs.send_message(QueueUrl=url, **sent)
        answer = sqs.receive_message(QueueUrl=url)
        for message in answer.get("Messages", ()):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return answer

    check("same-dedup-different-grp-1", send_and_receive("Test1", "1", "same"))
    check("same-dedup-different-grp-2", send_and_receive("Test2", "2", "same"))
    regular = {"DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=regular)
    check("set-to-regular-throughput", _attributes(sqs, url))
    check("same-dedup-different-grp-regular-throughput", send_and_receive("Test3", "3", "other"))
    assert "Messages" not in send_and_receive("Test4", "4", "other")


@RECORDED.by("test_move_task_workflow_with_default_destination")
def test_messages_go_back_to_where_they_came_from(
    sqs: Any, request: pytest.FixtureRequest, queue: str, check: Check
) -> None:
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    url = sqs.create_queue(
        QueueName=name_of(request, "-source"), Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "0"}
    )["QueueUrl"]
    for body in ("1", "2"):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    while int(_attributes(sqs, queue)["Attributes"]["ApproximateNumberOfMessages"]) < 2:
        sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    check("source-arn", arn)
    check("start-message-move-task-response", sqs.start_message_move_task(SourceArn=arn))
    while (answer := sqs.list_message_move_tasks(SourceArn=arn))["Results"][0]["Status"] == "RUNNING":
        pass
    check("list-message-move-task-response", answer)


class Query:
    """SQS by its query protocol, for what the JSON protocol answers in another way."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._http = URLLib3Session()
        loader = botocore.session.get_session().get_component("data_loader")
        self._model = loader.load_service_model("sqs", "service-2")

    def ask(self, **params: str) -> tuple[int, str]:
        """Status and body."""
        body = urlencode({"Version": "2012-11-05", **params})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        request = AWSRequest("POST", f"{self._endpoint}/", headers, body)
        SigV4Auth(Credentials("test", "test"), "sqs", "us-east-1").add_auth(request)
        response = self._http.send(request.prepare())
        return response.status_code, response.text


def test_errors_of_the_query_protocol(node: NodeInThread) -> None:
    query = Query(node.endpoint)
    status, body = query.ask(Action="GetQueueUrl", QueueName="nobody")
    assert status == 400
    assert "<Code>AWS.SimpleQueueService.NonExistentQueue</Code>" in body
    status, body = query.ask(Action="CreateQueue", QueueName="query-queue")
    assert (status, "<QueueUrl>http://" in body) == (200, True)
    url = f"{node.endpoint}/000000000000/query-queue"
    entries = {f"SendMessageBatchRequestEntry.{i}.Id": str(i) for i in range(1, 21)}
    bodies = {f"SendMessageBatchRequestEntry.{i}.MessageBody": "m" for i in range(1, 21)}
    status, body = query.ask(Action="SendMessageBatch", QueueUrl=url, **entries, **bodies)
    recording = RECORDED.answers["TestSqsProvider::test_too_many_entries_in_batch_request[sqs_query]"]
    error = recording["test_too_many_entries_in_batch_request"]["Error"]
    assert f"<Code>{error['Code']}</Code>" in body
    assert f"<Message>{error['Message']}</Message>" in body
    assert "<Type>Sender</Type>" in body
    status, body = query.ask(Action="SendMessage", QueueUrl=url, MessageBody="hello")
    assert (status, json.dumps(body).count("MD5OfMessageBody")) == (200, 2)
    status, body = query.ask(Action="ReceiveMessage", QueueUrl=url)
    assert "<Body>hello</Body>" in body


@RECORDED.by("TestSqsProvider::test_fifo_set_content_based_deduplication_strategy[sqs]")
def test_deduplication_by_content_can_be_turned_off(sqs: Any, request: pytest.FixtureRequest, check: Check) -> None:
    attributes = {**FIFO, "ContentBasedDeduplication": "true"}
    url = sqs.create_queue(QueueName=name_of(request, ".fifo"), Attributes=attributes)["QueueUrl"]

    for step, value in (("before-update", "true"), ("after-update", "false")):
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"ContentBasedDeduplication": value})
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        for name in ("CreatedTimestamp", "LastModifiedTimestamp"):
            answer["Attributes"][name] = int(answer["Attributes"][name])
        check(step, answer)


@RECORDED.by("TestSqsProvider::test_list_queues_pagination")
def test_pages_of_queues(sqs: Any, request: pytest.FixtureRequest) -> None:
    prefix = name_of(request)
    for number in range(10):
        sqs.create_queue(QueueName=f"{prefix}-test-queue-{number}")
    two = sqs.list_queues(QueueNamePrefix=prefix, MaxResults=2)
    answers = {
        "list_all": sqs.list_queues(QueueNamePrefix=prefix),
        "list_two_max": two,
        "list_remaining": sqs.list_queues(QueueNamePrefix=prefix, MaxResults=8, NextToken=two["NextToken"]),
    }
    for step, recorded in RECORDED.of(request).items():
        assert answers[step].keys() == recorded.keys()
        numbers = [[url[-1] for url in each["QueueUrls"]] for each in (answers[step], recorded)]
        assert numbers[0] == numbers[1]


@RECORDED.by("TestSqsQueryApi::test_send_message_via_queue_url_with_json_protocol")
def test_json_at_the_queues_own_url(queue: str, check: Check) -> None:
    clients = Clients(ACCOUNT)
    there = clients.make(queue, "sqs")
    check("receive-json-on-queue-url", there.receive_message(QueueUrl=queue))
    clients.close()


@RECORDED.by("test_move_task_with_throughput_limit")
def test_a_move_that_is_slow(sqs: Any, request: pytest.FixtureRequest, check: Check) -> None:
    dead = sqs.create_queue(QueueName=name_of(request, "-dead"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    sqs.create_queue(QueueName=name_of(request), Attributes={"RedrivePolicy": redrive})
    check(
        "start-message-move-task-response",
        answer_of(sqs.start_message_move_task, SourceArn=arn, MaxNumberOfMessagesPerSecond=1),
    )


def test_every_recording_is_replayed_or_known_to_be_of_something_else() -> None:
    """Those of the query protocol have the same answers."""
    assert {name for name in RECORDED.left if "[sqs_query" not in name} == OTHERWISE | STACKS
