"""The metrics of topics. https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html"""

import json
from typing import Any

import pytest

from tests.integration.test_sns import FIFO, Advance, queue, receive
from tests.support.nodes import MakeClient, control


def sums(client: MakeClient, endpoint: str, advance: Advance, topic: str = "t") -> dict[str, float]:
    """All metrics of a topic so far; of PublishSize the largest."""
    advance(1)
    now, cloudwatch = control(endpoint, "clock")["now"], client("cloudwatch")
    dimensions = [{"Name": "TopicName", "Value": topic}]
    names = cloudwatch.list_metrics(Namespace="AWS/SNS", Dimensions=dimensions)["Metrics"]
    found: dict[str, float] = {}
    for name in {metric["MetricName"] for metric in names}:
        statistic = "Maximum" if name == "PublishSize" else "Sum"
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/SNS",
            MetricName=name,
            Dimensions=dimensions,
            StartTime=now - 86_400,
            EndTime=now + 86_400,
            Period=86_400,
            Statistics=[statistic],
            Unit="Bytes" if name == "PublishSize" else "Count",
        )["Datapoints"]
        found[name] = sum(point[statistic] for point in points)
    return found


def test_what_is_published_delivered_and_filtered_out(client: MakeClient, endpoint: str, advance: Advance) -> None:
    sns, sqs = client("sns"), client("sqs")
    topic = sns.create_topic(Name="t")["TopicArn"]
    url, arn = queue(sqs, topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    other, by_attribute = queue(sqs, topic, "by-attribute")
    policy = {"FilterPolicy": '{"kind": ["a"]}'}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=by_attribute, Attributes=policy)
    _, by_body = queue(sqs, topic, "by-body")
    policy["FilterPolicyScope"] = "MessageBody"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=by_body, Attributes=policy)

    def kind(value: str, data_type: str = "String") -> dict[str, Any]:
        return {"MessageAttributes": {"kind": {"DataType": data_type, "StringValue": value}}}

    sns.publish(TopicArn=topic, Message='{"kind": "b"}', **kind("a"))
    sns.publish(TopicArn=topic, Message="no JSON")
    sns.publish(TopicArn=topic, Message='{"kind": "a"}', **kind("b"))
    entries = [{"Id": "a", "Message": "x" * 100, **kind("no JSON", "String.Array")}, {"Id": "b", "Message": ""}]
    sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    receive(sqs, url, 4)
    receive(sqs, other, 1)
    assert sums(client, endpoint, advance) == {
        "NumberOfMessagesPublished": 4,
        "PublishSize": 100 + len("kind") + len("String.Array") + len("no JSON"),
        "NumberOfNotificationsDelivered": 6,
        "NumberOfNotificationsFilteredOut": 6,
        "NumberOfNotificationsFilteredOut-MessageAttributes": 3,
        "NumberOfNotificationsFilteredOut-NoMessageAttributes": 1,
        "NumberOfNotificationsFilteredOut-InvalidAttributes": 1,
        "NumberOfNotificationsFilteredOut-MessageBody": 3,
        "NumberOfNotificationsFilteredOut-InvalidMessageBody": 2,
    }


@pytest.mark.parametrize("kind", ["standard", "fifo"])
def test_what_fails_and_where_it_goes(
    client: MakeClient, endpoint: str, advance: Advance, account: str, kind: str
) -> None:
    sns, sqs = client("sns"), client("sqs")
    suffix, attributes = (".fifo", FIFO) if kind == "fifo" else ("", {})
    topic = sns.create_topic(Name=f"t{suffix}", Attributes=attributes)["TopicArn"]
    queue_attributes = {"FifoQueue": "true"} if suffix else {}
    url, dead = queue(sqs, topic, f"dead{suffix}", **queue_attributes)
    gone = f"arn:aws:sqs:us-east-1:{account}:gone"
    for number, letters in enumerate((dead, f"{gone}-too{suffix}")):
        redrive = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": letters})}
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"{gone}{number}{suffix}", Attributes=redrive)
    sns.publish(TopicArn=topic, Message="x", **({"MessageGroupId": "g"} if suffix else {}))
    receive(sqs, url)
    assert sums(client, endpoint, advance, f"t{suffix}") == {
        "NumberOfMessagesPublished": 1,
        "PublishSize": 1,
        "NumberOfNotificationsFailed": 2,
        "NumberOfNotificationsRedrivenToDlq": 1,
        "NumberOfNotificationsFailedToRedriveToDlq": 1,
    }
