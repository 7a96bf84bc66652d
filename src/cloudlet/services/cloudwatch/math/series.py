"""Time series, and what happens to them point by point."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from cloudlet.services.cloudwatch.math.errors import MathError

MAX_MOMENTS: Final = 100_800
"""Data points of an answer: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html"""


@dataclass(frozen=True, slots=True)
class Grid:
    """All moments at which a series can have a value: from `start_s`, every `period_s` seconds, before `end_s`."""

    start_s: int
    end_s: int
    period_s: int

    @property
    def size(self) -> int:
        """How many moments there are."""
        return len(range(self.start_s, self.end_s, self.period_s))

    def moments(self) -> range:
        """The moments, in seconds since the epoch. Raises MathError where there are more than anybody can want."""
        if self.size > MAX_MOMENTS:
            raise MathError(f"The time range has more than {MAX_MOMENTS} periods")
        return range(self.start_s, self.end_s, self.period_s)


@dataclass(frozen=True, slots=True)
class Series:
    """Values over time. Moments without a value are missing."""

    grid: Grid
    values: Mapping[int, float]
    """By their moment."""
    label: str = ""

    def with_values(self, values: Iterable[tuple[int, float]]) -> "Series":
        """A series of this label and grid with other values; those that are not finite are left out."""
        return replace(self, values={moment: value for moment, value in values if math.isfinite(value)})

    def ordered(self) -> list[tuple[int, float]]:
        """The values, oldest first."""
        return sorted(self.values.items())


@dataclass(frozen=True, slots=True)
class Word:
    """A word that a function knows: REPEAT, DESC ..."""

    text: str


Array = tuple[Series, ...]
Value = float | Series | Array | Word | str
Pointwise = Callable[[float, float], float]


def kind(value: Value) -> str:
    """What a value is, for people."""
    if isinstance(value, float):
        return "scalar"
    if isinstance(value, Series):
        return "time series"
    return "array of time series" if isinstance(value, tuple) else "text"


def each(value: Value, change: Callable[[Series], Series]) -> Value:
    """`change` of a series, or of each of an array. Raises MathError for anything else."""
    if isinstance(value, Series):
        return change(value)
    if isinstance(value, tuple):
        return tuple(change(one) for one in value)
    raise MathError(f"Expected a time series or an array of time series, not a {kind(value)}")


def arrays(value: Value) -> Array:
    """The series of a value, of which there may be one. Raises MathError."""
    if isinstance(value, Series):
        return (value,)
    if isinstance(value, tuple):
        return value
    raise MathError(f"Expected a time series or an array of time series, not a {kind(value)}")


def combined(left: Value, right: Value, operate: Pointwise) -> Value:
    """Two values, point by point. A value that one of two series misses is 0; where `operate` raises ArithmeticError
    the point is left out. Raises MathError for values that cannot be combined, and for such an error of two scalars.
    """
    if isinstance(left, tuple) and isinstance(right, Series | float):
        return tuple(_pair(one, right, operate) for one in left)
    if isinstance(right, tuple) and isinstance(left, Series | float):
        return tuple(_pair(left, one, operate) for one in right)
    if isinstance(left, float) and isinstance(right, float):
        try:
            return float(operate(left, right))
        except (ArithmeticError, ValueError) as error:
            raise MathError("The result is not a number") from error
    if isinstance(left, float | Series) and isinstance(right, float | Series):
        return _pair(left, right, operate)
    raise MathError(f"Unsupported operands: {kind(left)} and {kind(right)}")


def _pair(left: float | Series, right: float | Series, operate: Pointwise) -> Series:
    if isinstance(left, Series) and isinstance(right, Series):
        a, b = left.values, right.values
        coarser = left if left.grid.period_s >= right.grid.period_s else right
        pairs = ((moment, a.get(moment, 0.0), b.get(moment, 0.0)) for moment in {**a, **b})
        return replace(coarser, label=left.label).with_values(_operated(pairs, operate))
    if isinstance(left, Series):
        assert isinstance(right, float)
        return left.with_values(_operated(((m, value, right) for m, value in left.values.items()), operate))
    assert isinstance(right, Series)
    return right.with_values(_operated(((m, left, value) for m, value in right.values.items()), operate))


def _operated(pairs: Iterable[tuple[int, float, float]], operate: Pointwise) -> Iterable[tuple[int, float]]:
    for moment, a, b in pairs:
        try:
            yield moment, operate(a, b)
        except (ArithmeticError, ValueError):
            continue
