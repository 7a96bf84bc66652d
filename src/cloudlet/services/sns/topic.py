"""A topic: its settings as messages meet them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import orjson

from cloudlet.services.sns.names import TopicKey

DEFAULT_MESSAGE_BYTES: Final = 262_144
"""How large a message may be, where the topic does not say. https://docs.aws.amazon.com/general/latest/gr/sns.html"""
_DEFAULT_ACTIONS = (
    "GetTopicAttributes",
    "SetTopicAttributes",
    "AddPermission",
    "RemovePermission",
    "DeleteTopic",
    "Subscribe",
    "ListSubscriptionsByTopic",
    "Publish",
)


@dataclass(frozen=True)
class Topic:
    """One row of sns_topics. Without slots, for what is computed once."""

    key: TopicKey
    id: str
    """For as long as the topic is: one made anew under its name has another."""
    attributes: Mapping[str, str]
    """As clients set them."""
    tags: Mapping[str, str]
    data_protection: str
    created_ms: int
    deleted_subscriptions: int = 0

    @property
    def arn(self) -> str:
        return self.key.arn

    @property
    def is_fifo(self) -> bool:
        return self.key.is_fifo

    @cached_property
    def has_content_deduplication(self) -> bool:
        return self.attributes.get("ContentBasedDeduplication") == "true"

    @cached_property
    def deduplicates_by_group(self) -> bool:
        return self.attributes.get("FifoThroughputScope") == "MessageGroup"

    @cached_property
    def max_message_bytes(self) -> int:
        """How large a message may be, with its attributes."""
        return int(self.attributes.get("MaximumMessageSize", DEFAULT_MESSAGE_BYTES))

    @cached_property
    def signature_version(self) -> str:
        return self.attributes.get("SignatureVersion", "1")

    @cached_property
    def policy(self) -> str:
        """The topic's policy, JSON: its own, or that which every topic begins with."""
        return self.attributes.get("Policy") or orjson.dumps(default_policy(self.key)).decode()

    @cached_property
    def archive_days(self) -> int:
        """How long messages are archived; 0 when they are not."""
        text = self.attributes.get("ArchivePolicy")
        return int(orjson.loads(text)["MessageRetentionPeriod"]) if text else 0

    @cached_property
    def delivery_policy(self) -> Mapping[str, Any]:
        """What was set; empty where nothing was."""
        text = self.attributes.get("DeliveryPolicy")
        policy: dict[str, Any] = orjson.loads(text) if text else {}
        return policy


def default_policy(key: TopicKey) -> dict[str, Any]:
    """The policy of a topic that was given none.

    https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
    """
    return {
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [
            {
                "Sid": "__default_statement_ID",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": [f"SNS:{action}" for action in _DEFAULT_ACTIONS],
                "Resource": key.arn,
                "Condition": {"StringEquals": {"AWS:SourceOwner": key.account}},
            }
        ],
    }
