"""Labels of results: what stands for `${...}` in them.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/graph-dynamic-labels.html
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from cloudlet.errors import OperationNotImplemented
from cloudlet.services.cloudwatch.errors import ValidationFailed

Points = Sequence[tuple[int, float]]
_PLACE: Final = re.compile(r"\$\{([^{}]*)\}")
_PROPERTY: Final = re.compile(r"PROP\('([^']*)'\)")
_ZONE: Final = re.compile(r"([+-])(\d\d)(\d\d)")

_VALUES: Mapping[str, Callable[[Points], float]] = {
    "AVG": lambda points: sum(value for _, value in points) / len(points),
    "DATAPOINT_COUNT": len,
    "FIRST": lambda points: points[0][1],
    "LAST": lambda points: points[-1][1],
    "MAX": lambda points: max(value for _, value in points),
    "MIN": lambda points: min(value for _, value in points),
    "SUM": lambda points: sum(value for _, value in points),
}
_TIMES: Mapping[str, Callable[[Points], int]] = {
    "FIRST_TIME": lambda points: points[0][0],
    "LAST_TIME": lambda points: points[-1][0],
    "MAX_TIME": lambda points: max(points, key=lambda point: point[1])[0],
    "MIN_TIME": lambda points: min(points, key=lambda point: point[1])[0],
}


def zone(text: str | None) -> timezone:
    """The time zone `+0130`, UTC for none. Raises ValidationFailed."""
    if not text:
        return UTC
    match = _ZONE.fullmatch(text)
    if match is None or int(match[2]) > 14 or int(match[3]) > 59:
        raise ValidationFailed(f"The value {text} for parameter LabelOptions.Timezone is invalid.")
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return timezone(-offset if match[1] == "-" else offset)


def is_dynamic(label: str) -> bool:
    """True where a label has something to fill in."""
    return _PLACE.search(label) is not None


def filled(template: str, usual: str, points: Points, properties: Mapping[str, str], zone_: timezone) -> str:
    """A label with what it asks for. `usual`: the label that there would be without one; `points`: oldest first.

    Raises OperationNotImplemented for what is not known here.
    """

    def fill(match: re.Match[str]) -> str:
        name = match[1].strip()
        if name == "LABEL":
            return usual
        if (asked := _PROPERTY.fullmatch(name)) is not None:
            return properties.get(asked[1], "")
        if name in _VALUES:
            return _number(_VALUES[name](points)) if points else "--"
        if name in _TIMES:
            return _time(_TIMES[name](points), zone_) if points else "--"
        raise OperationNotImplemented(f"Cloudlet does not implement ${{{name}}} in labels.")

    return _PLACE.sub(fill, template)


def _number(value: float) -> str:
    return f"{round(value, 2):g}" if abs(value) < 1e6 else str(round(value))


def _time(moment_s: int, zone_: timezone) -> str:
    return datetime.fromtimestamp(moment_s, zone_).isoformat()
