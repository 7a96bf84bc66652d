"""Topics over HTTP, with boto3: what publishers and subscribers rely on."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.services.sns.message import Message
from cloudlet.services.sns.names import topic_key
from tests.support.nodes import MakeClient, NodeInThread

Advance = Callable[[float], None]
FIFO = {"FifoTopic": "true", "ContentBasedDeduplication": "true"}


def queue(sqs: Any, topic: str, name: str = "q", **attributes: str) -> tuple[str, str]:
    """A queue that the topic may send to: its URL and its ARN."""
    url = str(sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])
    arn = str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])
    allow(sqs, url, arn, topic)
    return url, arn


def allow(sqs: Any, url: str, arn: str, topic: str) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})


def receive(sqs: Any, url: str, count: int = 1, **params: Any) -> list[Any]:
    """So many messages, waited for."""
    found: list[Any] = []
    while len(found) < count:
        got = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=20, MessageAttributeNames=["All"], **params
        ).get("Messages", [])
        assert got, f"{len(found)} of {count}"
        for message in got:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        found += got
    return found


class TestQueues:
    def test_a_message_reaches_all_queues(self, client: MakeClient) -> None:
        sns, sqs = client("sns"), client("sqs")
        topic = sns.create_topic(Name="t")["TopicArn"]
        urls = []
        for number in range(3):
            url, arn = queue(sqs, topic, f"q{number}")
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
            urls.append(url)
        published = sns.publish(TopicArn=topic, Message="hello", Subject="s")
        for url in urls:
            [message] = receive(sqs, url)
            envelope = json.loads(message["Body"])
            assert envelope["MessageId"] == published["MessageId"]
            assert (envelope["Message"], envelope["Subject"], envelope["TopicArn"]) == ("hello", "s", topic)

    def test_a_raw_message_has_its_attributes(self, client: MakeClient) -> None:
        sns, sqs = client("sns"), client("sqs")
        topic = sns.create_topic(Name="t")["TopicArn"]
        url, arn = queue(sqs, topic)
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
        attributes = {"a": {"DataType": "Number", "StringValue": "1"}, "b": {"DataType": "Binary", "BinaryValue": b"x"}}
        sns.publish(TopicArn=topic, Message="raw", MessageAttributes=attributes)
        [message] = receive(sqs, url)
        assert message["Body"] == "raw"
        assert message["MessageAttributes"] == attributes

    def test_a_filter_policy_chooses(self, client: MakeClient) -> None:
        sns, sqs = client("sns"), client("sqs")
        topic = sns.create_topic(Name="t")["TopicArn"]
        url, arn = queue(sqs, topic)
        policy = json.dumps({"kind": ["wanted"]})
        raw = {"RawMessageDelivery": "true", "FilterPolicy": policy}
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=raw)
        for kind in ("other", "wanted"):
            value = {"DataType": "String", "StringValue": kind}
            sns.publish(TopicArn=topic, Message=kind, MessageAttributes={"kind": value})
        [message] = receive(sqs, url)
        assert message["Body"] == "wanted"

    def test_a_queue_whose_policy_does_not_let_the_topic_in_gets_nothing(
        self, client: MakeClient, advance: Advance
    ) -> None:
        sns, sqs = client("sns"), client("sqs")
        topic = sns.create_topic(Name="t")["TopicArn"]
        closed, arn = queue(sqs, topic, "closed")
        sqs.set_queue_attributes(QueueUrl=closed, Attributes={"Policy": ""})
        dead, dead_arn = queue(sqs, topic, "dead")
        redrive = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": dead_arn}), "RawMessageDelivery": "true"}
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=redrive)
        sns.publish(TopicArn=topic, Message="m")
        assert [message["Body"] for message in receive(sqs, dead)] == ["m"]
        assert "Messages" not in sqs.receive_message(QueueUrl=closed)


class TestFifo:
    def test_a_group_stays_in_order_and_has_no_duplicates(self, client: MakeClient) -> None:
        sns, sqs = client("sns"), client("sqs")
        topic = sns.create_topic(Name="t.fifo", Attributes=FIFO)["TopicArn"]
        url, arn = queue(sqs, topic, "q.fifo", FifoQueue="true")
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
        numbers = [
            sns.publish(TopicArn=topic, Message=str(number // 2), MessageGroupId="g")["SequenceNumber"]
            for number in range(20)
        ]
        assert numbers[::2] == numbers[1::2] == sorted(numbers[::2])
        assert [message["Body"] for message in receive(sqs, url, 10)] == [str(number) for number in range(10)]

    def test_a_line_goes_on_after_its_first_was_dropped_by_hand(self, client: MakeClient, node: NodeInThread) -> None:
        sns, sqs = client("sns"), client("sqs")
        topic = sns.create_topic(Name="t.fifo", Attributes=FIFO)["TopicArn"]
        url, arn = queue(sqs, topic, "q.fifo", FifoQueue="true")
        subscription = sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
        )["SubscriptionArn"]
        # As it is when a person has dropped the work by hand: a line, and nobody at work on it.
        store, key = node.node.store, topic_key(topic)
        (topic_id,) = node.call(store.read(lambda reader: reader.query("SELECT id FROM sns_topics WHERE name = 't.fifo' AND account = ?", (key.account,))))[0]  # fmt: skip # noqa: E501
        first = Message("1", key, topic_id, "first", 1, group="g", deduplication="first")
        row = (*key, subscription.rpartition(":")[2], "g", 0, first.encode(), "sqs")
        statement = "INSERT INTO sns_lines VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        node.call(store.transact(lambda tx: tx.execute(statement, row)))
        sns.publish(TopicArn=topic, Message="second", MessageGroupId="g")
        assert [message["Body"] for message in receive(sqs, url, 2)] == ["first", "second"]

    def test_an_archive_is_replayed_to_a_late_subscriber(self, client: MakeClient) -> None:
        sns, sqs = client("sns"), client("sqs")
        attributes = {**FIFO, "ArchivePolicy": json.dumps({"MessageRetentionPeriod": "30"})}
        topic = sns.create_topic(Name="t.fifo", Attributes=attributes)["TopicArn"]
        for number in range(120):
            sns.publish(TopicArn=topic, Message=str(number), MessageGroupId=f"g{number % 2}")
        begun = sns.get_topic_attributes(TopicArn=topic)["Attributes"]["BeginningArchiveTime"]
        url, arn = queue(sqs, topic, "q.fifo", FifoQueue="true")
        replay = {"ReplayPolicy": json.dumps({"PointType": "Timestamp", "StartingPoint": begun})}
        subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=replay)["SubscriptionArn"]
        envelopes = [json.loads(message["Body"]) for message in receive(sqs, url, 120)]
        for group in (0, 1):
            numbers = [int(each["Message"]) for each in envelopes if int(each["Message"]) % 2 == group]
            assert numbers == list(range(group, 120, 2))
        assert {each["Replayed"] for each in envelopes} == {"true"}
        status = sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]["ReplayStatus"]
        assert status == "Completed"
        sns.publish(TopicArn=topic, Message="new", MessageGroupId="g0")
        assert "Replayed" not in json.loads(receive(sqs, url)[0]["Body"])

    def test_a_replay_with_an_end_is_all_that_a_subscriber_gets(self, client: MakeClient, advance: Advance) -> None:
        """https://docs.aws.amazon.com/sns/latest/dg/message-archiving-and-replay-subscriber.html"""
        sns, sqs = client("sns"), client("sqs")
        attributes = {**FIFO, "ArchivePolicy": json.dumps({"MessageRetentionPeriod": "1"})}
        topic = sns.create_topic(Name="t.fifo", Attributes=attributes)["TopicArn"]
        sns.publish(TopicArn=topic, Message="old", MessageGroupId="g")
        begun = sns.get_topic_attributes(TopicArn=topic)["Attributes"]["BeginningArchiveTime"]
        url, arn = queue(sqs, topic, "q.fifo", FifoQueue="true")
        advance(1)
        span = {"PointType": "Timestamp", "StartingPoint": begun, "EndingPoint": begun}
        raw = {"ReplayPolicy": json.dumps(span), "RawMessageDelivery": "true"}
        subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=raw)["SubscriptionArn"]
        sns.publish(TopicArn=topic, Message="not wanted", MessageGroupId="g")
        assert receive(sqs, url)[0]["Body"] == "old"
        sns.set_subscription_attributes(SubscriptionArn=subscription, AttributeName="ReplayPolicy", AttributeValue="")
        sns.publish(TopicArn=topic, Message="new", MessageGroupId="g")
        assert receive(sqs, url)[0]["Body"] == "new"

    def test_an_archive_protects_its_topic(self, client: MakeClient, advance: Advance) -> None:
        sns = client("sns")
        attributes = {**FIFO, "ArchivePolicy": json.dumps({"MessageRetentionPeriod": 1})}
        topic = sns.create_topic(Name="t.fifo", Attributes=attributes)["TopicArn"]
        sns.publish(TopicArn=topic, Message="old", MessageGroupId="g")
        old = sns.get_topic_attributes(TopicArn=topic)["Attributes"]["BeginningArchiveTime"]
        advance(2 * 86400)
        assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["BeginningArchiveTime"] > old
        with pytest.raises(ClientError, match="InvalidState"):
            sns.delete_topic(TopicArn=topic)
        sns.set_topic_attributes(TopicArn=topic, AttributeName="ArchivePolicy", AttributeValue="{}")
        sns.delete_topic(TopicArn=topic)


class TestTopics:
    def test_a_topic_that_is_not_there(self, client: MakeClient) -> None:
        sns = client("sns")
        arn = sns.create_topic(Name="t")["TopicArn"]
        sns.delete_topic(TopicArn=arn)
        with pytest.raises(ClientError) as raised:
            sns.publish(TopicArn=arn, Message="m")
        assert raised.value.response["Error"]["Code"] == "NotFound"
        assert sns.list_topics()["Topics"] == []

    def test_a_topic_of_another_partition(self, client: MakeClient) -> None:
        """Whoever asks for it by that name would pass policies that speak of the topic's own."""
        sns = client("sns")
        topic = sns.create_topic(Name="t")["TopicArn"]
        with pytest.raises(ClientError, match="Invalid parameter: TopicArn"):
            sns.publish(TopicArn=topic.replace("arn:aws:", "arn:aws-cn:"), Message="x")

    @pytest.mark.parametrize("topic", ["x\0", "x y", "", "x.fifo.fifo"])
    def test_a_subscription_of_no_topic(self, client: MakeClient, account: str, topic: str) -> None:
        arn = f"arn:aws:sns:us-east-1:{account}:{topic}:00000000-0000-0000-0000-000000000000"
        with pytest.raises(ClientError, match="Invalid parameter: SubscriptionArn"):
            client("sns").get_subscription_attributes(SubscriptionArn=arn)

    @pytest.mark.parametrize("token", ["AAAA", "%%%", "AB==C"])
    def test_tokens_that_nobody_gave_out(self, client: MakeClient, token: str) -> None:
        sns = client("sns")
        for call in (sns.list_topics, sns.list_subscriptions):
            with pytest.raises(ClientError, match="Invalid parameter: NextToken"):
                call(NextToken=token)

    @pytest.mark.parametrize(
        ("action", "is_one"),
        [
            ("SNS:Publish", True),
            ("sns:receive", True),
            (["sns:Publish", "SNS:GetTopicAttributes"], True),
            ("sns:*", True),
            ("sns:CreateTopic", False),
            ("sns:SetSubscriptionAttributes", False),
            ("sqs:SendMessage", False),
            (["sns:Publish", "sns:Nothing"], False),
        ],
    )
    def test_a_policy_speaks_of_what_is_done_to_a_topic(self, client: MakeClient, action: Any, is_one: bool) -> None:
        sns = client("sns")
        topic = sns.create_topic(Name="t")["TopicArn"]
        statement = {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": topic}
        policy = json.dumps({"Version": "2012-10-17", "Statement": statement})

        def put() -> None:
            sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)

        if is_one:
            put()
        else:
            with pytest.raises(ClientError, match="Policy statement action out of service scope!"):
                put()

    def test_creating_one_again_with_some_of_its_tags(self, client: MakeClient) -> None:
        sns = client("sns")
        both = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
        topic = sns.create_topic(Name="t", Tags=both)["TopicArn"]
        for tags in ([], both[:1], both[1:], both):
            assert sns.create_topic(Name="t", Tags=tags)["TopicArn"] == topic
        for other in ({"Key": "a", "Value": "2"}, {"Key": "c", "Value": "1"}):
            with pytest.raises(ClientError, match="Topic already exists with different tags"):
                sns.create_topic(Name="t", Tags=[other])

    @pytest.mark.parametrize("policy", ["{}", " {} ", "{ }"])
    def test_an_empty_filter_policy_filters_nothing(self, client: MakeClient, policy: str) -> None:
        sns, sqs = client("sns"), client("sqs")
        topic = sns.create_topic(Name="t")["TopicArn"]
        url, arn = queue(sqs, topic)
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"FilterPolicy": policy})
        sns.publish(TopicArn=topic, Message="to all")
        assert json.loads(receive(sqs, url)[0]["Body"])["Message"] == "to all"

    def test_the_same_asked_for_many_times_at_once(self, client: MakeClient, account: str) -> None:
        sns = client("sns", max_pool_connections=16)
        endpoint = f"arn:aws:sqs:us-east-1:{account}:q"
        policy = {"FilterPolicy": '{"a": ["b"]}'}

        def ask(number: int) -> tuple[str, str]:
            topic = str(sns.create_topic(Name="t")["TopicArn"])
            sns.tag_resource(ResourceArn=topic, Tags=[{"Key": f"k{number}", "Value": "v"}])
            answer = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=endpoint, Attributes=policy)
            return topic, str(answer["SubscriptionArn"])

        with ThreadPoolExecutor(16) as threads:
            [(topic, subscription)] = set(threads.map(ask, range(32)))
        assert len(sns.list_tags_for_resource(ResourceArn=topic)["Tags"]) == 32
        [found] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        assert found["SubscriptionArn"] == subscription
