"""The functions of metric math, by their names.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html#metric-math-syntax-functions-list
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from cloudlet.services.cloudwatch.math import conditional, filling
from cloudlet.services.cloudwatch.math.errors import MathError
from cloudlet.services.cloudwatch.math.series import Array, Grid, Series, Value, Word, arrays, each, kind

Function = Callable[[Sequence[Value]], Value]
Numbers = Sequence[float]

UNBUILT: Final = frozenset(
    {"ANOMALY_DETECTION_BAND", "DB_PERF_INSIGHTS", "INSIGHT_RULE_METRIC", "LAMBDA", "SEARCH", "SERVICE_QUOTA"}
)
"""AWS has them; they are not implemented here."""
NEED_REQUEST: Final = frozenset({"METRICS", "TIME_SERIES"})
"""Those that look at the whole request, and stand in `evaluate`."""
FILLING: Final = frozenset({"DATE", "DAY", "EPOCH", "FILL", "HOUR", "MINUTE", "MONTH", "TIME_SERIES", "YEAR"})
"""Those whose results have values at every moment, though what they are given may have few."""


def _aggregate(name: str, of_one: Callable[[Numbers], float], of_moment: Callable[[Numbers, int], float]) -> Function:
    """A function of one series (to a scalar), or of an array, moment by moment (to a series).

    `of_moment` is given the values that there are, and how many series there are. Of a series without values
    what counts and sums up makes 0, and all else no number.
    """

    def aggregate(arguments: Sequence[Value]) -> Value:
        value = _one(name, arguments)
        if isinstance(value, Series):
            numbers = list(value.values.values())
            return float(of_one(numbers)) if numbers or of_one in (len, math.fsum) else math.nan
        found = arrays(value)
        columns: dict[int, list[float]] = {}
        for series in found:
            for moment, number in series.values.items():
                columns.setdefault(moment, []).append(number)
        if not found:
            return ()
        pattern = max(found, key=lambda series: series.grid.period_s)
        return Series(pattern.grid, {m: float(of_moment(column, len(found))) for m, column in columns.items()})

    return aggregate


def _pointwise(name: str, change: Callable[[float], float]) -> Function:
    """A function of each value; where it has no result the point is left out."""

    def changed(series: Series) -> Series:
        found = []
        for moment, value in series.values.items():
            try:
                found.append((moment, float(change(value))))
            except (ArithmeticError, ValueError):
                continue
        return series.with_values(found)

    return lambda arguments: each(_one(name, arguments), changed)


def _stepwise(name: str, change: Callable[[float, float], float]) -> Function:
    """A function of the differences between each value and the one before: in value, and in seconds."""

    def changed(series: Series) -> Series:
        pairs = pairwise(series.ordered())
        return series.with_values((moment, change(b - a, moment - before)) for (before, a), (moment, b) in pairs)

    return lambda arguments: each(_one(name, arguments), changed)


def _of_time(name: str, part: Callable[[datetime], float]) -> Function:
    """A function of the moments alone: of all of them, whether they have a value or not."""

    def changed(series: Series) -> Series:
        moments = series.grid.moments()
        return series.with_values((moment, float(part(datetime.fromtimestamp(moment, UTC)))) for moment in moments)

    return lambda arguments: each(_one(name, arguments), changed)


def _running_sum(arguments: Sequence[Value]) -> Value:
    def changed(series: Series) -> Series:
        total, found = 0.0, []
        for moment, value in series.ordered():
            total += value
            found.append((moment, total))
        return series.with_values(found)

    return each(_one("RUNNING_SUM", arguments), changed)


def _period(arguments: Sequence[Value]) -> Value:
    value = _one("PERIOD", arguments)
    if not isinstance(value, Series):
        raise MathError(f"PERIOD takes a metric, not a {kind(value)}")
    return float(value.grid.period_s)


def _metric_count(arguments: Sequence[Value]) -> Value:
    return float(len(arrays(_one("METRIC_COUNT", arguments))))


def _first(arguments: Sequence[Value]) -> Value:
    return _member("FIRST", arguments, 0)


def _last(arguments: Sequence[Value]) -> Value:
    return _member("LAST", arguments, -1)


def _member(name: str, arguments: Sequence[Value], number: int) -> Value:
    found = arrays(_one(name, arguments))
    if not found:
        return ()
    return found[number]


def _slice(arguments: Sequence[Value]) -> Value:
    value, *bounds = _some("SLICE", arguments, 2, 3)
    found = arrays(value)
    start, end = (*map(_whole, bounds), len(found))[:2]
    return found[max(0, start) : max(0, end)]


def _sort(arguments: Sequence[Value]) -> Value:
    value, by, order, *limit = _some("SORT", arguments, 3, 4)
    found = arrays(value)
    if not (isinstance(by, Word) and by.text in _SORTS and isinstance(order, Word) and order.text in ("ASC", "DESC")):
        raise MathError("SORT takes AVG, MIN, MAX or SUM, and ASC or DESC")
    measure = _SORTS[by.text]
    with_data = sorted(
        (series for series in found if series.values),
        key=lambda series: measure(list(series.values.values())),
        reverse=order.text == "DESC",
    )
    ordered: Array = (*with_data, *(series for series in found if not series.values))
    return ordered[: max(0, _whole(limit[0]))] if limit else ordered


def _remove_empty(arguments: Sequence[Value]) -> Value:
    return tuple(series for series in arrays(_one("REMOVE_EMPTY", arguments)) if series.values)


def _mean(numbers: Numbers) -> float:
    return math.fsum(numbers) / len(numbers)


_SORTS: Mapping[str, Callable[[Numbers], float]] = {"AVG": _mean, "MIN": min, "MAX": max, "SUM": math.fsum}


def _whole(value: Value) -> int:
    if not isinstance(value, float) or not math.isfinite(value):
        raise MathError(f"Expected a scalar, not a {kind(value)}")
    return int(value)


def _one(name: str, arguments: Sequence[Value]) -> Value:
    """The only argument."""
    return _some(name, arguments, 1, 1)[0]


def _some(name: str, arguments: Sequence[Value], least: int, most: int) -> Sequence[Value]:
    """The arguments, where there are as many as there have to be."""
    if not least <= len(arguments) <= most:
        raise MathError(f"{name} cannot take {len(arguments)} arguments")
    return arguments


def constant(grid: Grid, value: float) -> Series:
    """A series that has this value at every moment."""
    return Series(grid, dict.fromkeys(grid.moments(), value) if math.isfinite(value) else {})


FUNCTIONS: Mapping[str, Function] = {
    "ABS": _pointwise("ABS", abs),
    "AVG": _aggregate("AVG", _mean, lambda numbers, series: math.fsum(numbers) / series),
    "CEIL": _pointwise("CEIL", math.ceil),
    "DATAPOINT_COUNT": _aggregate("DATAPOINT_COUNT", len, lambda numbers, _: len(numbers)),
    "DATE": _of_time("DATE", lambda moment: moment.day),
    "DAY": _of_time("DAY", lambda moment: moment.isoweekday()),
    "DIFF": _stepwise("DIFF", lambda difference, _: difference),
    "DIFF_TIME": _stepwise("DIFF_TIME", lambda _, seconds: seconds),
    "EPOCH": _of_time("EPOCH", lambda moment: moment.timestamp()),
    "FILL": filling.fill,
    "FIRST": _first,
    "FLOOR": _pointwise("FLOOR", math.floor),
    "HOUR": _of_time("HOUR", lambda moment: moment.hour),
    "IF": conditional.choose,
    "LAST": _last,
    "LOG": _pointwise("LOG", math.log),
    "LOG10": _pointwise("LOG10", math.log10),
    "MAX": _aggregate("MAX", max, lambda numbers, _: max(numbers)),
    "METRIC_COUNT": _metric_count,
    "MIN": _aggregate("MIN", min, lambda numbers, _: min(numbers)),
    "MINUTE": _of_time("MINUTE", lambda moment: moment.minute),
    "MONTH": _of_time("MONTH", lambda moment: moment.month),
    "PERIOD": _period,
    "RATE": _stepwise("RATE", lambda difference, seconds: difference / seconds),
    "REMOVE_EMPTY": _remove_empty,
    "RUNNING_SUM": _running_sum,
    "SLICE": _slice,
    "SORT": _sort,
    "STDDEV": _aggregate("STDDEV", statistics.pstdev, lambda numbers, _: statistics.pstdev(numbers)),
    "SUM": _aggregate("SUM", math.fsum, lambda numbers, _: math.fsum(numbers)),
    "YEAR": _of_time("YEAR", lambda moment: moment.year),
}
