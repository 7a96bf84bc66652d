"""SNS answers as the real one did, wherever it was recorded.

The recordings are LocalStack's (Apache-2.0); what each step called is told by its tests of the same names. Those about
SMS and mobile push are left out: Cloudlet has neither, and says so.
"""

import itertools
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.functions import package
from tests.support.iam_world import trust
from tests.support.nodes import Clients, NodeInThread
from tests.support.recordings import Check, Comparison, Replays, answer_of
from tests.support.web_endpoint import web_endpoint

ACCOUNT = "111111111111"
RECORDED = Replays("sns")
pytestmark = RECORDED.is_here
FIFO = {"FifoTopic": "true"}
RAW = {"RawMessageDelivery": "true"}
ALLOW_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
ATTRIBUTE = {"attr1": {"DataType": "Number", "StringValue": "1"}}
_EACH_TIME = re.compile(r'"(<md5-hash>|<signature>|date)"')
"""What stands for something else wherever it occurs."""


@pytest.fixture(scope="module")
def keys(node: NodeInThread) -> tuple[str, str]:
    """Those of a user, as the recordings were made by one."""
    clients = Clients(ACCOUNT)
    iam = clients.make(node.endpoint, "iam")
    iam.create_user(UserName="recorder")
    iam.put_user_policy(UserName="recorder", PolicyName="all", PolicyDocument=json.dumps(ALLOW_ALL))
    key = iam.create_access_key(UserName="recorder")["AccessKey"]
    clients.close()
    return key["AccessKeyId"], key["SecretAccessKey"]


@pytest.fixture
def make(node: NodeInThread, keys: tuple[str, str]) -> Iterator[Callable[..., Any]]:
    clients = Clients(ACCOUNT)
    yield lambda service, **options: clients.make(
        node.endpoint, service, keys=keys, parameter_validation=False, **options
    )
    clients.close()


@pytest.fixture
def sns(make: Callable[..., Any]) -> Any:
    return make("sns")


@pytest.fixture
def sqs(make: Callable[..., Any]) -> Any:
    return make("sqs")


@pytest.fixture
def check(request: pytest.FixtureRequest) -> Check:
    answers, comparison, numbers = RECORDED.of(request), Comparison(), itertools.count()

    def check_step(step: str, answer: Any) -> None:
        text = _EACH_TIME.sub(lambda match: f'"<each:{next(numbers)}>"', json.dumps(answers[step]))
        comparison.check(_plain(json.loads(text)), _plain(answer))

    return check_step


def _plain(answer: Any) -> Any:
    """Without what only the recording or this client adds; times as numbers."""
    if isinstance(answer, list):
        return [_plain(each) for each in answer]
    if not isinstance(answer, dict):
        return answer
    plain: dict[str, Any] = {}
    for key, value in answer.items():
        if key == "ResponseMetadata":
            plain[key] = {"HTTPStatusCode": value["HTTPStatusCode"]}
        elif key in ("SentTimestamp", "ApproximateFirstReceiveTimestamp") and value.isdigit():
            plain[key] = int(value)
        elif key != "_normalized":
            plain[key] = _plain(value)
    return plain


def name_of(request: pytest.FixtureRequest, suffix: str = "") -> str:
    return "".join(c if c.isalnum() else "-" for c in request.node.name)[-60:] + suffix


def make_queue(sqs: Any, name: str, **attributes: str) -> tuple[str, str]:
    """A queue that SNS may send to: its URL and its ARN."""
    url = str(sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])
    arn = str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])
    statement = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "*", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return url, arn


def receive(sqs: Any, url: str, count: int = 1, *, whole: bool = False) -> dict[str, Any]:
    """An answer with so many messages, which are deleted."""
    names = {"AttributeNames": ["All"], "MessageAttributeNames": ["All"]} if whole else {}
    answer: dict[str, Any] = {"Messages": []}
    while len(answer["Messages"]) < count:
        got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=10, **names)
        assert "Messages" in got
        answer = {**got, "Messages": answer["Messages"] + got["Messages"]}
        for message in got["Messages"]:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return answer


def nothing(sqs: Any, url: str) -> dict[str, Any]:
    return dict(sqs.receive_message(QueueUrl=url))


@pytest.fixture
def topic(sns: Any, request: pytest.FixtureRequest) -> str:
    return str(sns.create_topic(Name=name_of(request))["TopicArn"])


@pytest.fixture
def queue(sqs: Any, request: pytest.FixtureRequest) -> tuple[str, str]:
    return make_queue(sqs, name_of(request))


def subscribe(sns: Any, topic: str, queue: tuple[str, str], **attributes: str) -> str:
    return str(
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue[1], Attributes=attributes)["SubscriptionArn"]
    )


def set_filter(sns: Any, subscription: str, policy: Any) -> Any:
    text = policy if isinstance(policy, str) else json.dumps(policy)
    return answer_of(
        sns.set_subscription_attributes,
        SubscriptionArn=subscription,
        AttributeName="FilterPolicy",
        AttributeValue=text,
    )


class Messages:
    """Publishes until a message arrives: what a filter lets through is behind what it holds back."""

    def __init__(self, node: NodeInThread) -> None:
        self._node = node

    def settled(self) -> None:
        """Return when nothing is on its way."""
        self._node.call(self._node.node._engine.idle())


@pytest.fixture
def messages(node: NodeInThread) -> Messages:
    return Messages(node)


def number(**values: str) -> dict[str, Any]:
    return {name: {"DataType": "Number", "StringValue": value} for name, value in values.items()}


@RECORDED.by("TestSNSFilterPolicyAttributes::test_exists_filter_policy")
def test_exists(sns: Any, sqs: Any, topic: str, queue: tuple[str, str], messages: Messages, check: Check) -> None:
    arn = subscribe(sns, topic, queue)
    set_filter(sns, arn, {"store": [{"exists": True}]})
    check("subscription-attributes-policy-1", sns.get_subscription_attributes(SubscriptionArn=arn))
    check("messages-0", nothing(sqs, queue[0]))
    sns.publish(TopicArn=topic, Message="message-1", MessageAttributes=number(store="99", **{"def": "99"}))
    check("messages-1", received := receive(sqs, queue[0]))
    sns.publish(TopicArn=topic, Message="message-2", MessageAttributes=number(attr1="111"))
    messages.settled()
    assert "Messages" not in nothing(sqs, queue[0])
    assert json.loads(received["Messages"][0]["Body"])["Message"] == "message-1"
    set_filter(sns, arn, {"store": [{"exists": False}]})
    check("subscription-attributes-policy-2", sns.get_subscription_attributes(SubscriptionArn=arn))
    sns.publish(TopicArn=topic, Message="message-3", MessageAttributes=number(**{"def": "99"}))
    check("messages-3", receive(sqs, queue[0]))


@RECORDED.by("TestSNSFilterPolicyAttributes::test_exists_filter_policy_attributes_array")
def test_arrays(sns: Any, sqs: Any, topic: str, queue: tuple[str, str], messages: Messages, check: Check) -> None:
    arn = subscribe(sns, topic, queue, **RAW)
    set_filter(sns, arn, {"store": ["value1"]})
    check("subscription-attributes-policy", sns.get_subscription_attributes(SubscriptionArn=arn))
    check("messages-init", nothing(sqs, queue[0]))
    for step, (data_type, value) in enumerate(
        (("String", "value1"), ("String.Array", '["value1", "value2"]'), ("String.Array", '["value2"]')), 1
    ):
        attributes = {"store": {"DataType": data_type, "StringValue": value}}
        sns.publish(TopicArn=topic, Message=f"message-{step}", MessageAttributes=attributes)
        messages.settled()
        check(f"messages-{step}", receive(sqs, queue[0]) if step < 3 else nothing(sqs, queue[0]))


@RECORDED.by("TestSNSFilterPolicyBody::test_filter_policy_on_message_body_array_attributes")
def test_arrays_in_bodies(sns: Any, sqs: Any, topic: str, request: pytest.FixtureRequest, messages: Messages, check: Check) -> None:  # fmt: skip # noqa: E501
    queues = [make_queue(sqs, name_of(request, str(each))) for each in range(2)]
    for each, made in enumerate(queues):
        policy = json.dumps({"headers": {"route-to": [f"queue{each + 1}"]}})
        subscribe(sns, topic, made, **RAW, FilterPolicyScope="MessageBody", FilterPolicy=policy)
    for route in (["queue1", "queue2"], ["queue1"], ["queue2"], ["queue3"]):
        sns.publish(TopicArn=topic, Message=json.dumps({"headers": {"route-to": route}}))
        messages.settled()
    for each, made in enumerate(queues):
        received = receive(sqs, made[0], 2, whole=True)
        check(f"messages-queue-{each}", {"Messages": received["Messages"]})


@RECORDED.by("TestSNSFilterPolicyBody::test_filter_policy_on_message_body_array_of_object_attributes")
def test_objects_in_arrays(sns: Any, sqs: Any, topic: str, queue: tuple[str, str], messages: Messages, check: Check) -> None:  # fmt: skip # noqa: E501
    policy = {
        "Records": {"s3": {"object": {"key": [{"prefix": "auto-"}]}}, "eventName": [{"prefix": "ObjectCreated:"}]}
    }
    subscribe(sns, topic, queue, **RAW, FilterPolicyScope="MessageBody", FilterPolicy=json.dumps(policy))
    answers = RECORDED.answers["TestSNSFilterPolicyBody::test_filter_policy_on_message_body_array_of_object_attributes"]
    text = json.dumps([message["Body"] for message in answers["messages"]["Messages"]])
    wanted = json.loads(text.replace("<partition>", "aws").replace("<resource:1>", "bucket"))
    unwanted = {
        "Records": [
            {"eventName": "ObjectRemoved:Delete", "s3": {"object": {"key": "auto-1.xml"}}},
            {"eventName": "ObjectCreated:Put", "s3": {"object": {"key": "home-1.xml"}}},
        ]
    }
    for body in (wanted[0], unwanted, wanted[1]):
        sns.publish(TopicArn=topic, Message=json.dumps(body))
        messages.settled()
    received = receive(sqs, queue[0], 2, whole=True)
    assert [json.loads(message["Body"]) for message in received["Messages"]] == wanted
    check("messages", {"Messages": received["Messages"]})


@RECORDED.by("TestSNSFilterPolicyBody::test_filter_policy_on_message_body_dot_attribute")
def test_dots_in_names(sns: Any, sqs: Any, topic: str, queue: tuple[str, str], messages: Messages, check: Check) -> None:  # fmt: skip # noqa: E501
    arn = subscribe(sns, topic, queue)
    sns.set_subscription_attributes(
        SubscriptionArn=arn, AttributeName="FilterPolicyScope", AttributeValue="MessageBody"
    )
    check("recv-init", nothing(sqs, queue[0]))
    for policy, prefix, bodies in (
        (
            {"object.nested": ["string.value"]},
            "recv-nested-msg",
            ({"object": {"nested": "string.value"}}, {"object.nested": "string.value"}),
        ),
        (
            {"object.nested.test": ["string.value"]},
            "recv-deep-nested-msg",
            (
                {"object": {"nested": {"test": "string.value"}}},
                {"object.nested.test": "string.value"},
                {"object.nested": {"test": "string.value"}},
                {"object": {"nested.test": "string.value"}},
            ),
        ),
    ):
        set_filter(sns, arn, policy)
        for each, body in enumerate(bodies):
            sns.publish(TopicArn=topic, Message=json.dumps(body))
            check(f"{prefix}-{each}", receive(sqs, queue[0]))


@RECORDED.by("TestSNSFilterPolicyConditions::test_policy_complexity")
def test_complexity(sns: Any, topic: str, queue: tuple[str, str], check: Check) -> None:
    def attempt(policy: Any) -> Any:
        attributes = {"FilterPolicy": json.dumps(policy)}
        return answer_of(sns.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=queue[1], Attributes=attributes)

    values = [f"value{number}" for number in range(152)]
    check("error-complexity-in-one-condition", attempt({"key_a": values[:151]}))
    check("error-complexity-in-two-conditions", attempt({"key_a": values[:51], "key_b": values[:3]}))
    check("error-complexity-too-many-fields", attempt({f"key_{each}": ["value"] for each in "abcdef"}))
    assert "SubscriptionArn" in attempt({"key_a": values[:50], "key_b": values[:3]})


@RECORDED.by("TestSNSFilterPolicyConditions::test_policy_complexity_with_or")
def test_complexity_with_or(sns: Any, topic: str, queue: tuple[str, str], check: Check) -> None:
    arn = subscribe(sns, topic, queue)

    def attempt(policy: Any) -> Any:
        attributes = {"FilterPolicy": json.dumps(policy), "FilterPolicyScope": "MessageBody"}
        endpoint = f"{queue[1]}-2"
        return answer_of(sns.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=endpoint, Attributes=attributes)

    values = [str(number) for number in range(100)]
    flat = {"$or": [{"a": values[:75]}, {"b": values[:76]}]}
    nested = {"x": {"$or": [{"a": values[:38]}, {"b": values[:38]}]}}
    check("error-complexity-or-flat", attempt(flat))
    check("error-complexity-or-nested", attempt(nested))
    assert "Error" not in set_filter(sns, arn, {"$or": [{"a": values[:75]}, {"b": values[:75]}]})


@RECORDED.by("TestSNSFilterPolicyConditions::test_validate_policy_string_operators")
def test_operators_of_texts(sns: Any, topic: str, queue: tuple[str, str], check: Check) -> None:
    for step, condition in (
        ("is-numeric", [{"suffix": 100}]),
        ("is-none", [{"suffix": None}]),
        ("is-not-list-and-operator", {"suffix": "value"}),
        ("is-not-list-and-no-operator", {"not-an-operator": "value"}),
        ("is-not-list-two-ops", {"suffix": "value", "prefix": "value"}),
        ("empty-array", []),
        ("list-wrong-type", [{"suffix": ["test", "test2"]}]),
        ("empty-list", [{"suffix": []}]),
        ("bad-type", [{"cidr": ["bad-filter"]}]),
        ("bad-cidr-str", [{"cidr": "bad-filter"}]),
        ("bad-cidr-str-slash", [{"cidr": "bad-filter/64"}]),
        ("bad-cidr-str-slash-2", [{"cidr": "bad-filter/bad"}]),
        ("bad-cidr-v4", [{"cidr": "xx.11.xx/8"}]),
        ("bad-cidr-v6", [{"cidr": "xxxx:db8:1234:1a00::/64"}]),
    ):
        text = json.dumps({"key": condition}, separators=(",", ":"))
        attributes = {"FilterPolicy": text}
        answer = answer_of(sns.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=queue[1], Attributes=attributes)
        check(f"error-condition-{step}", answer)


@RECORDED.by("TestSNSFilterPolicyCrud::test_sub_filter_policy_nested_property")
def test_nested_policies(sns: Any, topic: str, queue: tuple[str, str], check: Check) -> None:
    arn = subscribe(sns, topic, queue)
    nested = {"object": {"key": [{"prefix": "auto-"}]}}
    check("sub-filter-policy-nested-error", set_filter(sns, arn, nested))
    sns.set_subscription_attributes(
        SubscriptionArn=arn, AttributeName="FilterPolicyScope", AttributeValue="MessageBody"
    )
    set_filter(sns, arn, nested)
    check("sub-attrs-after-setting-nested-policy", sns.get_subscription_attributes(SubscriptionArn=arn))


@RECORDED.by("TestSNSFilterPolicyCrud::test_sub_filter_policy_nested_property_constraints")
def test_limits_of_nested_policies(sns: Any, topic: str, queue: tuple[str, str], check: Check) -> None:
    arn = subscribe(sns, topic, queue, FilterPolicyScope="MessageBody")
    values = ["value_one", "value_two", "value_three", "value_four"]
    nested = {"key_a": {"key_b": {"key_c": values}}, "key_d": {"key_e": values[:3]}, "key_f": values[:3]}
    check("sub-filter-policy-nested-error-too-many-combinations", set_filter(sns, arn, nested))
    flat = {f"key_{each}": ["value_one"] for each in "abcdef"}
    check("sub-filter-policy-max-attr-keys", set_filter(sns, arn, flat))
    check("sub-filter-policy-rule-no-list", set_filter(sns, arn, '{"key_a":"value_one"}'))


@RECORDED.by("TestSNSPublishCrud::test_empty_sns_message")
def test_an_empty_message(sns: Any, sqs: Any, topic: str, queue: tuple[str, str], check: Check) -> None:
    subscribe(sns, topic, queue)
    check("empty-msg-error", answer_of(sns.publish, TopicArn=topic, Message=""))
    names = ["ApproximateNumberOfMessages"]
    check("queue-attrs", sqs.get_queue_attributes(QueueUrl=queue[0], AttributeNames=names))


@RECORDED.by("TestSNSPublishCrud::test_message_structure_json_exc")
def test_message_structures(sns: Any, topic: str, check: Check) -> None:
    for step, text in (
        ("invalid-json", '{"default": "This is the default}'),
        ("duplicate-json-keys", '{"default": "a", "default": "b"}'),
        ("missing-default-key", '{"sqs": "x"}'),
        ("key-is-not-string", '{"default": {"object": "test"}}'),
    ):
        check(step, answer_of(sns.publish, TopicArn=topic, Message=text, MessageStructure="json"))


@RECORDED.by("TestSNSPublishCrud::test_publish_message_by_target_arn")
def test_a_target_is_a_topic(sns: Any, sqs: Any, topic: str, queue: tuple[str, str], check: Check) -> None:
    subscribe(sns, topic, queue)
    sns.publish(TopicArn=topic, Message="test-msg-1")
    check("receive-topic-arn", receive(sqs, queue[0]))
    sns.publish(TargetArn=topic, Message="test-msg-2")
    check("receive-target-arn", receive(sqs, queue[0]))


@RECORDED.by("TestSNSPublishCrud::test_publish_non_existent_target")
def test_no_endpoint(sns: Any, check: Check) -> None:
    target = f"arn:aws:sns:us-east-1:{ACCOUNT}:endpoint/APNS/abcdef/0f7d5971-aa8b-4bd5-b585-0826e9f93a66"
    check("non-existent-endpoint", answer_of(sns.publish, TargetArn=target, Message="This is a push notification"))


@RECORDED.by("TestSNSPublishCrud::test_topic_publish_another_region")
def test_another_regions_topic(make: Callable[..., Any], request: pytest.FixtureRequest, check: Check) -> None:
    there, here = make("sns", region="eu-central-1"), make("sns")
    arn = there.create_topic(Name=name_of(request))["TopicArn"]
    check("success", there.publish(TopicArn=arn, Message="hello world"))
    check("error", answer_of(here.publish, TopicArn=arn, Message="hello world"))
    entries = [{"Id": "1", "Message": "hello-world"}]
    check("error-batch", answer_of(here.publish_batch, TopicArn=arn, PublishBatchRequestEntries=entries))


@RECORDED.by("TestSNSSubscriptionCrud::test_not_found_error_on_set_subscription_attributes")
def test_a_subscription_that_is_gone(sns: Any, topic: str, queue: tuple[str, str], check: Check) -> None:
    made = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue[1])
    check("sub", made)
    arn = made["SubscriptionArn"]
    check("sub-attrs", sns.get_subscription_attributes(SubscriptionArn=arn))
    check("subscriptions-for-topic-before-unsub", sns.list_subscriptions_by_topic(TopicArn=topic))
    sns.unsubscribe(SubscriptionArn=arn)
    check("subscriptions-for-topic-after-unsub", sns.list_subscriptions_by_topic(TopicArn=topic))
    answer = answer_of(
        sns.set_subscription_attributes,
        SubscriptionArn=arn,
        AttributeName="RawMessageDelivery",
        AttributeValue="true",
    )
    check("sub-not-found", answer)


@RECORDED.by("TestSNSSubscriptionCrud::test_subscribe_idempotency")
def test_subscribing_twice(sns: Any, topic: str, queue: tuple[str, str], check: Check) -> None:
    def attempt(**params: Any) -> Any:
        return answer_of(sns.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=queue[1], **params)

    made = attempt(Attributes=RAW)
    check("subscribe", made)
    check("get-sub-attrs", sns.get_subscription_attributes(SubscriptionArn=made["SubscriptionArn"]))
    check("subscribe-exact-same-raw", attempt(Attributes=RAW))
    check("subscribe-idempotent", attempt(Attributes=RAW, ReturnSubscriptionArn=True))
    check("subscribe-idempotent-empty-attributes", attempt(Attributes={}))
    check("subscribe-idempotent-no-attributes", attempt())
    check("subscribe-missing-attributes", attempt(Attributes={}))
    check("subscribe-diff-attributes", attempt(Attributes={"RawMessageDelivery": "false"}))


@RECORDED.by("TestSNSSubscriptionCrud::test_subscribe_with_invalid_protocol")
def test_no_such_protocol(sns: Any, topic: str, check: Check) -> None:
    check("exception", answer_of(sns.subscribe, TopicArn=topic, Protocol="test-protocol", Endpoint="localstack@yopmail.com"))  # fmt: skip # noqa: E501


@RECORDED.by("TestSNSSubscriptionCrud::test_unsubscribe_idempotency")
def test_unsubscribing_twice(sns: Any, topic: str, queue: tuple[str, str], check: Check) -> None:
    arn = subscribe(sns, topic, queue)
    for step in ("unsubscribe-1", "unsubscribe-2"):
        check(step, sns.unsubscribe(SubscriptionArn=arn))


@RECORDED.by("TestSNSSubscriptionCrud::test_validate_set_sub_attributes")
def test_attributes_that_cannot_be(sns: Any, topic: str, queue: tuple[str, str], check: Check) -> None:
    arn = subscribe(sns, topic, queue)
    for step, name, value in (
        ("fake-attribute", "FakeAttribute", "test-value"),
        ("raw-message-wrong-value", "RawMessageDelivery", "test-ValUe"),
        ("raw-message-empty-value", "RawMessageDelivery", ""),
        ("invalid-json-redrive-policy", "RedrivePolicy", "{invalidjson}"),
        ("fake-arn-redrive-policy", "RedrivePolicy", '{"deadLetterTargetArn": "fake-arn"}'),
        ("invalid-json-filter-policy", "FilterPolicy", "{invalidjson}"),
    ):
        answer = answer_of(
            sns.set_subscription_attributes, SubscriptionArn=arn, AttributeName=name, AttributeValue=value
        )
        check(step, answer)


@RECORDED.by("TestSNSSubscriptionCrudV2::test_creating_subscription")
def test_a_subscription_that_waits(sns: Any, topic: str, check: Check) -> None:
    with web_endpoint() as web:
        check("create-subscription", sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=web.url))
        assert web.next().content["Type"] == "SubscriptionConfirmation"


@RECORDED.by("TestSNSSubscriptionCrudV2::test_creating_subscription_with_attributes")
def test_a_subscription_with_attributes(sns: Any, topic: str, queue: tuple[str, str], check: Check) -> None:
    arn = subscribe(sns, topic, queue, **RAW)
    check("subscription-with-attributes", sns.get_subscription_attributes(SubscriptionArn=arn))


@RECORDED.by("TestSNSSubscriptionCrudV2::test_double_subscription")
def test_the_same_subscription(sns: Any, queue: tuple[str, str], check: Check) -> None:
    arn = sns.create_topic(Name="double-sub-befdfdff")["TopicArn"]
    for step in ("first", "second"):
        check(f"double-subscription-{step}", sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue[1]))


@RECORDED.by("TestSNSSubscriptionCrudV2::test_get_subscription_attributes_error_not_exists")
def test_attributes_of_nothing(sns: Any, topic: str, check: Check) -> None:
    arn = f"{topic}:0f7d5971-aa8b-4bd5-b585-0826e9f93a66"
    check("get-sub-attrs-nonexistent", answer_of(sns.get_subscription_attributes, SubscriptionArn=arn))


@RECORDED.by("TestSNSSubscriptionCrudV2::test_getting_subscriptions_by_topic")
def test_a_topics_subscriptions(sns: Any, topic: str, queue: tuple[str, str], check: Check) -> None:
    subscribe(sns, topic, queue)
    check("list-subscriptions-by-topic", sns.list_subscriptions_by_topic(TopicArn=topic))


@RECORDED.by("TestSNSSubscriptionCrudV2::test_set_subscription_attributes")
def test_setting_attributes(sns: Any, topic: str, queue: tuple[str, str], check: Check) -> None:
    arn = subscribe(sns, topic, queue)
    sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="RawMessageDelivery", AttributeValue="true")
    check("set-subscription-attributes", sns.get_subscription_attributes(SubscriptionArn=arn))


@RECORDED.by("TestSNSSubscriptionCrudV2::test_subscribe_attributes")
def test_getting_attributes(sns: Any, topic: str, queue: tuple[str, str], check: Check) -> None:
    arn = subscribe(sns, topic, queue)
    check("get-subscription-attributes", sns.get_subscription_attributes(SubscriptionArn=arn))


@RECORDED.by("TestSNSSubscriptionCrudV2::test_subscribe_bad_sms")
def test_no_phone(sns: Any, topic: str, check: Check) -> None:
    check("subscribe-bad-sms", answer_of(sns.subscribe, TopicArn=topic, Protocol="sms", Endpoint="invalid-number"))


@RECORDED.by("TestSNSSubscriptionCrudV2::test_subscribe_invalid_filter_policy")
def test_a_policy_that_is_none(sns: Any, topic: str, queue: tuple[str, str], check: Check) -> None:
    attributes = {"FilterPolicy": "invalid filter policy"}
    answer = answer_of(sns.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=queue[1], Attributes=attributes)
    check("subscribe-invalid-filter-policy", answer)


@RECORDED.by("TestSNSSubscriptionCrudV2::test_subscribe_unknown_topic")
def test_no_topic(sns: Any, topic: str, queue: tuple[str, str], check: Check) -> None:
    answer = answer_of(sns.subscribe, TopicArn=f"{topic}-not", Protocol="sqs", Endpoint=queue[1])
    check("subscribe-unknown-topic", answer)


@pytest.mark.parametrize("raw", [False, True])
@RECORDED.by("TestSNSSubscriptionHttp::test_subscribe_external_http_endpoint[{raw}]")
def test_the_web(sns: Any, topic: str, raw: bool, check: Check) -> None:
    with web_endpoint() as web:
        attributes = RAW if raw else {}
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=f"{web.url}/s", Attributes=attributes)
        asked = web.next()
        check("subscription-confirmation", asked.content)
        check("http-confirm-sub-headers", _headers(asked.headers))
        link, token = asked.content["SubscribeURL"], asked.content["Token"]
        other = topic.replace("us-east-1", "eu-central-1")
        for step, broken in (
            ("broken-topic-arn-confirm", link.replace(topic, f"{topic}-not")),
            ("broken-token-confirm", link.replace(token, "abc123")),
            ("different-region-arn-confirm", link.replace(topic, other)),
        ):
            check(step, _visit(broken, "ErrorResponse"))
        check("confirm-subscribe", _visit(link, "ConfirmSubscriptionResponse"))
        sns.publish(TopicArn=topic, Message="test_external_http_endpoint")
        message = web.next()
        if raw:
            assert message.body == "test_external_http_endpoint"
        else:
            check("http-message", message.content)
        check("http-message-headers-raw" if raw else "http-message-headers", _headers(message.headers))
        [listed] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        unsubscribe = f"{link.partition('?')[0]}?Action=Unsubscribe&SubscriptionArn={listed['SubscriptionArn']}"
        check("unsubscribe-response", _visit(unsubscribe, "UnsubscribeResponse"))
        check("unsubscribe-request", web.next().content)


def _headers(headers: dict[str, str]) -> dict[str, str]:
    """Headers as they are recorded."""
    same = {"Connection": "connection", "Content-Length": "content--length"}
    return {name.title(): same.get(name.title(), value) for name, value in headers.items()}


def _visit(url: str, root: str) -> Any:
    """The answer to a link, as JSON: what a browser that asks for it gets from AWS."""
    request = urllib.request.Request(url, headers={"Accept": "application/json"})
    try:
        with urllib.request.urlopen(request) as response:
            text, status = response.read().decode(), response.status
    except urllib.error.HTTPError as error:
        text, status = error.read().decode(), error.code
    assert f"<{root}" in text
    values = {name: found[1] for name in ("Code", "Message", "Type", "RequestId", "SubscriptionArn") if (found := re.search(f"<{name}>([^<]*)</{name}>", text))}  # fmt: skip # noqa: E501
    if root == "ErrorResponse":
        return {root: {"Error": {name: values[name] for name in ("Code", "Message", "Type")}, "RequestId": values["RequestId"]}}  # fmt: skip # noqa: E501
    answer: dict[str, Any] = {"ResponseMetadata": {"HTTPStatusCode": status}}
    if "SubscriptionArn" in values:
        answer["ConfirmSubscriptionResult"] = {"SubscriptionArn": values["SubscriptionArn"]}
    return {root: answer}


@RECORDED.by("TestSNSSubscriptionSQS::test_attribute_raw_subscribe")
def test_raw_binary(sns: Any, sqs: Any, topic: str, queue: tuple[str, str], check: Check) -> None:
    arn = subscribe(sns, topic, queue, **RAW)
    check("subscription-attributes", sns.get_subscription_attributes(SubscriptionArn=arn))
    attributes = {"store": {"DataType": "Binary", "BinaryValue": b"\x02\x03\x04"}}
    sns.publish(TopicArn=topic, Message="This is a test message", MessageAttributes=attributes)
    received = receive(sqs, queue[0], whole=True)
    [message] = received["Messages"]
    del message["Attributes"]
    value = message["MessageAttributes"]["store"]
    value["BinaryValue"] = str(value["BinaryValue"])
    check("messages-response", received)


@RECORDED.by("TestSNSSubscriptionSQS::test_empty_or_wrong_message_attributes")
def test_message_attributes(sns: Any, topic: str, check: Check) -> None:
    binary, text = {"BinaryValue": b"123"}, {"StringValue": "123"}
    for step, attributes in (
        ("missing_string_attr", {"attr1": {"DataType": "String", "StringValue": ""}}),
        ("fully_missing_string_attr", {"attr1": {"DataType": "String"}}),
        ("fully_missing_data_type", {"attr1": {"StringValue": "123"}}),
        ("missing_binary_attr", {"attr1": {"DataType": "Binary", "BinaryValue": b""}}),
        ("str_attr_binary_value", {"attr1": {"DataType": "String", **binary}}),
        ("int_attr_binary_value", {"attr1": {"DataType": "Number", **binary}}),
        ("binary_attr_string_value", {"attr1": {"DataType": "Binary", **text}}),
        ("invalid_attr_string_value", {"attr1": {"DataType": "InvalidType", **text}}),
        ("too_long_name", {"a" * 257: {"DataType": "String", **text}}),
        ("invalid_name", {"a^*?": {"DataType": "String", **text}}),
        ("invalid_name_2", {".abc": {"DataType": "String", **text}}),
        ("invalid_name_3", {"abc.": {"DataType": "String", **text}}),
        ("invalid_name_4", {"a..bc": {"DataType": "String", **text}}),
    ):
        params = {"Message": "test message", "MessageAttributes": attributes}
        check(step, answer_of(sns.publish, TopicArn=topic, **params))
        entries = [{"Id": "1", "Message": "good"}, {"Id": "3", **params}]
        if step == "fully_missing_data_type":
            entries = entries[1:]
        answer = answer_of(sns.publish_batch, TopicArn=topic, PublishBatchRequestEntries=entries)
        check(f"batch-{step}", answer)


@RECORDED.by("TestSNSSubscriptionSQS::test_message_structure_json_to_sqs")
def test_a_text_for_queues(sns: Any, sqs: Any, topic: str, queue: tuple[str, str], check: Check) -> None:
    subscribe(sns, topic, queue)
    for step, texts in (
        ("get-msg-json-sqs", {"default": "default field", "sqs": json.dumps({"field": "value"})}),
        ("get-msg-json-default", {"default": "default field"}),
    ):
        sns.publish(TopicArn=topic, Message=json.dumps(texts), MessageStructure="json")
        check(step, receive(sqs, queue[0]))


@RECORDED.by("TestSNSSubscriptionSQS::test_publish_batch_messages_from_sns_to_sqs")
def test_batches(sns: Any, sqs: Any, topic: str, queue: tuple[str, str], check: Check) -> None:
    arn = subscribe(sns, topic, queue, **RAW)
    check("sub-attrs-raw-true", sns.get_subscription_attributes(SubscriptionArn=arn))
    entries: list[Any] = [
        {
            "Id": "1",
            "Message": "Test Message with two attributes",
            "Subject": "Subject",
            "MessageAttributes": number(attr1="99.12", attr2="109.12"),
        },
        {
            "Id": "2",
            "Message": "Test Message with one attribute",
            "Subject": "Subject",
            "MessageAttributes": number(attr1="19.12"),
        },
        {"Id": "3", "Message": "Test Message without attribute", "Subject": "Subject"},
        {"Id": "4", "Message": "Test Message without subject"},
        {
            "Id": "5",
            "Message": json.dumps({"default": "test default", "sqs": "test sqs"}),
            "MessageStructure": "json",
        },
    ]
    check("publish-batch", sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries))
    received = receive(sqs, queue[0], 5, whole=True)["Messages"]
    check("messages", {"Messages": sorted(received, key=lambda message: message["Body"])})


@RECORDED.by("TestSNSSubscriptionSQS::test_publish_message_group_id")
def test_a_group_of_a_standard_topic(sns: Any, sqs: Any, topic: str, queue: tuple[str, str], check: Check) -> None:
    subscribe(sns, topic, queue)
    text = "test signature value with attributes"
    sns.publish(TopicArn=topic, Message=text, MessageAttributes=ATTRIBUTE, MessageGroupId="my-group-id-1")
    check("messages", receive(sqs, queue[0], whole=True))


@RECORDED.by("TestSNSSubscriptionSQS::test_publish_unicode_chars")
def test_unicode(sns: Any, sqs: Any, topic: str, queue: tuple[str, str], check: Check) -> None:
    subscribe(sns, topic, queue)
    sns.publish(TopicArn=topic, Message='ö§a1"_!?,. £$-')
    check("received-message", receive(sqs, queue[0]))


@RECORDED.by("TestSNSSubscriptionSQS::test_subscribe_to_sqs_with_queue_url")
def test_a_url_is_no_endpoint(sns: Any, topic: str, queue: tuple[str, str], check: Check) -> None:
    check("sub-queue-url", answer_of(sns.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=queue[0]))


@pytest.mark.parametrize("raw", [False, True])
@RECORDED.by("TestSNSSubscriptionSQSFifo::test_publish_fifo_messages_to_dlq[{raw}]")
def test_dead_letters_in_order(sns: Any, sqs: Any, raw: bool, request: pytest.FixtureRequest, check: Check) -> None:
    arn = sns.create_topic(Name=name_of(request, ".fifo"), Attributes=FIFO)["TopicArn"]
    check("topic-attrs", sns.get_topic_attributes(TopicArn=arn))
    dead, dead_arn = make_queue(sqs, name_of(request, "-dlq.fifo"), FifoQueue="true", ContentBasedDeduplication="true")
    gone, gone_arn = make_queue(sqs, name_of(request, "-gone.fifo"), FifoQueue="true")
    redrive = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": dead_arn}), **(RAW if raw else {})}
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=gone_arn, Attributes=redrive)
    sqs.delete_queue(QueueUrl=gone)
    published = sns.publish(
        TopicArn=arn,
        Message="test-message",
        MessageGroupId="message-group-id-1",
        MessageDeduplicationId="message-deduplication-id-1",
    )
    check("publish-response-fifo", published)
    check("messages-in-dlq", {"Messages": receive(sqs, dead, whole=True)["Messages"]})
    entries: list[Any] = [
        {
            "Id": str(each),
            "Message": f"Test Message with{text}",
            "Subject": "Subject",
            "MessageGroupId": "complexMessageGroupId",
            "MessageDeduplicationId": f"MessageDeduplicationId-{each}",
        }
        for each, text in enumerate((" two attributes", " one attribute", "out attribute"), 1)
    ]
    entries[0]["MessageAttributes"] = number(attr1="99.12", attr2="109.12")
    entries[1]["MessageAttributes"] = number(attr1="19.12")
    check("publish-batch-response-fifo", sns.publish_batch(TopicArn=arn, PublishBatchRequestEntries=entries))
    check("batch-messages-in-dlq", {"Messages": receive(sqs, dead, 3, whole=True)["Messages"]})


@pytest.mark.parametrize("raw", [False, True])
@RECORDED.by("TestSNSSubscriptionSQSFifo::test_publish_to_fifo_topic_to_sqs_queue_no_content_dedup[{raw}]")
def test_the_topic_deduplicates(sns: Any, sqs: Any, raw: bool, request: pytest.FixtureRequest, check: Check) -> None:
    attributes = {**FIFO, "ContentBasedDeduplication": "true"}
    arn = sns.create_topic(Name=name_of(request, ".fifo"), Attributes=attributes)["TopicArn"]
    made = make_queue(sqs, name_of(request, ".fifo"), FifoQueue="true")
    subscribe(sns, arn, made, **(RAW if raw else {}))
    sns.publish(TopicArn=arn, Message="Test single", MessageGroupId="message-group-id-1")
    entries = [{"Id": "1", "MessageGroupId": "message-group-id-1", "Message": "Test batched"}]
    sns.publish_batch(TopicArn=arn, PublishBatchRequestEntries=entries)
    check("messages", {"Messages": receive(sqs, made[0], 2, whole=True)["Messages"]})


@RECORDED.by("TestSNSSubscriptionSQSFifo::test_validations_for_fifo")
def test_rules_of_fifo(sns: Any, sqs: Any, topic: str, request: pytest.FixtureRequest, check: Check) -> None:
    fifo = sns.create_topic(Name=name_of(request, ".fifo"), Attributes=FIFO)["TopicArn"]
    ordered = make_queue(sqs, name_of(request, ".fifo"), FifoQueue="true")
    plain = make_queue(sqs, name_of(request))
    check("not-fifo-topic", answer_of(sns.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=ordered[1]))
    arn = subscribe(sns, fifo, plain)
    check("not-fifo-queue", sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"])
    redrive = json.dumps({"deadLetterTargetArn": plain[1]})
    answer = answer_of(
        sns.set_subscription_attributes,
        SubscriptionArn=subscribe(sns, fifo, ordered),
        AttributeName="RedrivePolicy",
        AttributeValue=redrive,
    )
    check("regular-queue-for-dlq-of-fifo-topic", answer)
    check("no-msg-group-id", answer_of(sns.publish, TopicArn=fifo, Message="test"))
    check("no-dedup-policy", answer_of(sns.publish, TopicArn=fifo, Message="test", MessageGroupId="test"))
    answer = answer_of(sns.publish, TopicArn=topic, Message="test", MessageDeduplicationId="test")
    check("no-msg-dedup-regular-topic", answer)


@RECORDED.by("TestSNSTopicCrud::test_topic_delivery_policy_crud")
def test_delivery_policies(sns: Any, request: pytest.FixtureRequest, check: Check) -> None:
    request_policy = {"http": {"defaultRequestPolicy": {"headerContentType": "application/json"}}}
    attributes = {
        "DisplayName": "TestTopic",
        "SignatureVersion": "2",
        **FIFO,
        "DeliveryPolicy": json.dumps(request_policy),
    }
    arn = sns.create_topic(Name=name_of(request, ".fifo"), Attributes=attributes)["TopicArn"]
    check("get-topic-attrs", sns.get_topic_attributes(TopicArn=arn))
    healthy = {"http": {"defaultHealthyRetryPolicy": {"minDelayTarget": 5, "maxDelayTarget": 6, "numRetries": 1}}}
    for step, after, value in (
        ("set-topic-attrs", "update", healthy),
        ("set-topic-attrs-none", "none", {"http": {"defaultHealthyRetryPolicy": None}}),
        ("set-topic-attrs-full-none", "delete", {"http": None}),
    ):
        answer = sns.set_topic_attributes(
            TopicArn=arn, AttributeName="DeliveryPolicy", AttributeValue=json.dumps(value)
        )
        check(step, answer)
        check(f"get-topic-attrs-after-{after}", sns.get_topic_attributes(TopicArn=arn))


@RECORDED.by("TestSNSTopicCrudV2::test_add_permission_errors")
def test_permissions(sns: Any, topic: str, check: Check) -> None:
    def attempt(**params: Any) -> Any:
        given = {"TopicArn": topic, "Label": "test", "AWSAccountId": [ACCOUNT], "ActionName": ["Publish"], **params}
        return answer_of(sns.add_permission, **given)

    assert "Error" not in attempt()
    check("duplicate-label", attempt())
    check("topic-not-found", attempt(TopicArn=f"{topic}-not", Label="test-2"))
    check("invalid-action", attempt(Label="test-3", ActionName=["InvalidAction"]))


@RECORDED.by("TestSNSTopicCrudV2::test_delete_non_existent_topic")
def test_deleting_nothing(sns: Any, topic: str, check: Check) -> None:
    check("delete-non-existent-topic", sns.delete_topic(TopicArn=f"{topic}-not"))


FAILING = """
def handler(event, context):
    raise Exception("Test exception (this is intentional)")
"""


def make_function(make: Callable[..., Any], name: str, code: str, **params: Any) -> str:
    """A function that SNS may invoke: its ARN."""
    iam, functions = make("iam"), make("lambda")
    role = iam.create_role(RoleName=name[-60:], AssumeRolePolicyDocument=trust({"Service": "lambda.amazonaws.com"}))
    iam.put_role_policy(RoleName=name[-60:], PolicyName="all", PolicyDocument=json.dumps(ALLOW_ALL))
    made = functions.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Handler="app.handler",
        Role=role["Role"]["Arn"],
        Code={"ZipFile": package(code)},
        **params,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    functions.add_permission(
        FunctionName=name, StatementId="sns", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com"
    )
    return str(made["FunctionArn"])


TELLING = """
import json, os, boto3
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
"""


@RECORDED.by("TestSNSSubscriptionLambda::test_python_lambda_subscribe_sns_topic")
def test_a_functions_event(
    make: Callable[..., Any], sns: Any, sqs: Any, topic: str, queue: tuple[str, str], check: Check
) -> None:
    variables = {"Variables": {"QUEUE": queue[0]}}
    arn = make_function(make, "sns-recorded-event", TELLING, Environment=variables, Timeout=30)
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
    sns.publish(TopicArn=topic, Message="Hello world.", Subject="[Subject] Test subject")
    [message] = receive(sqs, queue[0])["Messages"]
    check("notification", json.loads(message["Body"])["Records"][0]["Sns"])


@RECORDED.by("TestSNSSubscriptionLambda::test_sns_topic_as_lambda_dead_letter_queue")
def test_a_topic_of_dead_events(
    make: Callable[..., Any],
    node: NodeInThread,
    sns: Any,
    sqs: Any,
    topic: str,
    queue: tuple[str, str],
    request: pytest.FixtureRequest,
    check: Check,
) -> None:
    subscribe(sns, topic, queue)
    config = {"TargetArn": topic}
    arn = make_function(make, "sns-recorded-dead", FAILING, DeadLetterConfig=config)
    functions = make("lambda")
    name = quote("sns-recorded-dead")
    check("lambda-response-dlq-config", functions.get_function_configuration(FunctionName=name)["DeadLetterConfig"])
    functions.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    source = sns.create_topic(Name=name_of(request, "-source"))["TopicArn"]
    sns.subscribe(TopicArn=source, Protocol="lambda", Endpoint=arn)
    sns.publish(TopicArn=source, Message=json.dumps({"raise_error": 1}))
    received = receive(sqs, queue[0])
    envelope = json.loads(received["Messages"][0]["Body"])
    event = json.loads(envelope["Message"])
    sent = event["Records"][0]["Sns"]
    sent["Message"] = json.loads(sent["Message"])
    received["Messages"][0]["Body"] = json.dumps({**envelope, "Message": event})
    check("messages", received)


def test_every_recording_is_replayed_or_of_what_is_left_out() -> None:
    left = {name for name in RECORDED.left if "sms" not in name.lower() and "SNSPlatform" not in name}
    assert left == {"TestSNSSubscriptionCrud::test_list_subscriptions_by_topic_pagination"}  # phone numbers subscribe
