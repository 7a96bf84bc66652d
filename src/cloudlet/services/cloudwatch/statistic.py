"""Statistics by their names: `Average`, `p99.9`, `TM(10%:90%)` ...

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from cloudlet.services.cloudwatch.distribution import Distribution
from cloudlet.services.cloudwatch.summary import Summary

BASIC: dict[str, Callable[[Summary], float]] = {
    "SampleCount": lambda summary: summary.count,
    "Average": lambda summary: summary.total / summary.count,
    "Sum": lambda summary: summary.total,
    "Minimum": lambda summary: summary.minimum,
    "Maximum": lambda summary: summary.maximum,
}
_NUMBER = r"(?:\d+(?:\.\d{0,10})?|\.\d{1,10})"
_PERCENTILE = re.compile(rf"(p|tm|tc|ts|wm)({_NUMBER})")
_RANGE = re.compile(rf"(TM|TC|TS|WM|PR)\(({_NUMBER}%?)?:({_NUMBER}%?)?\)")


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic."""

    name: str
    kind: str
    """A name of `BASIC`, or `p`, `TM`, `TC`, `TS`, `WM`, `PR`."""
    low: float = 0.0
    high: float = 0.0
    in_percent: bool = True

    @property
    def needs_distribution(self) -> bool:
        """True where count, sum, least and greatest value are not enough."""
        return self.kind not in BASIC

    def of(self, summary: Summary) -> float | None:
        """Its value; None where the summary does not tell it."""
        if summary.count <= 0:
            return None
        if (basic := BASIC.get(self.kind)) is not None:
            return basic(summary)
        if summary.distribution is None:
            return None
        values = _clamped(summary.distribution, summary)
        if self.kind == "p":
            return percentile(values, self.high)
        return self._of_range(values)

    def _of_range(self, values: list[tuple[float, float]]) -> float | None:
        kept = (_between_ranks if self.in_percent else _between_values)(values, self.low, self.high)
        count = sum(number for _, number in kept)
        total = sum(value * number for value, number in kept)
        if self.kind == "TC":
            return count
        if self.kind == "TS":
            return total
        if self.kind == "PR":
            return 100.0 * count / sum(number for _, number in values)
        if self.kind == "WM":
            return self._winsorized(values)
        return total / count if count else None

    def _winsorized(self, values: list[tuple[float, float]]) -> float:
        low, high = self.low, self.high
        if self.in_percent:
            low, high = percentile(values, low), percentile(values, high)
        clamped = [(min(max(value, low), high), count) for value, count in values]
        return sum(value * count for value, count in clamped) / sum(count for _, count in clamped)


@lru_cache(maxsize=1024)
def parse(name: str) -> Statistic | None:
    """The statistic of this name; None where there is none such."""
    if name in BASIC:
        return Statistic(name, name)
    if name.upper() == "IQM":
        return Statistic(name, "TM", 25.0, 75.0)
    if (match := _PERCENTILE.fullmatch(name)) is not None:
        high = float(match[2])
        return Statistic(name, "p" if match[1] == "p" else match[1].upper(), 0.0, high) if high <= 100 else None
    match = _RANGE.fullmatch(name)
    if match is None or not (match[2] or match[3]):
        return None
    kind, low, high_text = match[1], match[2] or "", match[3] or ""
    in_percent = low.endswith("%") or high_text.endswith("%")
    if any(bound and bound.endswith("%") != in_percent for bound in (low, high_text)) or (kind == "PR" and in_percent):
        return None
    lowest, highest = (0.0, 100.0) if in_percent else (-math.inf, math.inf)
    bounds = (float(low.rstrip("%")) if low else lowest, float(high_text.rstrip("%")) if high_text else highest)
    if bounds[0] >= bounds[1] or (in_percent and bounds[1] > 100):
        return None
    return Statistic(name, kind, *bounds, in_percent=in_percent)


def percentile(values: list[tuple[float, float]], percent: float) -> float:
    """The least value that is not exceeded by `percent` of all. `values` are sorted, with their counts."""
    wanted = percent / 100 * sum(count for _, count in values)
    seen = 0.0
    for value, count in values:
        seen += count
        if seen >= wanted:
            return value
    return values[-1][0]


def _clamped(distribution: Distribution, summary: Summary) -> list[tuple[float, float]]:
    """The values; what stands for a bucket is never beyond the least and the greatest value that there was."""
    found = [(min(max(value, summary.minimum), summary.maximum), count) for value, count in distribution.items()]
    if not distribution.is_exact and len(found) > 1:
        found[0], found[-1] = (summary.minimum, found[0][1]), (summary.maximum, found[-1][1])
    return found


def _between_ranks(values: list[tuple[float, float]], low: float, high: float) -> list[tuple[float, float]]:
    """The part of the values that lies between two percentages of their number. A value may be there in part."""
    count = sum(number for _, number in values)
    first, last, seen = low / 100 * count, high / 100 * count, 0.0
    kept = []
    for value, number in values:
        inside = min(seen + number, last) - max(seen, first)
        seen += number
        if inside > 0:
            kept.append((value, inside))
    return kept


def _between_values(values: list[tuple[float, float]], low: float, high: float) -> list[tuple[float, float]]:
    """Those above `low` and not above `high`."""
    return [(value, count) for value, count in values if low < value <= high]
