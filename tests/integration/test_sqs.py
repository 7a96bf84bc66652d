"""Queues over HTTP, with boto3: what consumers and producers rely on."""

import base64
import json
import socket
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from cloudlet.services.sqs import SqsService, exchange
from tests.support.nodes import MakeClient, NodeInThread, fresh_account

Advance = Callable[[float], None]
FIFO = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}


def arn_of(sqs: Any, url: str) -> str:
    return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])


def make(sqs: Any, name: str = "q", **attributes: str) -> str:
    return str(sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])


def receive(sqs: Any, url: str, count: int = 10, **params: Any) -> list[Any]:
    return list(sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=count, **params).get("Messages", []))


def bodies(messages: list[Any]) -> list[str]:
    return [message["Body"] for message in messages]


def refusal(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    """The code of the error that a call ends with, and its text."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def counts(sqs: Any, url: str) -> list[int]:
    """Visible, in flight, delayed."""
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    names = ("", "NotVisible", "Delayed")
    return [int(found[f"ApproximateNumberOfMessages{name}"]) for name in names]


class TestStandardQueues:
    def test_a_message_is_in_flight_until_it_is_deleted(self, client: MakeClient) -> None:
        sqs = client("sqs")
        url = make(sqs)
        sqs.send_message(QueueUrl=url, MessageBody="m")
        assert counts(sqs, url) == [1, 0, 0]
        [message] = receive(sqs, url)
        assert counts(sqs, url) == [0, 1, 0]
        assert receive(sqs, url) == []
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        assert counts(sqs, url) == [0, 0, 0]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])  # once more is no error

    def test_a_visibility_timeout_ends(self, client: MakeClient, advance: Advance) -> None:
        sqs = client("sqs")
        url = make(sqs, VisibilityTimeout="40")
        sqs.send_message(QueueUrl=url, MessageBody="m")
        [first] = receive(sqs, url)
        advance(39)
        assert receive(sqs, url) == []
        advance(2)
        [second] = receive(sqs, url, AttributeNames=["ApproximateReceiveCount"])
        assert second["Attributes"]["ApproximateReceiveCount"] == "2"
        sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])  # an old handle deletes nothing
        assert counts(sqs, url) == [0, 1, 0]

    def test_visibility_can_be_changed_and_not_beyond_12_hours(self, client: MakeClient, advance: Advance) -> None:
        sqs = client("sqs")
        url = make(sqs)
        sqs.send_message(QueueUrl=url, MessageBody="m")
        [message] = receive(sqs, url)
        change = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
        sqs.change_message_visibility(**change, VisibilityTimeout=43_000)
        advance(3600)
        assert receive(sqs, url) == []
        with pytest.raises(ClientError, match="Total VisibilityTimeout for the message is beyond the limit"):
            sqs.change_message_visibility(**change, VisibilityTimeout=43_200)
        sqs.change_message_visibility(**change, VisibilityTimeout=0)
        sqs.change_message_visibility(**change, VisibilityTimeout=30)  # of a message that nobody has: nothing happens
        [again] = receive(sqs, url)
        sqs.change_message_visibility(**change, VisibilityTimeout=0)  # an old handle changes nothing
        assert counts(sqs, url) == [0, 1, 0]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
        assert refusal(sqs.change_message_visibility, **change, VisibilityTimeout=0) == (
            "InvalidParameterValue",
            f"Value {message['ReceiptHandle']} for parameter ReceiptHandle is invalid. Reason: Message does not exist"
            " or is not available for visibility timeout change.",
        )

    def test_a_handle_is_of_one_queue(self, client: MakeClient) -> None:
        sqs = client("sqs")
        url, other = make(sqs), make(sqs, "other")
        sqs.send_message(QueueUrl=url, MessageBody="m")
        [message] = receive(sqs, url)
        handle = message["ReceiptHandle"]
        wrong = ("ReceiptHandleIsInvalid", f'The receipt handle "{handle}" is not valid for this queue.')
        assert refusal(sqs.delete_message, QueueUrl=other, ReceiptHandle=handle) == wrong
        assert (
            refusal(sqs.change_message_visibility, QueueUrl=other, ReceiptHandle=handle, VisibilityTimeout=0) == wrong
        )
        assert refusal(sqs.delete_message, QueueUrl=url, ReceiptHandle="made-up") == (
            "ReceiptHandleIsInvalid",
            'The input receipt handle "made-up" is not a valid receipt handle.',
        )

    def test_delays(self, client: MakeClient, advance: Advance) -> None:
        sqs = client("sqs")
        url = make(sqs, DelaySeconds="100")
        sqs.send_message(QueueUrl=url, MessageBody="later")
        sqs.send_message(QueueUrl=url, MessageBody="now", DelaySeconds=0)
        assert counts(sqs, url) == [1, 0, 1]
        assert bodies(receive(sqs, url, VisibilityTimeout=1000)) == ["now"]
        advance(101)
        assert bodies(receive(sqs, url)) == ["later"]

    def test_messages_end_with_their_retention(self, client: MakeClient, advance: Advance) -> None:
        sqs = client("sqs")
        url = make(sqs, MessageRetentionPeriod="60")
        sqs.send_message(QueueUrl=url, MessageBody="m")
        advance(61)
        assert receive(sqs, url) == []

    def test_large_bodies_come_back_whole(self, client: MakeClient) -> None:
        sqs = client("sqs")
        url = make(sqs)
        body = "\u00e9\u4e16" * 200_000  # a million bytes
        sqs.send_message(QueueUrl=url, MessageBody=body)
        [message] = receive(sqs, url)
        assert message["Body"] == body
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        assert counts(sqs, url) == [0, 0, 0]

    @pytest.mark.parametrize(("size", "fits"), [(1_048_576, True), (1_048_577, False)])
    def test_the_limit_of_a_message(self, client: MakeClient, size: int, fits: bool) -> None:
        sqs = client("sqs")
        url = make(sqs)
        if fits:
            assert sqs.send_message(QueueUrl=url, MessageBody="a" * size)["MessageId"]
        else:
            with pytest.raises(ClientError, match="Message must be shorter than 1048576 bytes"):
                sqs.send_message(QueueUrl=url, MessageBody="a" * size)

    def test_attributes_keep_their_types(self, client: MakeClient) -> None:
        sqs = client("sqs")
        url = make(sqs)
        attributes = {
            "text": {"DataType": "String.custom", "StringValue": "a"},
            "number": {"DataType": "Number", "StringValue": "1.5"},
            "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        }
        sqs.send_message(QueueUrl=url, MessageBody="m", MessageAttributes=attributes)  # boto3 compares the MD5s
        [message] = receive(sqs, url, MessageAttributeNames=["All"], VisibilityTimeout=0)
        assert message["MessageAttributes"] == attributes
        [message] = receive(sqs, url, MessageAttributeNames=["te.*", "bytes"])
        assert message["MessageAttributes"].keys() == {"text", "bytes"}

    @pytest.mark.parametrize(
        ("attribute", "text"),
        [
            ({"DataType": "Text", "StringValue": "a"}, "only the following supported type prefixes"),
            ({"DataType": "Number", "StringValue": "a"}, "Can't cast the value"),
            ({"DataType": "String", "StringValue": ""}, "must contain a non-empty value of type 'String'"),
        ],
    )
    def test_attributes_that_are_none(self, client: MakeClient, attribute: Any, text: str) -> None:
        sqs = client("sqs")
        url = make(sqs)
        with pytest.raises(ClientError, match=text):
            sqs.send_message(QueueUrl=url, MessageBody="m", MessageAttributes={"a": attribute})

    def test_a_batch_does_what_it_can(self, client: MakeClient) -> None:
        sqs = client("sqs")
        url = make(sqs)
        entries = [{"Id": "good", "MessageBody": "m"}, {"Id": "bad", "MessageBody": "\x00"}]
        answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)
        assert [each["Id"] for each in answer["Successful"]] == ["good"]
        assert [(each["Id"], each["Code"], each["SenderFault"]) for each in answer["Failed"]] == [
            ("bad", "InvalidMessageContents", True)
        ]
        [message] = receive(sqs, url)
        handles = [{"Id": "good", "ReceiptHandle": message["ReceiptHandle"]}, {"Id": "bad", "ReceiptHandle": "x"}]
        answer = sqs.delete_message_batch(QueueUrl=url, Entries=handles)
        assert [each["Code"] for each in answer["Failed"]] == ["ReceiptHandleIsInvalid"]
        assert counts(sqs, url) == [0, 0, 0]

    def test_no_more_than_the_limit_is_in_flight(self, client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(exchange, "MAX_IN_FLIGHT", 3)
        sqs = client("sqs")
        url = make(sqs)
        for number in range(4):
            sqs.send_message(QueueUrl=url, MessageBody=str(number))
        handles = [receive(sqs, url, 1)[0]["ReceiptHandle"] for _ in range(3)]
        with pytest.raises(sqs.exceptions.OverLimit):
            receive(sqs, url, 1)
        assert receive(sqs, url, 1, WaitTimeSeconds=1) == []
        sqs.delete_message(QueueUrl=url, ReceiptHandle=handles[0])
        assert len(receive(sqs, url, 1)) == 1

    def test_a_group_that_floods_lets_the_others_pass(self, client: MakeClient) -> None:
        sqs = client("sqs")
        url = make(sqs)
        for number in range(60):
            sqs.send_message(QueueUrl=url, MessageBody=f"loud{number}", MessageGroupId="loud")
        seen = [message for _ in range(3) for message in receive(sqs, url)]
        assert all(body.startswith("loud") for body in bodies(seen))
        sqs.send_message(QueueUrl=url, MessageBody="quiet", MessageGroupId="quiet")
        later: list[str] = []
        while "quiet" not in later:
            later += bodies(receive(sqs, url, 1))
        assert len(later) < 30  # it did not wait for all that came before it


class TestLongPolls:
    def waiting(self, sqs: Any, url: str, found: list[Any]) -> threading.Thread:
        thread = threading.Thread(target=lambda: found.extend(receive(sqs, url, WaitTimeSeconds=20)))
        thread.start()
        return thread

    def test_a_message_wakes_who_waits(self, client: MakeClient) -> None:
        sqs, other = client("sqs"), client("sqs")
        url = make(sqs)
        found: list[Any] = []
        thread = self.waiting(sqs, url, found)
        other.send_message(QueueUrl=url, MessageBody="m")
        thread.join()
        assert bodies(found) == ["m"]

    def test_each_message_wakes_one(self, client: MakeClient) -> None:
        url = make(client("sqs"))
        found: list[Any] = []
        threads = [self.waiting(client("sqs"), url, found) for _ in range(5)]
        sqs = client("sqs")
        for number in range(5):
            sqs.send_message(QueueUrl=url, MessageBody=str(number))
        for thread in threads:
            thread.join()
        # Who comes late may get two at once; nobody waits for one that is there.
        assert sorted(bodies(found)) == [str(number) for number in range(5)] or len(found) == 5

    def test_the_end_of_a_visibility_timeout_wakes_too(self, client: MakeClient) -> None:
        sqs = client("sqs")
        url = make(sqs, VisibilityTimeout="1")
        sqs.send_message(QueueUrl=url, MessageBody="m")
        assert bodies(receive(sqs, url)) == ["m"]
        assert bodies(receive(sqs, url, WaitTimeSeconds=20)) == ["m"]

    def test_the_end_of_a_delay_wakes_too(self, client: MakeClient) -> None:
        sqs = client("sqs")
        url = make(sqs)
        sqs.send_message(QueueUrl=url, MessageBody="m", DelaySeconds=1)
        assert bodies(receive(sqs, url, WaitTimeSeconds=20)) == ["m"]

    def test_a_purge_does_not_strand_who_waits(self, client: MakeClient) -> None:
        sqs, other = client("sqs"), client("sqs")
        url = make(sqs)
        other.purge_queue(QueueUrl=url)
        found: list[Any] = []
        thread = self.waiting(sqs, url, found)
        other.send_message(QueueUrl=url, MessageBody="after")
        thread.join()
        assert bodies(found) == ["after"]


class TestFifoQueues:
    def test_groups_keep_their_order_and_wait_for_their_own(self, client: MakeClient) -> None:
        sqs = client("sqs")
        url = make(sqs, "q.fifo", **FIFO)
        for body in ("a1", "b1", "a2", "b2"):
            sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=body[0])
        first = receive(sqs, url, 1)
        assert bodies(first) == ["a1"]
        second = receive(sqs, url)
        assert bodies(second) == ["b1", "b2"]  # a waits for a1
        sqs.delete_message(QueueUrl=url, ReceiptHandle=first[0]["ReceiptHandle"])
        assert bodies(receive(sqs, url)) == ["a2"]

    def test_what_comes_back_comes_first(self, client: MakeClient) -> None:
        sqs = client("sqs")
        url = make(sqs, "q.fifo", **FIFO)
        for body in ("1", "2", "3"):
            sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="g")
        got = receive(sqs, url, 2)
        for message in got:
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
        assert bodies(receive(sqs, url)) == ["1", "2", "3"]

    def test_a_duplicate_is_taken_once_within_five_minutes(self, client: MakeClient, advance: Advance) -> None:
        sqs = client("sqs")
        url = make(sqs, "q.fifo", **FIFO)
        send = {"QueueUrl": url, "MessageBody": "m", "MessageGroupId": "g"}
        first, again = sqs.send_message(**send), sqs.send_message(**send)
        assert (first["MessageId"], first["SequenceNumber"]) == (again["MessageId"], again["SequenceNumber"])
        other = sqs.send_message(**send, MessageDeduplicationId="other")
        assert other["SequenceNumber"] > first["SequenceNumber"]
        advance(301)
        sqs.send_message(**send)
        assert bodies(receive(sqs, url)) == ["m", "m", "m"]

    def test_deduplication_by_group(self, client: MakeClient) -> None:
        sqs = client("sqs")
        scope = {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
        url = make(sqs, "q.fifo", FifoQueue="true", **scope)
        for group in ("a", "b", "a"):
            sqs.send_message(QueueUrl=url, MessageBody="m", MessageGroupId=group, MessageDeduplicationId="d")
        assert counts(sqs, url) == [2, 0, 0]

    def test_the_delay_of_a_queue_is_that_of_what_lies_in_it(self, client: MakeClient, advance: Advance) -> None:
        sqs = client("sqs")
        url = make(sqs, "q.fifo", DelaySeconds="600", **FIFO)
        for body, group in (("1", "a"), ("2", "a"), ("3", "b")):
            sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=group)
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "0"})
        [first] = receive(sqs, url, 1, WaitTimeSeconds=20)
        assert first["Body"] == "1"
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "900"})
        assert receive(sqs, url) == []
        assert counts(sqs, url) == [0, 1, 2]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
        assert receive(sqs, url) == []
        advance(901)
        assert bodies(receive(sqs, url)) == ["2", "3"]

    def test_an_expired_handle_is_refused(self, client: MakeClient, advance: Advance) -> None:
        sqs = client("sqs")
        url = make(sqs, "q.fifo", **FIFO)
        sqs.send_message(QueueUrl=url, MessageBody="m", MessageGroupId="g")
        [message] = receive(sqs, url)
        advance(31)
        with pytest.raises(ClientError, match="The receipt handle has expired"):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def test_a_receive_that_is_tried_again_gets_the_same(self, client: MakeClient) -> None:
        sqs = client("sqs")
        url = make(sqs, "q.fifo", **FIFO)
        for body in ("1", "2"):
            sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="g")
        attempt = {"ReceiveRequestAttemptId": "attempt"}
        first, again = receive(sqs, url, 1, **attempt), receive(sqs, url, 1, **attempt)
        assert [message["ReceiptHandle"] for message in first] == [message["ReceiptHandle"] for message in again]
        assert receive(sqs, url, 1) == []


class TestDeadLetterQueues:
    def test_what_is_received_too_often_goes_there_and_back(self, client: MakeClient) -> None:
        sqs = client("sqs")
        dead = make(sqs, "dead")
        policy = json.dumps({"deadLetterTargetArn": arn_of(sqs, dead), "maxReceiveCount": "2"})
        url = make(sqs, VisibilityTimeout="0", RedrivePolicy=policy)
        attributes = {"a": {"DataType": "String", "StringValue": "kept"}}
        sent = sqs.send_message(QueueUrl=url, MessageBody="m" * 5000, MessageAttributes=attributes)
        assert [len(receive(sqs, url)) for _ in range(3)] == [1, 1, 0]
        [message] = receive(sqs, dead, AttributeNames=["All"], MessageAttributeNames=["All"], VisibilityTimeout=0)
        assert message["MessageId"] == sent["MessageId"]
        assert message["Attributes"]["DeadLetterQueueSourceArn"] == arn_of(sqs, url)
        assert message["MessageAttributes"] == attributes
        assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [url]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "30"})
        sqs.start_message_move_task(SourceArn=arn_of(sqs, dead))
        [back] = receive(sqs, url, WaitTimeSeconds=20, AttributeNames=["All"])
        assert back["Attributes"]["ApproximateReceiveCount"] == "1"
        [task] = sqs.list_message_move_tasks(SourceArn=arn_of(sqs, dead))["Results"]
        assert task["ApproximateNumberOfMessagesMoved"] == 1

    def test_a_fifo_group_goes_in_order(self, client: MakeClient) -> None:
        sqs = client("sqs")
        dead = make(sqs, "dead.fifo", **FIFO)
        policy = json.dumps({"deadLetterTargetArn": arn_of(sqs, dead), "maxReceiveCount": 1})
        url = make(sqs, "q.fifo", VisibilityTimeout="0", RedrivePolicy=policy, **FIFO)
        for body in ("1", "2", "3"):
            sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="g")
        assert bodies(receive(sqs, url)) == ["1", "2", "3"]
        assert receive(sqs, url) == []
        assert bodies(receive(sqs, dead)) == ["1", "2", "3"]

    def test_only_who_is_allowed_may_send_there(self, client: MakeClient) -> None:
        sqs = client("sqs")
        allow = json.dumps({"redrivePermission": "denyAll"})
        dead = make(sqs, "dead", RedriveAllowPolicy=allow)
        policy = json.dumps({"deadLetterTargetArn": arn_of(sqs, dead), "maxReceiveCount": 1})
        with pytest.raises(ClientError, match="does not have permission to use this dead-letter queue"):
            make(sqs, "q", RedrivePolicy=policy)

    @pytest.mark.parametrize(
        ("policy", "text"),
        [
            ("x", "not a valid JSON map"),
            ('{"maxReceiveCount": 1}', "does not contain mandatory attribute: deadLetterTargetArn"),
            (
                '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:no", "maxReceiveCount": 0}',
                "from 1 to 1000",
            ),
            (
                '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:no", "maxReceiveCount": 1}',
                "owner should be same as the source",
            ),
            (
                '{"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:000000000000:no", "maxReceiveCount": 1}',
                "must be in same region as the source",
            ),
        ],
    )
    def test_redrive_policies_that_are_none(self, client: MakeClient, policy: str, text: str) -> None:
        with pytest.raises(ClientError, match=text):
            make(client("sqs"), "q", RedrivePolicy=policy)

    def test_a_dead_letter_queue_has_to_be_there(self, client: MakeClient, account: str) -> None:
        arn = f"arn:aws:sqs:us-east-1:{account}:no"
        with pytest.raises(ClientError, match="Dead letter target does not exist"):
            make(client("sqs"), RedrivePolicy=json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1}))


class TestMoves:
    def test_what_is_refused(self, client: MakeClient, account: str) -> None:
        sqs = client("sqs", parameter_validation=False)
        dead, other = make(sqs, "dead"), make(sqs, "other.fifo", **FIFO)
        arn = arn_of(sqs, dead)
        make(sqs, RedrivePolicy=json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1}))
        for params, code, text in (
            ({}, "MissingParameter", "The request must contain the parameter SourceArn."),
            ({"SourceArn": ""}, "InvalidParameterValue", "You must use this format to specify the SourceArn"),
            ({"SourceArn": arn + "x"}, "ResourceNotFoundException", "specified for the SourceArn parameter doesn't"),
            ({"SourceArn": arn_of(sqs, other)}, "InvalidParameterValue", "must be configured as a Dead Letter Queue."),
            ({"DestinationArn": ""}, "InvalidParameterValue", "You must use this format to specify the DestinationArn"),
            ({"DestinationArn": arn + "x"}, "ResourceNotFoundException", "for the DestinationArn parameter doesn't"),
            ({"DestinationArn": arn_of(sqs, other)}, "InvalidParameterValue", "must be of the same queue type."),
            ({"DestinationArn": arn}, "InvalidParameterValue", "Source queue arn and destination queue arn cannot"),
            ({"MaxNumberOfMessagesPerSecond": 501}, "InvalidParameterValue", "a number that's between 1 and 500."),
        ):
            given = {"SourceArn": arn, **params} if params else {}
            answered = refusal(sqs.start_message_move_task, **given)
            assert (answered[0], text in answered[1]) == (code, True), answered
        assert refusal(sqs.list_message_move_tasks, SourceArn=arn, MaxResults=0)[0] == "InvalidParameterValue"

    def test_one_at_a_time_and_only_a_running_one_can_be_cancelled(self, client: MakeClient) -> None:
        sqs = client("sqs")
        dead, back = make(sqs, "dead"), make(sqs, "back")
        arn = arn_of(sqs, dead)
        make(sqs, RedrivePolicy=json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1}))
        for number in range(5):
            sqs.send_message(QueueUrl=dead, MessageBody=str(number))
        task = {"SourceArn": arn, "DestinationArn": arn_of(sqs, back), "MaxNumberOfMessagesPerSecond": 1}
        handle = sqs.start_message_move_task(**task)["TaskHandle"]
        assert refusal(sqs.start_message_move_task, **task)[0] == "InvalidParameterValue"
        sqs.cancel_message_move_task(TaskHandle=handle)
        assert refusal(sqs.cancel_message_move_task, TaskHandle=handle) == (
            "ResourceNotFoundException",
            "Task does not exist.",
        )
        unknown = json.dumps({"taskId": "1", "sourceArn": arn + "x"}).encode()
        assert refusal(sqs.cancel_message_move_task, TaskHandle=base64.b64encode(unknown).decode())[1] == (
            "The resource that you specified for the SourceArn parameter doesn't exist."
        )

    def test_messages_that_did_not_come_from_a_queue_have_nowhere_to_go(self, client: MakeClient) -> None:
        sqs = client("sqs")
        dead = make(sqs, "dead")
        arn = arn_of(sqs, dead)
        make(sqs, RedrivePolicy=json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1}))
        sqs.send_message(QueueUrl=dead, MessageBody="m")
        sqs.start_message_move_task(SourceArn=arn)
        while (task := sqs.list_message_move_tasks(SourceArn=arn)["Results"][0])["Status"] == "RUNNING":
            pass
        assert (task["Status"], task["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
        assert bodies(receive(sqs, dead)) == ["m"]


OWNERS: dict[str, dict[str, Any]] = {
    "add_permission": {"Label": "l", "AWSAccountIds": ["111111111111"], "Actions": ["SendMessage"]},
    "remove_permission": {"Label": "l"},
    "set_queue_attributes": {"Attributes": {"DelaySeconds": "1"}},
    "tag_queue": {"Tags": {"a": "1"}},
    "untag_queue": {"TagKeys": ["a"]},
    "list_queue_tags": {},
    "delete_queue": {},
}


class TestQueues:
    def test_a_policy_gives_others_the_messages_and_never_the_queue(self, client: MakeClient) -> None:
        sqs, friend = client("sqs"), fresh_account()
        url = make(sqs, "q")
        arn = arn_of(sqs, url)
        anybody = {"Effect": "Allow", "Principal": {"AWS": friend}, "Action": "sqs:*", "Resource": arn}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [anybody]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        theirs = client("sqs", account=friend)
        theirs.send_message(QueueUrl=url, MessageBody="m")
        theirs.purge_queue(QueueUrl=url)
        for name, params in OWNERS.items():
            code, text = refusal(getattr(theirs, name), QueueUrl=url, **params)
            assert (code, "not authorized to perform: sqs:" in text) == ("AccessDenied", True), name
        for name in ("start_message_move_task", "list_message_move_tasks"):
            assert refusal(getattr(theirs, name), SourceArn=arn)[0] == "AccessDenied", name
        assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])["Attributes"] == {
            "DelaySeconds": "0"
        }

    def test_permissions_are_for_accounts_and_for_what_may_be_shared(self, client: MakeClient) -> None:
        sqs = client("sqs")
        url = make(sqs)
        good: dict[str, Any] = {"Label": "l", "AWSAccountIds": ["111111111111"], "Actions": ["SendMessage"]}
        for params, text in (
            ({"AWSAccountIds": []}, "Value [] for parameter PrincipalId is invalid. Reason: Unable to verify."),
            ({"AWSAccountIds": ["x"]}, "Value [x] for parameter PrincipalId is invalid. Reason: Unable to verify."),
            ({"Actions": []}, "The request must contain the parameter Actions."),
            ({"Actions": ["DeleteQueue"]}, "Reason: Only the queue owner is allowed to invoke this action."),
            ({"Actions": ["Send"]}, "Reason: Please refer to the appropriate WSDL for a list of valid actions."),
            ({"Actions": ["SendMessage"] * 8}, "8 Actions were found, maximum allowed is 7."),
        ):
            assert refusal(sqs.add_permission, QueueUrl=url, **good | params)[1].endswith(text), params
        twice = {"AWSAccountIds": ["111111111111", "x", "111111111111"], "Actions": ["SendMessage"] * 2}
        sqs.add_permission(QueueUrl=url, **good | twice)
        policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
        [statement] = json.loads(policy)["Statement"]
        assert statement["Principal"] == {"AWS": "arn:aws:iam::111111111111:root"}
        assert statement["Action"] == "SQS:SendMessage"

    def test_tags_that_are_none(self, client: MakeClient) -> None:
        sqs = client("sqs")
        url = make(sqs)
        sqs.tag_queue(QueueUrl=url, Tags={f"{number}": "" for number in range(49)})
        sqs.tag_queue(QueueUrl=url, Tags={"0": "ключ a_.:/=+-@"})
        for tags, text in (
            ({}, "The request must contain the parameter Tags."),
            ({"one": "", "more": ""}, "Too many tags added for queue q."),
            ({"": ""}, "Tag keys must be between 1 and 128 characters in length."),
            ({"1" * 129: ""}, "Tag keys must be between 1 and 128 characters in length."),
            ({"1": "x" * 257}, "Tag values must be between 0 and 256 characters in length."),
            ({"AWS:x": ""}, "Tag keys that begin with 'aws:' are reserved for system use."),
            ({"1": "a!"}, "Tags can only contain Unicode letters, digits, white space and these characters:"),
        ):
            assert refusal(sqs.tag_queue, QueueUrl=url, Tags=tags)[1].startswith(text), tags
        assert refusal(sqs.untag_queue, QueueUrl=url, TagKeys=[])[1].startswith("Tag keys must be between")

    def test_a_purge_empties_at_once_and_not_twice_a_minute(self, client: MakeClient, advance: Advance) -> None:
        sqs = client("sqs")
        url = make(sqs)
        for _ in range(30):
            sqs.send_message(QueueUrl=url, MessageBody="m")
        sqs.purge_queue(QueueUrl=url)
        assert counts(sqs, url) == [0, 0, 0]
        with pytest.raises(sqs.exceptions.PurgeQueueInProgress):
            sqs.purge_queue(QueueUrl=url)
        sqs.send_message(QueueUrl=url, MessageBody="new")
        assert bodies(receive(sqs, url)) == ["new"]
        advance(61)
        sqs.purge_queue(QueueUrl=url)

    def test_a_deleted_queues_name_is_taken_for_a_minute(self, client: MakeClient, advance: Advance) -> None:
        sqs = client("sqs")
        url = make(sqs)
        sqs.delete_queue(QueueUrl=url)
        with pytest.raises(sqs.exceptions.QueueDoesNotExist):
            sqs.send_message(QueueUrl=url, MessageBody="m")
        with pytest.raises(sqs.exceptions.QueueDeletedRecently):
            make(sqs)
        advance(61)
        assert make(sqs) == url

    def test_lists_have_pages(self, client: MakeClient) -> None:
        sqs = client("sqs")
        urls = [make(sqs, f"page_{number}") for number in range(5)]
        make(sqs, "pageX")  # an underscore is no wildcard
        pages = sqs.get_paginator("list_queues").paginate(QueueNamePrefix="page_", PaginationConfig={"PageSize": 2})
        assert [url for page in pages for url in page.get("QueueUrls", [])] == urls

    def test_tags(self, client: MakeClient) -> None:
        sqs = client("sqs")
        url = sqs.create_queue(QueueName="q", tags={"a": "1"})["QueueUrl"]
        sqs.tag_queue(QueueUrl=url, Tags={"b": "2"})
        sqs.untag_queue(QueueUrl=url, TagKeys=["a"])
        assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"b": "2"}

    def test_another_account_needs_the_queues_policy(self, client: MakeClient) -> None:
        sqs, friend = client("sqs"), fresh_account()
        url = make(sqs)
        theirs = client("sqs", account=friend)
        with pytest.raises(ClientError, match="not authorized"):
            theirs.send_message(QueueUrl=url, MessageBody="m")
        sqs.add_permission(QueueUrl=url, Label="l", AWSAccountIds=[friend], Actions=["SendMessage"])
        theirs.send_message(QueueUrl=url, MessageBody="m")
        with pytest.raises(ClientError, match="not authorized"):
            receive(theirs, url)
        sqs.remove_permission(QueueUrl=url, Label="l")
        with pytest.raises(ClientError, match="not authorized"):
            theirs.send_message(QueueUrl=url, MessageBody="m")
        with pytest.raises(ClientError, match="can't find label"):
            sqs.remove_permission(QueueUrl=url, Label="l")

    @pytest.mark.parametrize("form", ["http://h/{0}\t{1}/q", "http://h/{0}{1}/q\n", "http:/{0}{1}/q", "x:/{0}{1}/q"])
    def test_no_form_of_a_url_opens_another_accounts_queue(self, client: MakeClient, account: str, form: str) -> None:
        make(client("sqs"))
        with pytest.raises(ClientError, match=r"not valid for this endpoint|not authorized"):
            receive(client("sqs", account=fresh_account()), form.format(account[:5], account[5:]))

    @pytest.mark.parametrize("name", ["", "a b", "x" * 81, "q.fifo"])
    def test_names_that_are_none(self, client: MakeClient, name: str) -> None:
        with pytest.raises(ClientError, match=r"Can only include alphanumeric|name cannot be empty"):
            client("sqs", parameter_validation=False).create_queue(QueueName=name)


def test_a_client_that_goes_while_it_waits_takes_nothing_with_it(node: NodeInThread, client: MakeClient) -> None:
    sqs = client("sqs")
    url = make(sqs)
    address = urlsplit(node.endpoint)
    key = url.split("/")[-2]
    credential = f"{key}/20260101/us-east-1/sqs/aws4_request"
    body = json.dumps({"QueueUrl": url, "WaitTimeSeconds": 20}).encode()
    head = (
        f"POST / HTTP/1.1\r\nHost: {address.netloc}\r\nX-Amz-Target: AmazonSQS.ReceiveMessage\r\n"
        f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n"
        f"Authorization: AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=00\r\n\r\n"
    )
    service = node.node.service(SqsService)
    waiters: list[socket.socket] = []
    for number in range(3):
        waiters.append(socket.create_connection((address.hostname, address.port)))
        waiters[-1].sendall(head.encode() + body)
        while node.call(_waiting(service)) <= number:
            pass
    for waiter in waiters:
        waiter.close()
    while node.call(_waiting(service)):
        pass
    sqs.send_message(QueueUrl=url, MessageBody="m")
    [message] = receive(sqs, url)
    assert message["Body"] == "m"


async def _waiting(service: SqsService) -> int:
    return service.exchange.waiting.count
