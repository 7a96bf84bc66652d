"""Timestamps of the AWS protocols, both ways.

Three formats exist (https://smithy.io/2.0/spec/protocol-traits.html#timestampformat-trait): `iso8601` (date-time),
`rfc822` (http-date) and `unixtimestamp` (epoch seconds, with fractions). Inside the program a timestamp that came in is
an aware datetime in UTC; one that goes out may also be a number of epoch seconds.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO8601 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?(?:([Zz])|([+-])(\d\d):?(\d\d))?"
)
_FRACTION = re.compile(r"\.(\d+)(?= (?:GMT|UTC))")


def from_epoch(seconds: float) -> datetime:
    """The moment `seconds` after the epoch, to the microsecond.

    Raises ValueError for a number that is not finite or beyond the years 1 to 9999.
    """
    if not math.isfinite(seconds):
        raise ValueError("timestamp is not finite")
    whole = math.floor(seconds)
    try:
        return _EPOCH + timedelta(seconds=whole, microseconds=round((seconds - whole) * 1_000_000))
    except OverflowError as error:
        raise ValueError("timestamp out of range") from error


def parse_iso8601(text: str) -> datetime:
    """A date-time with or without fraction and offset; without an offset it is UTC. Raises ValueError."""
    match = _ISO8601.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not an ISO 8601 date-time: {text!r}")
    year, month, day, hour, minute, second, fraction, _, sign, offset_hour, offset_minute = match.groups()
    zone: timezone = UTC
    if sign:
        offset = timedelta(hours=int(offset_hour), minutes=int(offset_minute))
        zone = timezone(-offset if sign == "-" else offset)
    microsecond = int((fraction or "0").ljust(6, "0")[:6])
    moment = datetime(
        int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), microsecond, tzinfo=zone
    )
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("timestamp out of range") from error


def parse_rfc822(text: str) -> datetime:
    """An HTTP date, also with a fraction of a second as Smithy allows. Raises ValueError."""
    fraction = _FRACTION.search(text)
    if fraction is not None:
        text = text[: fraction.start()] + text[fraction.end() :]
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, IndexError) as error:
        raise ValueError(f"not an HTTP date: {text!r}") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if fraction is not None:
        moment = moment.replace(microsecond=int(fraction[1].ljust(6, "0")[:6]))
    return moment.astimezone(UTC)


def parse_unix(text: str) -> datetime:
    """Epoch seconds written as text. Raises ValueError."""
    return from_epoch(float(text))


def parse_any(text: str) -> datetime:
    """A timestamp in whichever format it is written, as AWS's own services are lenient in. Raises ValueError."""
    for parse in (parse_iso8601, parse_unix):
        try:
            return parse(text)
        except ValueError:
            continue
    return parse_rfc822(text)


def to_datetime(value: datetime | float) -> datetime:
    """A timestamp that goes out, as an aware datetime in UTC. Raises ValueError, TypeError."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return from_epoch(value)


def to_epoch(value: datetime | float) -> float:
    """A timestamp that goes out, as epoch seconds to the millisecond: a whole number where there is no fraction."""
    if isinstance(value, datetime):
        value = (to_datetime(value) - _EPOCH) / timedelta(seconds=1)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"not a timestamp: {value!r}")
    milliseconds = math.floor(value * 1000 + 1e-6)
    return milliseconds // 1000 if milliseconds % 1000 == 0 else milliseconds / 1000


def format_iso8601(value: datetime | float) -> str:
    """A date-time with `Z`, and milliseconds where there are any."""
    moment = to_datetime(value)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    milliseconds = moment.microsecond // 1000
    return f"{text}.{milliseconds:03d}Z" if milliseconds else f"{text}Z"


def format_rfc822(value: datetime | float) -> str:
    """An HTTP date; it has no fractions."""
    return format_datetime(to_datetime(value), usegmt=True)


def format_unix(value: datetime | float) -> str:
    """Epoch seconds as text."""
    return str(to_epoch(value))


PARSERS: dict[str, Callable[[str], datetime]] = {
    "iso8601": parse_iso8601,
    "rfc822": parse_rfc822,
    "unixtimestamp": parse_unix,
}
FORMATTERS: dict[str, Callable[[Any], str]] = {
    "iso8601": format_iso8601,
    "rfc822": format_rfc822,
    "unixtimestamp": format_unix,
}
