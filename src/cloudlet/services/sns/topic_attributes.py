"""Topic attributes: which there are, and what they may be.

https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from cloudlet.iam.policy import PolicyError
from cloudlet.services.sns import delivery_policy
from cloudlet.services.sns.errors import InvalidParameter, invalid
from cloudlet.services.sns.topic import Topic

MAX_DISPLAY_NAME: Final = 100
MAX_POLICY_BYTES: Final = 30_720
MAX_ARCHIVE_DAYS: Final = 365
MESSAGE_BYTES: Final = (1024, 1_048_576)
"""What MaximumMessageSize may be. https://docs.aws.amazon.com/sns/latest/dg/large-message-payloads.html"""
_FEEDBACK = re.compile(r"(Application|Firehose|HTTP|Lambda|SQS)(Success|Failure)Feedback(RoleArn|SampleRate)")
_DAYS = re.compile(r"[0-9]{1,4}")
_BOOLEANS: Final = ("FifoTopic", "ContentBasedDeduplication")
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "SignatureVersion": ("1", "2"),
    "TracingConfig": ("PassThrough", "Active"),
    "FifoThroughputScope": ("Topic", "MessageGroup"),
}
_FIFO_ONLY: Final = ("ContentBasedDeduplication", "FifoThroughputScope", "ArchivePolicy")
_PLAIN: Final = ("DisplayName", "Policy", "DeliveryPolicy", "KmsMasterKeyId", "ArchivePolicy", "MaximumMessageSize")
SETTABLE: Final = frozenset((*_BOOLEANS, *_CHOICES, *_PLAIN))
ACTIONS: Final = frozenset(
    (
        "AddPermission",
        "DeleteTopic",
        "GetDataProtectionPolicy",
        "GetTopicAttributes",
        "ListSubscriptionsByTopic",
        "ListTagsForResource",
        "Publish",
        "PutDataProtectionPolicy",
        "Receive",
        "RemovePermission",
        "SetTopicAttributes",
        "Subscribe",
    )
)
"""Actions that are about a topic."""
_TOPIC_ACTIONS: Final = frozenset(
    name.lower() for name in (*ACTIONS, "ConfirmSubscription", "TagResource", "UntagResource")
)
_REMOVABLE: Final = ("Policy", "DeliveryPolicy", "KmsMasterKeyId", "ArchivePolicy")
"""Attributes that an empty value takes away."""


def changed(current: Mapping[str, str], given: Mapping[str, str], *, is_fifo: bool, creating: bool) -> dict[str, str]:
    """The attributes that a topic with `current` ones has after `given` ones are set. Raises InvalidParameter."""
    attributes = dict(current)
    for name, value in given.items():
        if not _is_settable(name) or (name == "FifoTopic" and not creating):
            raise invalid(f"Attributes Reason: Unknown attribute: {name}" if creating else "AttributeName")
        if not is_fifo and name in _FIFO_ONLY:
            raise invalid(f"{name} Reason: {name} can only be set on FIFO topics" if not creating else f"Attributes Reason: {name} can only be set on FIFO topics")  # fmt: skip # noqa: E501
        where = f"Attributes Reason: {name}" if creating else name
        if value == "" and name in _REMOVABLE:
            attributes.pop(name, None)
            continue
        kept = _checked(name, value, where)
        if kept is not None:
            attributes[name] = kept
        else:
            attributes.pop(name, None)
    return attributes


def shown(topic: Topic, confirmed: int, pending: int) -> dict[str, str]:
    """All attributes of a topic."""
    attributes = {
        "DisplayName": "",
        **topic.attributes,
        "TopicArn": topic.arn,
        "Owner": topic.key.account,
        "Policy": topic.policy,
        "SubscriptionsConfirmed": str(confirmed),
        "SubscriptionsPending": str(pending),
        "SubscriptionsDeleted": str(topic.deleted_subscriptions),
        "EffectiveDeliveryPolicy": _json(delivery_policy.effective_topic(topic.delivery_policy)),
    }
    if topic.is_fifo:
        attributes.setdefault("ContentBasedDeduplication", "false")
    return attributes


def _is_settable(name: str) -> bool:
    return name in SETTABLE or _FEEDBACK.fullmatch(name) is not None


def _checked(name: str, value: str, where: str) -> str | None:
    """The value as it is kept; None for one that says nothing."""
    if name in _BOOLEANS:
        if value.lower() not in ("true", "false"):
            raise invalid(f"{where}: Invalid value [{value}]. Must be true or false.")
        return value.lower()
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise invalid(f"{where}: Invalid value [{value}]. Must be one of: {', '.join(_CHOICES[name])}")
        return value
    if name == "DisplayName" and len(value) > MAX_DISPLAY_NAME:
        raise invalid(f"{where} Reason: DisplayName is too long")
    if name == "Policy":
        check_policy(value)
    if name == "DeliveryPolicy":
        return _delivery_policy(value, where)
    if name == "ArchivePolicy":
        return _archive_policy(value, where)
    if name == "MaximumMessageSize":
        return _message_size(value, where)
    if name.endswith("SampleRate") and not (re.fullmatch(r"[0-9]{1,3}", value) and int(value) <= 100):
        raise invalid(f"{where}: the sample rate must be between 0 and 100")
    return value


def check_policy(text: str) -> None:
    """Raises InvalidParameter for what is no policy of a topic."""
    from cloudlet.iam.compiled import compiled
    from cloudlet.iam.evaluate import Source

    if len(text.encode()) > MAX_POLICY_BYTES:
        raise invalid("Policy Reason: the policy is too large")
    try:
        found = orjson.loads(text)
        if not isinstance(found, dict) or not found.get("Statement"):
            raise invalid("Policy Error: null")
        compiled(text, Source.RESOURCE.value)
        for statement in found["Statement"] if isinstance(found["Statement"], list) else [found["Statement"]]:
            _check_actions(statement.get("Action") or [])
    except (orjson.JSONDecodeError, PolicyError) as error:
        raise InvalidParameter("Invalid parameter: Policy Error: null") from error


def _check_actions(actions: Any) -> None:
    """Raises InvalidParameter for an action that is not about a topic."""
    for action in actions if isinstance(actions, list) else [actions]:
        service, _, name = str(action).lower().partition(":")
        if any(wildcard in action for wildcard in "*?"):
            continue
        if service != "sns" or name not in _TOPIC_ACTIONS:
            raise invalid("Policy statement action out of service scope!")


def _delivery_policy(value: str, where: str) -> str | None:
    http = delivery_policy.check_topic(value, where).get("http")
    if http is None:
        return None
    kept = {name: member for name, member in http.items() if member is not None}
    return _json({"http": {"disableSubscriptionOverrides": False, **kept}})


def _message_size(value: str, where: str) -> str:
    low, high = MESSAGE_BYTES
    if not re.fullmatch(r"[0-9]{1,7}", value) or not low <= int(value) <= high:
        raise invalid(f"{where}: Invalid value [{value}]. Must be an integer between {low} and {high}.")
    return str(int(value))


def _archive_policy(value: str, where: str) -> str | None:
    try:
        policy = orjson.loads(value)
        days = policy.get("MessageRetentionPeriod") if isinstance(policy, dict) else None
        number = int(str(days)) if isinstance(days, str | int) and _DAYS.fullmatch(str(days)) else None
    except orjson.JSONDecodeError:
        raise invalid(f"{where}: failed to parse JSON.") from None
    if policy == {}:
        return None
    if number is None or not 1 <= number <= MAX_ARCHIVE_DAYS:
        raise invalid(f"{where}: MessageRetentionPeriod must be between 1 and {MAX_ARCHIVE_DAYS} days")
    return _json({"MessageRetentionPeriod": str(number)})


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
