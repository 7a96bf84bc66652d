"""IF: one value or another, moment by moment.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html#using-IF-expressions
"""

from collections.abc import Sequence

from cloudlet.services.cloudwatch.math.errors import MathError
from cloudlet.services.cloudwatch.math.series import Series, Value, each, kind


def choose(arguments: Sequence[Value]) -> Value:
    """IF(condition, value where it is not 0, value where it is 0). Without the last, those moments have no value."""
    if not 2 <= len(arguments) <= 3:
        raise MathError(f"IF cannot take {len(arguments)} arguments")
    condition, then, *rest = arguments
    otherwise = rest[0] if rest else None
    if isinstance(condition, float):
        return _whole(condition, then, otherwise)
    for value in (then, otherwise):
        if value is not None and not isinstance(value, float | Series):
            raise MathError(f"IF takes scalars and time series, not a {kind(value)}")
    return each(condition, lambda series: _by_moment(series, then, otherwise))


def _whole(condition: float, then: Value, otherwise: Value | None) -> Value:
    if condition:
        return then
    if otherwise is not None:
        return otherwise
    return each(then, lambda series: series.with_values(()))


def _by_moment(condition: Series, then: Value, otherwise: Value | None) -> Series:
    found = []
    for moment, truth in condition.values.items():
        # What is true and has no value is 0, what is false and has none is left out: so it is on AWS.
        value = _at(then, moment, 0.0) if truth else _at(otherwise, moment, None)
        if value is not None:
            found.append((moment, value))
    return condition.with_values(found)


def _at(value: Value | None, moment: int, missing: float | None) -> float | None:
    if isinstance(value, Series):
        return value.values.get(moment, missing)
    return value if isinstance(value, float) else None
