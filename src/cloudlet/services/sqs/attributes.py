"""Queue attributes: which there are, what they may be, and their defaults.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from cloudlet.services.sqs import policies
from cloudlet.services.sqs.errors import InvalidAttributeName, InvalidAttributeValue, invalid
from cloudlet.services.sqs.names import key_of_arn

MAX_MESSAGE_BYTES: Final = 1_048_576
MAX_VISIBILITY_TIMEOUT_S: Final = 43_200
MAX_DELAY_S: Final = 900
MAX_WAIT_S: Final = 20
MAX_RECEIVE_COUNT: Final = 1_000
MAX_SOURCE_QUEUES: Final = 10
"""How many source queues `byQueue` may name in a redrive allow policy."""

RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "DelaySeconds": (0, MAX_DELAY_S),
    "MaximumMessageSize": (1_024, MAX_MESSAGE_BYTES),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, MAX_WAIT_S),
    "VisibilityTimeout": (0, MAX_VISIBILITY_TIMEOUT_S),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
}
DEFAULTS: Final[Mapping[str, str]] = {
    "DelaySeconds": "0",
    "MaximumMessageSize": str(MAX_MESSAGE_BYTES),
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "VisibilityTimeout": "30",
    "SqsManagedSseEnabled": "true",
}
FIFO_DEFAULTS: Final[Mapping[str, str]] = {
    "FifoQueue": "true",
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "FifoThroughputLimit": "perQueue",
}
COUNTS: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
COMPUTED: Final = (*COUNTS, "CreatedTimestamp", "LastModifiedTimestamp", "QueueArn")
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "SqsManagedSseEnabled": ("true", "false"),
    "ContentBasedDeduplication": ("true", "false"),
    "DeduplicationScope": ("queue", "messageGroup"),
    "FifoThroughputLimit": ("perQueue", "perMessageGroupId"),
}
_JSON: Final = ("Policy", "RedrivePolicy", "RedriveAllowPolicy")
_REMOVABLE: Final = (*_JSON, "KmsMasterKeyId")
"""Attributes that an empty value takes away."""
_FIFO_ONLY: Final = ("DeduplicationScope", "FifoThroughputLimit")
_ONLY_SHOWN_OF_FIFO: Final = ("FifoQueue", "ContentBasedDeduplication")
"""A standard queue does not know them. https://github.com/aws/aws-sdk-ruby/issues/1350"""
_DIGITS: Final = re.compile(r"[0-9]{1,12}")
SETTABLE: Final = frozenset((*RANGES, *_CHOICES, *_REMOVABLE, "FifoQueue"))
NAMES: Final = SETTABLE.union(COMPUTED, ("All",))


def unknown(name: str) -> InvalidAttributeName:
    """The error for an attribute that there is not, or not for this kind of queue."""
    return InvalidAttributeName(f"Unknown Attribute {name}.")


def check_names(names: Iterable[str], *, is_fifo: bool) -> None:
    """Raises InvalidAttributeName for a name that no queue of this kind has."""
    for name in names:
        if name not in NAMES or (name in _ONLY_SHOWN_OF_FIFO and not is_fifo):
            raise unknown(name)


def changed(current: Mapping[str, str], given: Mapping[str, str], *, is_fifo: bool) -> dict[str, str]:
    """The attributes that a queue with `current` ones has after `given` ones are set.

    Raises InvalidAttributeName, InvalidAttributeValue, InvalidParameterValue.
    """
    attributes = dict(current)
    for name, value in given.items():
        if name not in SETTABLE:
            raise unknown(name)
        _check_kind(name, is_fifo=is_fifo)
        if value == "" and name in _REMOVABLE:
            attributes.pop(name, None)
        else:
            attributes[name] = _checked(name, value)
    if given.get("KmsMasterKeyId"):
        if given.get("SqsManagedSseEnabled") == "true":
            raise InvalidAttributeValue(
                "You can use one type of server-side encryption (SSE) at one time."
                " You can either enable KMS SSE or SQS SSE."
            )
        attributes["SqsManagedSseEnabled"] = "false"
    elif given.get("SqsManagedSseEnabled") == "true":
        attributes.pop("KmsMasterKeyId", None)
        attributes.pop("KmsDataKeyReusePeriodSeconds", None)
    if "KmsMasterKeyId" not in attributes:
        attributes.pop("KmsDataKeyReusePeriodSeconds", None)
    if is_fifo:
        _check_throughput(attributes)
    return attributes


def shown(attributes: Mapping[str, str], *, is_fifo: bool) -> dict[str, str]:
    """All attributes of a queue that clients set or that have a default."""
    whole = {**DEFAULTS, **(FIFO_DEFAULTS if is_fifo else {}), **attributes}
    if "KmsMasterKeyId" in whole:
        whole.setdefault("KmsDataKeyReusePeriodSeconds", "300")
    return whole


def _check_kind(name: str, *, is_fifo: bool) -> None:
    if is_fifo:
        return
    if name in _ONLY_SHOWN_OF_FIFO:
        raise unknown(name)
    if name in _FIFO_ONLY:
        raise InvalidAttributeName(f"You can specify the {name} only when FifoQueue is set to true.")


def _checked(name: str, value: str) -> str:
    if name in RANGES:
        low, high = RANGES[name]
        number = whole_number(value)
        if number is None or not low <= number <= high:
            raise InvalidAttributeValue(f"Invalid value for the parameter {name}.")
        return str(number)
    if name in _CHOICES:
        if value.lower() not in [choice.lower() for choice in _CHOICES[name]]:
            raise InvalidAttributeValue(f"Invalid value for the parameter {name}.")
        return next(choice for choice in _CHOICES[name] if choice.lower() == value.lower())
    if name == "FifoQueue" and value != "true":
        raise InvalidAttributeValue(
            "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."
        )
    if name == "RedrivePolicy":
        return _redrive_policy(value)
    if name == "RedriveAllowPolicy":
        return _redrive_allow_policy(value)
    if name == "Policy":
        policies.check(value)
    return value


def whole_number(text: str) -> int | None:
    """The number that decimal digits stand for; None for any other text, and where they are too many."""
    return int(text) if _DIGITS.fullmatch(text) else None


def _object(value: str, name: str, text: str) -> dict[str, Any]:
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict):
        raise invalid(value, name, text)
    return parsed


def _redrive_policy(value: str) -> str:
    policy = _object(value, "RedrivePolicy", "Redrive policy is not a valid JSON map.")
    for member in ("deadLetterTargetArn", "maxReceiveCount"):
        if member not in policy:
            raise invalid(value, "RedrivePolicy", f"Redrive policy does not contain mandatory attribute: {member}.")
    for member in policy:
        if member not in ("deadLetterTargetArn", "maxReceiveCount"):
            raise invalid(value, "RedrivePolicy", f"Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount]. Not supported: {member}.")  # fmt: skip # noqa: E501
    count, arn = policy["maxReceiveCount"], policy["deadLetterTargetArn"]
    number = whole_number(str(count)) if isinstance(count, int | str) else None
    if number is None or not 1 <= number <= MAX_RECEIVE_COUNT:
        raise invalid(
            value,
            "RedrivePolicy",
            f"Invalid value for maxReceiveCount: {count}, valid values are from 1 to {MAX_RECEIVE_COUNT} both"
            " inclusive.",
        )
    if not isinstance(arn, str) or key_of_arn(arn) is None:
        raise invalid(value, "RedrivePolicy", "Invalid value for deadLetterTargetArn.")
    return orjson.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": number}).decode()


def _redrive_allow_policy(value: str) -> str:
    policy = _object(value, "RedriveAllowPolicy", "Redrive allow policy is not a valid JSON map.")
    permission, arns = policy.get("redrivePermission"), policy.get("sourceQueueArns")
    if permission not in ("allowAll", "denyAll", "byQueue"):
        raise invalid(value, "RedriveAllowPolicy", "Amazon SQS can't create the redrive allow policy. Enter a valid value for redrivePermission.")  # fmt: skip # noqa: E501
    if (permission == "byQueue") != bool(arns):
        raise invalid(value, "RedriveAllowPolicy", "Amazon SQS can't create the redrive allow policy. sourceQueueArns must be given with byQueue, and only then.")  # fmt: skip # noqa: E501
    if arns and not _are_queues(arns):
        raise invalid(value, "RedriveAllowPolicy", f"Amazon SQS can't create the redrive allow policy. sourceQueueArns is a list of at most {MAX_SOURCE_QUEUES} ARNs.")  # fmt: skip # noqa: E501
    for member in policy:
        if member not in ("redrivePermission", "sourceQueueArns"):
            raise invalid(value, "RedriveAllowPolicy", f"Only following attributes are supported: [redrivePermission, sourceQueueArns]. Not supported: {member}.")  # fmt: skip # noqa: E501
    return orjson.dumps(policy).decode()


def _are_queues(arns: Any) -> bool:
    return (
        isinstance(arns, list)
        and len(arns) <= MAX_SOURCE_QUEUES
        and all(isinstance(arn, str) and key_of_arn(arn) is not None for arn in arns)
    )


def _check_throughput(attributes: Mapping[str, str]) -> None:
    scope = attributes.get("DeduplicationScope", "queue")
    if attributes.get("FifoThroughputLimit") == "perMessageGroupId" and scope != "messageGroup":
        raise InvalidAttributeValue(
            "The value perMessageGroupId of FifoThroughputLimit is allowed only when the value of DeduplicationScope is"
            " messageGroup."
        )
