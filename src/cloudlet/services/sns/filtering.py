"""Filter policies: what may be one, and which messages a subscription wants.

https://docs.aws.amazon.com/sns/latest/dg/sns-message-filtering.html
"""

import math
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Final

import orjson

from cloudlet.patterns import InvalidJson, InvalidPattern, Pattern
from cloudlet.patterns.tokens import check_json
from cloudlet.services.sns.errors import invalid
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.subscription import BODY, Subscription

MAX_KEYS: Final = 5
MAX_COMBINATIONS: Final = 150
MAX_BYTES: Final = 256 * 1024
"""https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html"""
ARRAY = "String.Array"
_INVALID: Final = object()
"""What stands for a body that is no JSON."""


def check(text: str, scope: str, parameter: str) -> None:
    """Raises InvalidParameter for a policy that is none. `parameter`: how the error begins, with the attribute."""
    if len(text.encode()) > MAX_BYTES:
        raise invalid(f"{parameter}: Filter policy is too large")
    check_is_json(text, parameter)
    if text == "{}":
        return
    try:
        pattern = Pattern.parse(text)
    except InvalidPattern as error:
        too_complex = str(error) == "Pattern is too complex"
        raise invalid(f"{parameter}: {'Filter policy is too complex' if too_complex else error}") from error
    if pattern.is_nested and scope != BODY:
        raise invalid("Filter policy scope MessageAttributes does not support nested filter policy")
    if len(pattern.names) > MAX_KEYS:
        raise invalid(f"{parameter}: Filter policy can not have more than {MAX_KEYS} keys")
    if combinations(pattern) > MAX_COMBINATIONS:
        raise invalid(f"{parameter}: Filter policy is too complex")


def check_is_json(text: str, parameter: str) -> None:
    """Raises InvalidParameter, with Jackson's words, for what is not JSON."""
    try:
        check_json(text)
    except InvalidJson as error:
        raise invalid(
            f"{parameter}: failed to parse JSON. {error}\n at [Source: REDACTED"
            " (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled);"
            f" line: {error.line}, column: {error.column}]"
        ) from error


def combinations(pattern: Pattern) -> int:
    """How complex a policy is: values times depth, multiplied over its fields, and added over its alternatives."""
    return sum(
        math.prod(tests.count * (path.count(".") + 1) for path, tests in alternative.fields.items())
        for alternative in pattern.alternatives
    )


class Rejection(Enum):
    """Why a subscription does not get a message: how AWS's metrics call it."""

    ATTRIBUTES = ("MessageAttributes",)
    INVALID_ATTRIBUTES = ("MessageAttributes", "InvalidAttributes")
    NO_ATTRIBUTES = ("MessageAttributes", "NoMessageAttributes")
    BODY = ("MessageBody",)
    INVALID_BODY = ("MessageBody", "InvalidMessageBody")


def chosen(subscriptions: Sequence[Subscription], message: Message) -> tuple[list[Subscription], list[Rejection]]:
    """Those subscriptions that are to get a message, and why the others are not."""
    wanting: list[Subscription] = []
    rejections: list[Rejection] = []
    bodies: dict[str, Any] = {}
    for subscription in subscriptions:
        rejection = rejected(subscription, message, bodies)
        if rejection is None:
            wanting.append(subscription)
        else:
            rejections.append(rejection)
    return wanting, rejections


def rejected(subscription: Subscription, message: Message, bodies: dict[str, Any] | None = None) -> Rejection | None:
    """Why the subscription is not to get the message; None when it is. `bodies`: texts that were read already."""
    if subscription.filter is None:
        return None
    if not subscription.filters_body:
        if subscription.filter.matches(_values(message.attributes)):
            return None
        if not message.attributes:
            return Rejection.NO_ATTRIBUTES
        return Rejection.INVALID_ATTRIBUTES if _has_invalid(message.attributes) else Rejection.ATTRIBUTES
    body = _body(message.text_for(subscription.protocol), {} if bodies is None else bodies)
    if body is _INVALID:
        return Rejection.INVALID_BODY
    return None if subscription.filter.matches(body) else Rejection.BODY


def _body(text: str, bodies: dict[str, Any]) -> Any:
    if text not in bodies:
        try:
            bodies[text] = orjson.loads(text)
        except orjson.JSONDecodeError:
            bodies[text] = _INVALID
    return bodies[text]


def _has_invalid(attributes: Mapping[str, Mapping[str, str]]) -> bool:
    """True where an attribute is said to be an array, and is none."""
    return any(each["Type"] == ARRAY and not isinstance(_parsed(each["Value"]), list) for each in attributes.values())


def _values(attributes: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """A message's attributes as an event. Binary ones are nothing that a policy could speak of."""
    return {
        name: _value(value["Type"], value["Value"])
        for name, value in attributes.items()
        if not value["Type"].startswith("Binary")
    }


def _value(data_type: str, text: str) -> Any:
    if data_type == ARRAY:
        found = _parsed(text)
        return found if isinstance(found, list) else text
    if data_type.startswith("Number"):
        return _parsed(text, float(text))
    return text


def _parsed(text: str, otherwise: Any = None) -> Any:
    try:
        found: str | int | float | Sequence[Any] | None = orjson.loads(text)
    except orjson.JSONDecodeError:
        return otherwise
    return found
