"""How many subscriptions there may be, and how many with filter policies; what topics of large messages take.

https://docs.aws.amazon.com/general/latest/gr/sns.html
https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
https://docs.aws.amazon.com/sns/latest/dg/large-message-payloads.html
"""

from collections.abc import Mapping
from typing import Final

from cloudlet.services.sns import subscription_tables
from cloudlet.services.sns.errors import FilterPolicyLimitExceeded, SubscriptionLimitExceeded, invalid
from cloudlet.services.sns.topic import DEFAULT_MESSAGE_BYTES, Topic
from cloudlet.store.base import Transaction

FIFO_TOPIC: Final = 100
"""Subscriptions of a FIFO topic."""
LARGE_TOPIC: Final = 100
"""Subscriptions of a topic whose messages may be larger than usual."""
FILTERS_OF_TOPIC: Final = 200
FILTERS_OF_ACCOUNT: Final = 10_000
"""Filter policies, on all topics of an account in a region."""
LARGE_PROTOCOLS: Final = ("sqs", "lambda", "firehose")
_POLICY: Final = "FilterPolicy"


def check_new(tx: Transaction, topic: Topic, protocol: str, attributes: Mapping[str, str]) -> None:
    """A topic is to get one more subscription. Raises InvalidParameter, SubscriptionLimitExceeded,
    FilterPolicyLimitExceeded."""
    if topic.max_message_bytes > DEFAULT_MESSAGE_BYTES:
        if protocol not in LARGE_PROTOCOLS:
            raise invalid(f"Protocol Reason: {protocol} subscriptions are not supported for topics with MaximumMessageSize greater than {DEFAULT_MESSAGE_BYTES}")  # fmt: skip # noqa: E501
        if _count(tx, topic) >= LARGE_TOPIC:
            raise invalid(f"TopicArn Reason: topics with MaximumMessageSize greater than {DEFAULT_MESSAGE_BYTES} can not have more than {LARGE_TOPIC} subscriptions")  # fmt: skip # noqa: E501
    if topic.is_fifo and _count(tx, topic) >= FIFO_TOPIC:
        raise SubscriptionLimitExceeded(
            f"Maximum number of subscriptions per FIFO topic ({FIFO_TOPIC}) has been reached"
        )
    if _is_filter(attributes.get(_POLICY)):
        check_new_filter(tx, topic)


def check_change(tx: Transaction, topic: Topic, before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """A subscription's attributes are to change. Raises FilterPolicyLimitExceeded."""
    if _is_filter(after.get(_POLICY)) and not _is_filter(before.get(_POLICY)):
        check_new_filter(tx, topic)


def check_new_filter(tx: Transaction, topic: Topic) -> None:
    """There is to be one more filter policy. Raises FilterPolicyLimitExceeded."""
    of_topic, of_account = subscription_tables.filters(tx, topic.key)
    if of_topic >= FILTERS_OF_TOPIC:
        raise FilterPolicyLimitExceeded(f"Filter policy limit of {FILTERS_OF_TOPIC} per topic exceeded")
    if of_account >= FILTERS_OF_ACCOUNT:
        raise FilterPolicyLimitExceeded(f"Filter policy limit of {FILTERS_OF_ACCOUNT} per account exceeded")


def check_large(tx: Transaction, topic: Topic) -> None:
    """The messages of a topic may become larger. Raises InvalidParameter where its subscriptions cannot take them."""
    if topic.max_message_bytes <= DEFAULT_MESSAGE_BYTES:
        return
    if _count(tx, topic) > LARGE_TOPIC:
        raise invalid(f"MaximumMessageSize Reason: the topic has more than {LARGE_TOPIC} subscriptions")
    found = subscription_tables.protocols(tx, topic.key)
    if other := sorted(found.difference(LARGE_PROTOCOLS)):
        raise invalid(f"MaximumMessageSize Reason: the topic has {other[0]} subscriptions, for which only messages of up to {DEFAULT_MESSAGE_BYTES} bytes are supported")  # fmt: skip # noqa: E501


def _is_filter(text: str | None) -> bool:
    return text not in (None, "", "{}")


def _count(tx: Transaction, topic: Topic) -> int:
    return sum(subscription_tables.counts(tx, topic.key))
