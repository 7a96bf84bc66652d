"""What LookupEvents asks for and answers.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from cloudlet.services.cloudtrail.errors import InvalidLookupAttributes, InvalidNextToken, InvalidTimeRange
from cloudlet.services.cloudtrail.recorder import DAY_US, KEPT_DAYS
from cloudlet.services.cloudtrail.tables import ATTRIBUTES, Kept, Wanted

MAX_RESULTS = 50
MAX_VALUE_CHARACTERS = 2000
FROM_THE_NEWEST = (1 << 62, "")
"""Before the start of the first page."""


def wanted(params: Mapping[str, Any], account: str, region: str, now: float) -> Wanted:
    """The events that a request asks for. Raises InvalidLookupAttributes, InvalidTimeRange."""
    now_us = int(now * 1_000_000)
    oldest_us = now_us - KEPT_DAYS * DAY_US
    from_us = _moment_us(params.get("StartTime"), oldest_us)
    to_us = _moment_us(params.get("EndTime"), FROM_THE_NEWEST[0])
    if from_us > to_us:
        raise InvalidTimeRange("The start time must be before the end time.")
    attribute, value = _attribute(params.get("LookupAttributes") or [])
    # Whoever names a second as the end means all of it.
    end_us = to_us + 999_999 if to_us % 1_000_000 == 0 else to_us
    return Wanted(account, region, max(from_us, oldest_us), end_us, attribute, value)


def _moment_us(moment: datetime | None, default: int) -> int:
    return default if moment is None else int(moment.timestamp() * 1_000_000)


def _attribute(attributes: list[Mapping[str, str]]) -> tuple[str, str]:
    if not attributes:
        return "", ""
    if len(attributes) > 1:
        raise InvalidLookupAttributes("Only one lookup attribute can be specified.")
    key, value = attributes[0]["AttributeKey"], attributes[0]["AttributeValue"]
    if key not in ATTRIBUTES or not 0 < len(value) <= MAX_VALUE_CHARACTERS:
        raise InvalidLookupAttributes(f"The lookup attribute {key} is not valid.")
    if key == "ReadOnly" and value not in ("true", "false"):
        raise InvalidLookupAttributes("The value of ReadOnly must be true or false.")
    return key, value


def token(params: Mapping[str, Any], last: Kept) -> str:
    """What the next page is asked with: it goes on after `last`."""
    return base64.b64encode(orjson.dumps([_fingerprint(params), last.moment_us, last.event_id])).decode()


def before(params: Mapping[str, Any]) -> tuple[int, str]:
    """Where the page of a request starts. Raises InvalidNextToken."""
    given = params.get("NextToken")
    if given is None:
        return FROM_THE_NEWEST
    try:
        fingerprint, moment_us, event_id = orjson.loads(base64.b64decode(given, validate=True))
    except (binascii.Error, ValueError, TypeError) as error:
        raise InvalidNextToken("The token is not valid.") from error
    if fingerprint != _fingerprint(params) or not isinstance(moment_us, int) or not isinstance(event_id, str):
        raise InvalidNextToken("The token was made for a request with other parameters.")
    return moment_us, event_id


def _fingerprint(params: Mapping[str, Any]) -> str:
    kept = {name: value for name, value in params.items() if name not in ("NextToken", "MaxResults")}
    return hashlib.sha256(orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def shown(event: Kept) -> dict[str, Any]:
    """An event as the answer has it."""
    lines = [line.split("\t", 1) for line in event.resources.split("\n") if line]
    answer: dict[str, Any] = {
        "EventId": event.event_id,
        "EventName": event.name,
        "ReadOnly": event.read_only,
        "EventTime": datetime.fromtimestamp(event.moment_us // 1_000_000, UTC),
        "EventSource": event.source,
        "Resources": [{"ResourceType": kind, "ResourceName": name} for kind, name in lines],
        "CloudTrailEvent": event.event.decode(),
    }
    if event.access_key_id:
        answer["AccessKeyId"] = event.access_key_id
    if event.user_name:
        answer["Username"] = event.user_name
    return answer
