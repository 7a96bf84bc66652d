"""Who may do what with a topic, and with what it sends to: policies, accounts, roles of the platform."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.iam.requirements import action_of, requirements
from tests.integration.test_sns import queue, receive
from tests.support.functions import create_function
from tests.support.nodes import MakeClient, fresh_account


def refused(call: Any, code: str, **params: Any) -> None:
    with pytest.raises(ClientError) as raised:
        call(**params)
    assert raised.value.response["Error"]["Code"] == code


def test_another_account_publishes_once_it_is_allowed(client: MakeClient, account: str) -> None:
    other = fresh_account()
    ours, theirs = client("sns"), client("sns", account=other)
    topic = ours.create_topic(Name="t")["TopicArn"]
    refused(theirs.publish, "AuthorizationError", TopicArn=topic, Message="m")
    ours.add_permission(TopicArn=topic, Label="them", AWSAccountId=[other], ActionName=["Publish"])
    assert theirs.publish(TopicArn=topic, Message="m")["MessageId"]
    refused(theirs.get_topic_attributes, "AuthorizationError", TopicArn=topic)
    ours.remove_permission(TopicArn=topic, Label="them")
    refused(theirs.publish, "AuthorizationError", TopicArn=topic, Message="m")


def test_another_accounts_queue_is_confirmed_by_its_owner(client: MakeClient) -> None:
    other = fresh_account()
    sns, sqs = client("sns"), client("sqs", account=other)
    topic = sns.create_topic(Name="t")["TopicArn"]
    url, arn = queue(sqs, topic)
    answer = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    assert answer["SubscriptionArn"] == "pending confirmation"
    asked = json.loads(receive(sqs, url)[0]["Body"])
    assert asked["Type"] == "SubscriptionConfirmation"
    sns.confirm_subscription(TopicArn=topic, Token=asked["Token"])
    sns.publish(TopicArn=topic, Message="m")
    assert json.loads(receive(sqs, url)[0]["Body"])["Message"] == "m"


def test_who_subscribes_an_own_queue_need_not_confirm(client: MakeClient) -> None:
    other = fresh_account()
    ours, theirs, sqs = client("sns"), client("sns", account=other), client("sqs", account=other)
    topic = ours.create_topic(Name="t")["TopicArn"]
    ours.add_permission(TopicArn=topic, Label="them", AWSAccountId=[other], ActionName=["Subscribe"])
    _, arn = queue(sqs, topic)
    subscription = theirs.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    assert subscription.startswith(topic)
    [listed] = theirs.list_subscriptions()["Subscriptions"]
    assert (listed["SubscriptionArn"], listed["Owner"]) == (subscription, other)
    assert ours.list_subscriptions()["Subscriptions"] == []
    stranger = client("sns", account=fresh_account())
    refused(stranger.get_subscription_attributes, "AuthorizationError", SubscriptionArn=subscription)
    refused(stranger.unsubscribe, "AuthorizationError", SubscriptionArn=subscription)
    ours.unsubscribe(SubscriptionArn=subscription)
    assert theirs.list_subscriptions()["Subscriptions"] == []


def test_a_queue_may_let_one_topic_in_and_no_other(client: MakeClient) -> None:
    sns, sqs = client("sns"), client("sqs")
    allowed = sns.create_topic(Name="allowed")["TopicArn"]
    other = sns.create_topic(Name="other")["TopicArn"]
    url, arn = queue(sqs, allowed)
    dead, dead_arn = queue(sqs, other, "dead")
    for topic in (allowed, other):
        attributes = {"RawMessageDelivery": "true"}
        if topic == other:
            attributes["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": dead_arn})
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
    sns.publish(TopicArn=other, Message="stranger")
    assert receive(sqs, dead)[0]["Body"] == "stranger"
    sns.publish(TopicArn=allowed, Message="friend")
    assert receive(sqs, url)[0]["Body"] == "friend"


def test_a_function_of_another_account_is_invoked(client: MakeClient, advance: Callable[[float], None]) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sns-create-package.html: across accounts."""
    owner, other = client("sns"), fresh_account()
    functions, logs, theirs = (client(service, account=other) for service in ("lambda", "logs", "sns"))
    topic = owner.create_topic(Name="t")["TopicArn"]
    owner.add_permission(TopicArn=topic, Label="theirs", AWSAccountId=[other], ActionName=["Subscribe"])
    source = "def handler(event, context):\n    print(event['Records'][0]['Sns']['Message'])\n"
    arn = create_function(functions, "theirs", source)["FunctionArn"]
    subscription = theirs.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)["SubscriptionArn"]
    assert subscription.startswith(topic)
    owner.publish(TopicArn=topic, Message="nobody has allowed this")
    advance(0)
    functions.add_permission(
        FunctionName="theirs",
        StatementId="s",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=topic,
        SourceAccount=topic.split(":")[4],
    )
    owner.publish(TopicArn=topic, Message="across accounts")
    advance(0)
    events = logs.filter_log_events(logGroupName="/aws/lambda/theirs")["events"]
    told = [event["message"].strip() for event in events if event["message"][0] in "na"]
    assert told == ["across accounts"]


@pytest.mark.parametrize("everybody", ["*", {"AWS": "*"}])
def test_a_queue_may_let_in_everybody_who_comes_for_a_topic(client: MakeClient, everybody: Any) -> None:
    sns, sqs = client("sns"), client("sqs")
    topic, other = (sns.create_topic(Name=name)["TopicArn"] for name in ("allowed", "other"))
    url, arn = queue(sqs, topic)
    is_topic = {"ArnLike": {"aws:SourceArn": topic.replace("us-east-1", "*")}}
    statements = [
        {
            "Effect": "Allow",
            "Principal": everybody,
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": is_topic,
        },
        # What infrastructure tools add to every queue: services do not come without TLS.
        {
            "Effect": "Deny",
            "Principal": everybody,
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    for each in (other, topic):
        sns.subscribe(TopicArn=each, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
        sns.publish(TopicArn=each, Message=each)
    assert receive(sqs, url)[0]["Body"] == topic


def test_what_a_user_may_depends_on_protocol_and_endpoint(client: MakeClient, account: str) -> None:
    iam, sns = client("iam"), client("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    statement = {
        "Effect": "Allow",
        "Action": "sns:Subscribe",
        "Resource": topic,
        "Condition": {"StringEquals": {"sns:Protocol": "sqs"}, "StringLike": {"sns:Endpoint": f"*:{account}:*"}},
    }
    iam.create_user(UserName="u")
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName="u")["AccessKey"]
    user = client("sns", keys=(key["AccessKeyId"], key["SecretAccessKey"]))
    own = f"arn:aws:sqs:us-east-1:{account}:q"
    assert user.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=own)["SubscriptionArn"]
    refused(
        user.subscribe, "AuthorizationError", TopicArn=topic, Protocol="sqs", Endpoint=own.replace(account, "1" * 12)
    )
    refused(user.subscribe, "AuthorizationError", TopicArn=topic, Protocol="http", Endpoint="http://127.0.0.1:1")
    refused(user.publish, "AuthorizationError", TopicArn=topic, Message=topic)


def test_a_message_that_is_an_arn_names_no_resource() -> None:
    from cloudlet.iam.principals import Principal, RequestContext

    found = action_of("sns", "Publish")
    assert found is not None
    context = RequestContext(Principal.root("000000000000"), "us-east-1", "r", "sns", "Publish")
    topic = "arn:aws:sns:us-east-1:000000000000:t"
    params = {"TopicArn": topic, "Message": topic.replace(":t", ":other")}
    [needed] = requirements(context, found, params, None)  # type: ignore[arg-type]
    assert needed.resource == (topic,)


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("publish", {"PhoneNumber": "+4912345678", "Message": "m"}),
        ("get_sms_attributes", {}),
        ("list_platform_applications", {}),
    ],
)
def test_what_there_is_not_says_so(client: MakeClient, operation: str, params: Any) -> None:
    refused(getattr(client("sns"), operation), "NotImplemented", **params)


def test_endpoints_that_nobody_serves_are_refused(client: MakeClient, account: str) -> None:
    sns = client("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    for protocol, endpoint in (
        ("sms", "+4912345678"),
        ("firehose", f"arn:aws:firehose:us-east-1:{account}:deliverystream/s"),
        ("email", "you@cloudlet.test"),
    ):
        refused(sns.subscribe, "NotImplemented", TopicArn=topic, Protocol=protocol, Endpoint=endpoint)
    for protocol, endpoint in (("http", "https://x"), ("email", "nobody"), ("lambda", "f"), ("sqs", "q"), ("http", "")):
        refused(sns.subscribe, "InvalidParameter", TopicArn=topic, Protocol=protocol, Endpoint=endpoint)
