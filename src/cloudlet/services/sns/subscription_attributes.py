"""Subscription attributes: which there are, and what they may be.

https://docs.aws.amazon.com/sns/latest/api/API_SetSubscriptionAttributes.html
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from cloudlet.services.sns import delivery_policy, filtering, replay_policy
from cloudlet.services.sns.errors import invalid
from cloudlet.services.sns.names import TopicKey, parse
from cloudlet.services.sns.subscription import BODY, Subscription
from cloudlet.services.sns.topic import Topic

ATTRIBUTES: Final = "MessageAttributes"
_RAW_PROTOCOLS: Final = ("sqs", "http", "https", "firehose")
SETTABLE: Final = frozenset(
    (
        "DeliveryPolicy",
        "FilterPolicy",
        "FilterPolicyScope",
        "RawMessageDelivery",
        "RedrivePolicy",
        "ReplayPolicy",
        "SubscriptionRoleArn",
    )
)
_REMOVABLE: Final = ("DeliveryPolicy", "FilterPolicy", "RedrivePolicy", "ReplayPolicy")


def changed(
    current: Mapping[str, str],
    given: Mapping[str, str],
    *,
    topic: TopicKey,
    protocol: str,
    endpoint: str,
    creating: bool,
) -> dict[str, str]:
    """The attributes of a subscription with `current` ones after `given` ones are set. Raises InvalidParameter."""
    attributes = dict(current)
    before = "Attributes Reason: " if creating else ""
    for name, value in given.items():
        if name not in SETTABLE:
            raise invalid(f"Attributes Reason: Unknown attribute: {name}" if creating else "AttributeName")
        if value == "" and name in _REMOVABLE:
            attributes.pop(name, None)
        else:
            attributes[name] = _checked(name, value, topic, protocol, endpoint, before)
    if "ReplayPolicy" in given:
        attributes.pop("ReplayStatus", None)
        if "ReplayPolicy" in attributes:
            attributes["ReplayStatus"] = "Pending"
    if ("FilterPolicy" in given or "FilterPolicyScope" in given) and attributes.get("FilterPolicy"):
        scope = attributes.setdefault("FilterPolicyScope", ATTRIBUTES)
        filtering.check(attributes["FilterPolicy"], scope, f"{before}FilterPolicy")
    return attributes


def _checked(name: str, value: str, topic: TopicKey, protocol: str, endpoint: str, before: str) -> str:
    """The value as it is kept. Filter policies are checked with their scope, later."""
    if name == "RawMessageDelivery":
        return _raw(value, protocol, before)
    if name == "FilterPolicyScope" and value not in (ATTRIBUTES, BODY):
        raise invalid(f"{before}FilterPolicyScope: Invalid value [{value}]. Please use either MessageBody or MessageAttributes")  # fmt: skip # noqa: E501
    if name == "RedrivePolicy":
        return _redrive_policy(value, topic, endpoint, before)
    if name == "DeliveryPolicy":
        if protocol not in ("http", "https"):
            raise invalid(f"{before}DeliveryPolicy: Delivery protocol [{protocol}] does not support a delivery policy.")
        return orjson.dumps(delivery_policy.check_subscription(value, f"{before}DeliveryPolicy")).decode()
    if name == "FilterPolicy" and _is_empty(value):
        return "{}"
    if name == "ReplayPolicy":
        return _replay_policy(value, topic, before)
    return value


def _is_empty(text: str) -> bool:
    """True for an object without members, however it is laid out: such a policy filters nothing."""
    return text.split() in (["{}"], ["{", "}"])


def shown(subscription: Subscription, topic: Topic) -> dict[str, str]:
    """All attributes of a subscription."""
    attributes = {
        "RawMessageDelivery": "false",
        **subscription.attributes,
        "SubscriptionArn": subscription.arn,
        "TopicArn": subscription.key.topic.arn,
        "Owner": subscription.owner,
        "Protocol": subscription.protocol,
        "Endpoint": subscription.endpoint,
        "PendingConfirmation": str(not subscription.is_confirmed).lower(),
        "ConfirmationWasAuthenticated": str(subscription.was_authenticated).lower(),
        "SubscriptionPrincipal": subscription.principal,
    }
    if subscription.protocol in ("http", "https"):
        effective = delivery_policy.effective_subscription(topic.delivery_policy, subscription.delivery_policy)
        attributes["EffectiveDeliveryPolicy"] = orjson.dumps(effective).decode()
    return attributes


def differ(subscription: Subscription, given: Mapping[str, str], made: Mapping[str, str]) -> bool:
    """True when what is given to a subscription that is there already is not what it has."""
    current = {"RawMessageDelivery": "false", **subscription.attributes}
    return any(current.get(name) != made.get(name) for name in given)


def _raw(value: str, protocol: str, before: str) -> str:
    if value.lower() not in ("true", "false"):
        raise invalid(f"{before}RawMessageDelivery: Invalid value [{value}]. Must be true or false.")
    if value.lower() == "true" and protocol not in _RAW_PROTOCOLS:
        raise invalid(f"{before}RawMessageDelivery: Delivery protocol [{protocol}] does not support raw message delivery.")  # fmt: skip # noqa: E501
    return value.lower()


def _redrive_policy(value: str, topic: TopicKey, endpoint: str, before: str) -> str:
    filtering.check_is_json(value, f"{before}RedrivePolicy")
    try:
        policy = orjson.loads(value)
    except orjson.JSONDecodeError:  # JSON, with a number or a half of a character that nothing can hold
        raise invalid(f"{before}RedrivePolicy: failed to parse JSON.") from None
    target = policy.get("deadLetterTargetArn") if isinstance(policy, dict) else None
    if not isinstance(target, str):
        raise invalid(f"{before}RedrivePolicy: deadLetterTargetArn is missing")
    arn = parse(target)
    if arn is None or arn.service != "sqs" or not arn.resource or ":" in arn.resource:
        raise invalid(f"{before}RedrivePolicy: deadLetterTargetArn is an invalid arn")
    if (arn.account, arn.region) != (topic.account, topic.region):
        raise invalid(f"{before}RedrivePolicy: deadLetterTargetArn must be in the same account and region as the subscription")  # fmt: skip # noqa: E501
    if topic.is_fifo and endpoint.endswith(".fifo") and not arn.resource.endswith(".fifo"):
        raise invalid(f"{before}RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.")
    if not topic.is_fifo and arn.resource.endswith(".fifo"):
        raise invalid(f"{before}RedrivePolicy: must use a standard queue as DLQ for a subscription to a standard topic.")  # fmt: skip # noqa: E501
    return value


def _replay_policy(value: str, topic: TopicKey, before: str) -> str:
    if not topic.is_fifo:
        raise invalid(f"{before}ReplayPolicy: a replay policy can only be set on subscriptions of FIFO topics")
    replay_policy.check(value, f"{before}ReplayPolicy")
    return value


def plain(values: Mapping[str, Any]) -> dict[str, str]:
    """A request's attributes."""
    return {str(name): str(value) for name, value in values.items()}
