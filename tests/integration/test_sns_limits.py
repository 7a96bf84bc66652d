"""Topics at their limits, and one past them."""

import pytest
from botocore.exceptions import ClientError

from tests.integration.test_sns import FIFO, queue, receive
from tests.support.nodes import MakeClient


class TestLargeMessages:
    """https://docs.aws.amazon.com/sns/latest/dg/large-message-payloads.html"""

    def test_a_topic_may_take_a_mebibyte(self, client: MakeClient) -> None:
        sns, sqs = client("sns"), client("sqs")
        topic = sns.create_topic(Name="t", Attributes={"MaximumMessageSize": "1048576"})["TopicArn"]
        assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["MaximumMessageSize"] == "1048576"
        url, arn = queue(sqs, topic)
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
        for size in (1_048_576, 262_145):
            sns.publish(TopicArn=topic, Message="x" * size)
            assert len(receive(sqs, url)[0]["Body"]) == size
        with pytest.raises(ClientError, match="Invalid parameter: Message too long"):
            sns.publish(TopicArn=topic, Message="x" * 1_048_577)
        entries = [{"Id": name, "Message": "x" * 524_288} for name in "ab"]
        assert len(sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)["Successful"]) == 2
        entries[0]["Message"] += "x"
        with pytest.raises(ClientError, match="BatchRequestTooLong"):
            sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)

    def test_a_topic_may_take_less(self, client: MakeClient) -> None:
        sns = client("sns")
        topic = sns.create_topic(Name="t")["TopicArn"]
        assert "MaximumMessageSize" not in sns.get_topic_attributes(TopicArn=topic)["Attributes"]
        sns.set_topic_attributes(TopicArn=topic, AttributeName="MaximumMessageSize", AttributeValue="1024")
        sns.publish(TopicArn=topic, Message="x" * 1024)
        with pytest.raises(ClientError, match="Invalid parameter: Message too long"):
            sns.publish(TopicArn=topic, Message="x" * 1025)

    @pytest.mark.parametrize("value", ["", "x", "1023", "1048577", "-1", "1e4", "١٠٢٤"])
    def test_sizes_that_cannot_be(self, client: MakeClient, value: str) -> None:
        sns = client("sns")
        with pytest.raises(ClientError, match="Invalid parameter: Attributes Reason: MaximumMessageSize"):
            sns.create_topic(Name="t", Attributes={"MaximumMessageSize": value})

    def test_only_queues_and_functions_subscribe(self, client: MakeClient) -> None:
        sns = client("sns")
        topic = sns.create_topic(Name="t")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint="http://127.0.0.1:9/", ReturnSubscriptionArn=True)
        with pytest.raises(ClientError, match="the topic has http subscriptions"):
            sns.set_topic_attributes(TopicArn=topic, AttributeName="MaximumMessageSize", AttributeValue="262145")
        sns.set_topic_attributes(TopicArn=topic, AttributeName="MaximumMessageSize", AttributeValue="262144")
        large = sns.create_topic(Name="large", Attributes={"MaximumMessageSize": "262145"})["TopicArn"]
        with pytest.raises(ClientError, match="http subscriptions are not supported"):
            sns.subscribe(TopicArn=large, Protocol="http", Endpoint="http://127.0.0.1:9/")


class TestLimits:
    """https://docs.aws.amazon.com/general/latest/gr/sns.html"""

    def test_a_fifo_topic_has_100_subscriptions(self, client: MakeClient, account: str) -> None:
        sns = client("sns")
        topic = sns.create_topic(Name="t.fifo", Attributes=FIFO)["TopicArn"]
        for number in range(100):
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:{account}:q{number}")
        with pytest.raises(ClientError, match="SubscriptionLimitExceeded"):
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:{account}:q100")
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:{account}:q99")

    def test_a_topic_has_200_filter_policies(self, client: MakeClient, account: str) -> None:
        sns = client("sns")
        topic = sns.create_topic(Name="t")["TopicArn"]
        policy = {"FilterPolicy": '{"a": ["b"]}'}

        def subscribe(number: int, **attributes: str) -> str:
            arn = f"arn:aws:sqs:us-east-1:{account}:q{number}"
            answer = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
            return str(answer["SubscriptionArn"])

        made = [subscribe(number, **policy) for number in range(200)]
        with pytest.raises(ClientError, match="FilterPolicyLimitExceeded"):
            subscribe(200, **policy)
        without = subscribe(200)
        with pytest.raises(ClientError, match="FilterPolicyLimitExceeded"):
            sns.set_subscription_attributes(
                SubscriptionArn=without, AttributeName="FilterPolicy", AttributeValue=policy["FilterPolicy"]
            )
        sns.set_subscription_attributes(SubscriptionArn=made[0], AttributeName="FilterPolicy", AttributeValue="{}")
        sns.set_subscription_attributes(
            SubscriptionArn=without, AttributeName="FilterPolicy", AttributeValue=policy["FilterPolicy"]
        )

    def test_permissions_make_no_policy_larger_than_30_kib(self, client: MakeClient, account: str) -> None:
        sns = client("sns")
        topic = sns.create_topic(Name="t")["TopicArn"]
        many = [f"{number:012d}" for number in range(300)]
        for label in "abc":
            sns.add_permission(TopicArn=topic, Label=label, AWSAccountId=many[:150], ActionName=["Publish"])
        with pytest.raises(ClientError, match="the policy is too large"):
            sns.add_permission(TopicArn=topic, Label="d", AWSAccountId=many * 2, ActionName=["Publish"])
        sns.add_permission(TopicArn=topic, Label="d", AWSAccountId=[account], ActionName=["Publish"])
