"""A subscription: who gets a topic's messages, and which of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from cloudlet.patterns import Pattern
from cloudlet.services.sns import replay_policy
from cloudlet.services.sns.names import SubscriptionKey

BODY = "MessageBody"
PENDING = "PendingConfirmation"
"""What stands for the ARN of a subscription that is not confirmed, in lists."""


@dataclass(frozen=True)
class Subscription:
    """One row of sns_subscriptions. Without slots, for what is computed once."""

    key: SubscriptionKey
    owner: str
    """The account that subscribed."""
    protocol: str
    endpoint: str
    attributes: Mapping[str, str]
    principal: str
    """The ARN of who subscribed."""
    is_confirmed: bool
    was_authenticated: bool
    """True when the confirmation was signed, or none was needed."""
    needs_authentication: bool
    """True when only its owner and the topic's may end it."""
    created_ms: int

    @property
    def arn(self) -> str:
        return self.key.arn

    @property
    def shown_arn(self) -> str:
        """Its ARN in lists."""
        return self.arn if self.is_confirmed else PENDING

    @cached_property
    def is_raw(self) -> bool:
        return self.attributes.get("RawMessageDelivery") == "true"

    @property
    def is_filtered(self) -> bool:
        """True when it has a filter policy that is not empty."""
        return self.attributes.get("FilterPolicy", "") not in ("", "{}")

    @cached_property
    def filter(self) -> Pattern | None:
        text = self.attributes.get("FilterPolicy")
        return Pattern.parse(text) if text and text != "{}" else None

    @cached_property
    def ends_ms(self) -> int | None:
        """The moment of the last message that it gets, where its replay policy names an ending point."""
        text = self.attributes.get("ReplayPolicy")
        return replay_policy.check(text, "ReplayPolicy").until_ms if text else None

    @cached_property
    def filters_body(self) -> bool:
        return self.attributes.get("FilterPolicyScope") == BODY

    @cached_property
    def dead_letter_arn(self) -> str:
        text = self.attributes.get("RedrivePolicy")
        return str(orjson.loads(text).get("deadLetterTargetArn", "")) if text else ""

    @cached_property
    def delivery_policy(self) -> Mapping[str, Any]:
        text = self.attributes.get("DeliveryPolicy")
        policy: dict[str, Any] = orjson.loads(text) if text else {}
        return policy
