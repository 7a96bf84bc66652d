"""Filter policies: attributes as an event, and how complex a policy is."""

import json
from typing import Any

import pytest

from cloudlet.patterns import Pattern
from cloudlet.services.sns import filtering
from cloudlet.services.sns.errors import InvalidParameter
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.names import SubscriptionKey, TopicKey
from cloudlet.services.sns.subscription import Subscription

TOPIC = TopicKey("000000000000", "us-east-1", "t")


def subscription(policy: Any, scope: str = "MessageAttributes", protocol: str = "sqs") -> Subscription:
    attributes = {"FilterPolicy": json.dumps(policy), "FilterPolicyScope": scope}
    return Subscription(
        SubscriptionKey(TOPIC, "1"), "000000000000", protocol, "e", attributes, "", True, True, False, 0
    )


def message(text: str = "m", **attributes: tuple[str, str]) -> Message:
    shown = {name: {"Type": kind, "Value": value} for name, (kind, value) in attributes.items()}
    return Message("1", TOPIC, "i", text, 0, attributes=shown)


def wants(subscriber: Subscription, given: Message) -> bool:
    return filtering.rejected(subscriber, given) is None


@pytest.mark.parametrize(
    ("policy", "attribute", "wanted"),
    [
        (["a"], ("String", "a"), True),
        (["1"], ("Number", "1"), False),
        ([1], ("Number", "1.0"), True),
        ([1], ("String", "1"), False),
        ([{"numeric": [">", 1]}], ("Number.int", "2"), True),
        (["b"], ("String.Array", '["a", "b"]'), True),
        ([2], ("String.Array", "[1, 2]"), True),
        (["a"], ("String.Array", "not json"), False),
        ([{"exists": True}], ("Binary", "YQ=="), False),
        ([{"exists": False}], ("Binary", "YQ=="), True),
    ],
)
def test_attributes(policy: Any, attribute: tuple[str, str], wanted: bool) -> None:
    assert wants(subscription({"x": policy}), message(x=attribute)) is wanted


def test_a_body_that_is_no_json_is_for_nobody_who_filters_it() -> None:
    wants_none = subscription({"a": [{"exists": False}]}, "MessageBody")
    assert not wants(wants_none, message("text"))
    assert not wants(wants_none, message('["a"]'))
    assert wants(wants_none, message("{}"))


def test_an_empty_policy_wants_everything() -> None:
    assert wants(subscription({}), message())


def test_a_body_is_that_of_the_subscribers_protocol() -> None:
    made = Message("1", TOPIC, "i", '{"a": 1}', 0, texts={"sqs": '{"a": 2}'})
    assert wants(subscription({"a": [2]}, "MessageBody"), made)
    assert wants(subscription({"a": [1]}, "MessageBody", "http"), made)


def test_complexity_counts_values_and_depth() -> None:
    policy = {"a": {"b": {"c": [1, 2, 3, 4]}}, "d": {"e": [1, 2, 3]}}
    assert filtering.combinations(Pattern.parse(json.dumps(policy))) == 3 * 4 * 2 * 3


@pytest.mark.parametrize(("count", "is_too_much"), [(150, False), (151, True)])
def test_the_limit_of_combinations(count: int, is_too_much: bool) -> None:
    text = json.dumps({"a": list(range(count))})
    if is_too_much:
        with pytest.raises(InvalidParameter, match="too complex"):
            filtering.check(text, "MessageBody", "FilterPolicy")
    else:
        filtering.check(text, "MessageBody", "FilterPolicy")
