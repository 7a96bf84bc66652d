"""FILL: values for the moments that have none."""

from collections.abc import Sequence
from itertools import pairwise

from cloudlet.services.cloudwatch.math.errors import MathError
from cloudlet.services.cloudwatch.math.series import Series, Value, Word, each, kind


def fill(arguments: Sequence[Value]) -> Value:
    """FILL(series, scalar | series | REPEAT | LINEAR). Before the first value, REPEAT and LINEAR have nothing to fill
    with; nor has LINEAR after the last."""
    if len(arguments) != 2:
        raise MathError(f"FILL cannot take {len(arguments)} arguments")
    value, filler = arguments
    if isinstance(filler, float):
        return each(value, lambda series: _with(series, dict.fromkeys(series.grid.moments(), filler)))
    if isinstance(filler, Series):
        there = filler.values
        return each(value, lambda series: _with(series, {m: there[m] for m in series.grid.moments() if m in there}))
    if filler == Word("REPEAT"):
        return each(value, _repeated)
    if filler == Word("LINEAR"):
        return each(value, _linear)
    raise MathError(f"FILL takes a scalar, a time series, REPEAT or LINEAR, not a {kind(filler)}")


def _with(series: Series, fillers: dict[int, float]) -> Series:
    return series.with_values({**fillers, **series.values}.items())


def _repeated(series: Series) -> Series:
    found, before = {}, None
    for moment in series.grid.moments():
        before = series.values.get(moment, before)
        if before is not None:
            found[moment] = before
    return _with(series, found)


def _linear(series: Series) -> Series:
    found, ordered, period_s = {}, series.ordered(), series.grid.period_s
    for (start, a), (end, b) in pairwise(ordered):
        for moment in range(start + period_s, end, period_s):
            found[moment] = a + (b - a) * (moment - start) / (end - start)
    return _with(series, found)
