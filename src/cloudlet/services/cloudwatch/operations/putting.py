"""PutMetricData.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from cloudlet.errors import OperationNotImplemented
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import BodyLimit, Result, operation
from cloudlet.services.cloudwatch.errors import (
    InvalidParameterCombination,
    InvalidParameterValue,
    MissingParameter,
    PutTooLarge,
)
from cloudlet.services.cloudwatch.ingestion import Datum
from cloudlet.services.cloudwatch.metric import MetricKey, dimensions_of
from cloudlet.services.cloudwatch.operations.base import CloudWatchParts, check_text, place_of, seconds
from cloudlet.services.cloudwatch.summary import Summary
from cloudlet.wire.http import HttpRequest

MAX_METRICS: Final = 1000
MAX_VALUES: Final = 150
MAX_DIMENSIONS: Final = 30
MAX_BODY_BYTES: Final = 1_000_000
LARGEST: Final = 2.0**360
PAST_S: Final = 14 * 86_400
FUTURE_S: Final = 2 * 3600
UNITS: Final = (
    *("Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes", "Bits"),
    *("Kilobits", "Megabits", "Gigabits", "Terabits", "Percent", "Count", "Bytes/Second", "Kilobytes/Second"),
    *("Megabytes/Second", "Gigabytes/Second", "Terabytes/Second", "Bits/Second", "Kilobits/Second"),
    *("Megabits/Second", "Gigabits/Second", "Terabits/Second", "Count/Second", "None"),
)
"""In the order in which AWS names them."""
Described = Mapping[str, Any]


def _too_large(size_bytes: int, request: HttpRequest) -> PutTooLarge:  # noqa: ARG001
    return PutTooLarge(f"The request must not be larger than {MAX_BODY_BYTES} bytes.")


class PutOperations(CloudWatchParts):
    """Taking data in."""

    body_limits = {"PutMetricData": BodyLimit(MAX_BODY_BYTES, _too_large)}

    @operation("PutMetricData")
    async def put_metric_data(self, context: RequestContext, params: Described) -> Result:
        if params.get("EntityMetricData") or params.get("StrictEntityValidation"):
            raise OperationNotImplemented("Cloudlet does not implement entities of metrics (EntityMetricData).")
        namespace = params["Namespace"]
        check_text("Namespace", namespace)
        if namespace.startswith("AWS/"):
            raise InvalidParameterValue("The value AWS/ for parameter Namespace is invalid.")
        described: Sequence[Described] = params.get("MetricData") or ()
        if not described:
            raise MissingParameter("The parameter MetricData is required.")
        if len(described) > MAX_METRICS:
            raise InvalidParameterValue(f"The collection MetricData must not have a size greater than {MAX_METRICS}.")
        data = list(_data(namespace, described, self.platform.clock.now()))
        await self.ingestion.put(place_of(context), data)
        return {}


def _data(namespace: str, described: Iterable[Described], now_s: float) -> Iterator[Datum]:
    for number, datum in enumerate(described, 1):
        path = f"MetricData.member.{number}"
        check_text(f"{path}.MetricName", datum["MetricName"])
        metric = MetricKey(namespace, datum["MetricName"], _dimensions(path, datum))
        moment_s = _moment(path, datum, now_s)
        yield Datum(
            metric, moment_s, _resolution(path, datum), check_unit(path, datum) or "None", _summary(path, datum)
        )


def _dimensions(path: str, datum: Described) -> list[tuple[str, str]]:
    found = dimensions_of(datum)
    if len(found) > MAX_DIMENSIONS:
        raise InvalidParameterValue(
            f"The collection {path}.Dimensions must not have a size greater than {MAX_DIMENSIONS}."
        )
    for number, (name, value) in enumerate(found, 1):
        check_text(f"{path}.Dimensions.member.{number}.Name", name)
        check_text(f"{path}.Dimensions.member.{number}.Value", value)
        if name.startswith(":"):
            raise InvalidParameterValue(
                f"The value {name} for parameter {path}.Dimensions.member.{number}.Name is invalid."
            )
    if len({name for name, _ in found}) < len(found):
        raise InvalidParameterValue(f"The parameter {path}.Dimensions must not name a dimension more than once.")
    return found


def _moment(path: str, datum: Described, now_s: float) -> float:
    if datum.get("Timestamp") is None:
        return now_s
    moment_s = seconds(datum["Timestamp"])
    if moment_s < now_s - PAST_S:
        raise InvalidParameterValue(f"The parameter {path}.Timestamp must specify a time within the past two weeks.")
    if moment_s > now_s + FUTURE_S:
        raise InvalidParameterValue(
            f"The parameter {path}.Timestamp must specify a time no more than two hours in the future."
        )
    return moment_s


def _resolution(path: str, datum: Described) -> int:
    resolution = 60 if (given := datum.get("StorageResolution")) is None else given
    if resolution not in (1, 60):
        raise InvalidParameterValue(f"The parameter {path}.StorageResolution must be either 1 or 60.")
    return int(resolution)


def check_unit(path: str, described: Described) -> str:
    """The unit, or nothing where there is none. Raises InvalidParameterValue."""
    unit: str = described.get("Unit") or ""
    if unit and unit not in UNITS:
        prefix = f"{path}." if path else ""
        raise InvalidParameterValue(f"The parameter {prefix}Unit must be a value in the set [ {', '.join(UNITS)} ].")
    return unit


def _summary(path: str, datum: Described) -> Summary:
    given = [name for name in ("Value", "StatisticValues", "Values") if datum.get(name) is not None]
    if not given:
        raise MissingParameter(
            f"At least one of the parameters {path}.Value, {path}.Values or {path}.StatisticValues must be specified."
        )
    if len(given) > 1:
        raise InvalidParameterCombination(
            f"The parameters {path}.{given[0]} and {path}.{given[1]} are mutually exclusive "
            "and you have specified both."
        )
    if given == ["Value"]:
        return Summary.of_values([(_number(f"{path}.Value", datum["Value"]), 1.0)])
    return _values(path, datum) if given == ["Values"] else _statistics(path, datum["StatisticValues"])


def _values(path: str, datum: Described) -> Summary:
    values, counts = datum["Values"], datum.get("Counts")
    if not values:
        raise MissingParameter(f"The parameter {path}.Values is required.")
    if len(values) > MAX_VALUES:
        raise InvalidParameterValue(f"The collection {path}.Values must not have a size greater than {MAX_VALUES}.")
    if counts is not None and len(counts) != len(values):
        raise InvalidParameterValue(f"The parameters {path}.Values and {path}.Counts must be of the same size.")
    pairs = [
        (_number(f"{path}.Values.member.{number}", value), _number(f"{path}.Counts.member.{number}", count))
        for number, (value, count) in enumerate(zip(values, counts or [1.0] * len(values), strict=True), 1)
    ]
    for number, (_, count) in enumerate(pairs, 1):
        if count <= 0:
            raise InvalidParameterValue(f"The parameter {path}.Counts.member.{number} must be greater than 0.")
    return Summary.of_values(pairs)


def _statistics(path: str, described: Described) -> Summary:
    names = ("SampleCount", "Sum", "Minimum", "Maximum")
    count, total, minimum, maximum = (_number(f"{path}.StatisticValues.{name}", described[name]) for name in names)
    if count <= 0:
        raise InvalidParameterValue(f"The parameter {path}.StatisticValues.SampleCount must be greater than 0.")
    if minimum > maximum:
        raise InvalidParameterValue(
            f"The parameter {path}.StatisticValues.Maximum must be greater than {path}.StatisticValues.Minimum."
        )
    return Summary.of_statistics(count, total, minimum, maximum)


def _number(path: str, value: float) -> float:
    if not math.isfinite(value) or abs(value) > LARGEST:
        raise InvalidParameterValue(f"The value {value} for parameter {path} is invalid.")
    return float(value)
