"""Queues over HTTP, with boto3: what consumers and producers rely on."""

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
        with pytest.raises(sqs.exceptions.MessageNotInflight):
            sqs.change_message_visibility(**change, VisibilityTimeout=0)
        assert bodies(receive(sqs, url)) == ["m"]

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
                "does not exist",
            ),
        ],
    )
    def test_redrive_policies_that_are_none(self, client: MakeClient, policy: str, text: str) -> None:
        with pytest.raises(ClientError, match=text):
            make(client("sqs"), "q", RedrivePolicy=policy)


class TestQueues:
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
        with pytest.raises(ClientError, match=r"Can only include alphanumeric|must contain|QueueName"):
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
