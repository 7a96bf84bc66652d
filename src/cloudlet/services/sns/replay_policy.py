"""Replay policies: which archived messages a subscriber gets again.

https://docs.aws.amazon.com/sns/latest/dg/message-archiving-and-replay-subscriber.html
"""

from datetime import datetime
from typing import Any, NamedTuple

import orjson

from cloudlet.services.sns.errors import invalid

_POINT = "Timestamp"


class ReplayPolicy(NamedTuple):
    """What is replayed: messages that were published in this time, milliseconds since the epoch."""

    from_ms: int
    until_ms: int | None


def check(text: str, parameter: str) -> ReplayPolicy:
    """The policy that a text is. Raises InvalidParameter."""
    try:
        policy: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise invalid(f"{parameter}: failed to parse JSON.") from None
    if not isinstance(policy, dict) or policy.get("PointType") != _POINT or "StartingPoint" not in policy:
        raise invalid(f"{parameter}: PointType must be {_POINT}, with a StartingPoint")
    from_ms = _moment(policy["StartingPoint"], parameter)
    ends = policy.get("EndingPoint")
    until_ms = _moment(ends, parameter) if ends is not None else None
    if until_ms is not None and until_ms < from_ms:
        raise invalid(f"{parameter}: EndingPoint must not be before StartingPoint")
    return ReplayPolicy(from_ms, until_ms)


def _moment(text: Any, parameter: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError
        return int(moment.timestamp() * 1000)
    except (TypeError, ValueError):
        raise invalid(f"{parameter}: {text} is no timestamp: 2023-06-25T20:00:00.000Z") from None
