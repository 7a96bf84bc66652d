"""What GetMetricData answers: the series of a request's queries, one after the other, page by page."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timezone
from typing import Any, Final, NamedTuple

from cloudlet.services.cloudwatch import labels
from cloudlet.services.cloudwatch.errors import ValidationFailed
from cloudlet.services.cloudwatch.math.errors import MathError
from cloudlet.services.cloudwatch.math.evaluate import (
    MAX_POINTS,
    MAX_WORK,
    Scope,
    evaluate,
    metric_patterns,
    names,
    work,
)
from cloudlet.services.cloudwatch.math.series import Array, Grid, Series, Value
from cloudlet.services.cloudwatch.metric import Place
from cloudlet.services.cloudwatch.query import ExpressionQuery, MetricQuery, Query, in_expression, in_order
from cloudlet.services.cloudwatch.reading import Periods, Reading
from cloudlet.services.cloudwatch.retention import rounded_start
from cloudlet.services.cloudwatch.summary import Summary

DEFAULT_PERIOD_S: Final = 300
"""Of a series that is made of nothing but a number, in a request that names no period at all."""


class TimeRange(NamedTuple):
    """What a request asks for, and when it does."""

    start_s: float
    end_s: float
    now_s: float

    def periods(self, period_s: int) -> Periods:
        """The periods in it."""
        return Periods(rounded_start(self.start_s, self.now_s, period_s), int(-(-self.end_s // 1)), period_s)

    def grid(self, period_s: int) -> Grid:
        """The moments at which a series of this period has values."""
        return Grid(*self.periods(period_s))


class Cursor(NamedTuple):
    """Where a page begins."""

    query: int = 0
    series: int = 0
    after_s: int | None = None
    """The moment of the last point that was shown of this series."""


class Results:
    """The series of one request."""

    def __init__(self, reading: Reading, place: Place, queries: Sequence[Query], wanted: TimeRange) -> None:
        self._reading = reading
        self._place = place
        self._queries = queries
        self._wanted = wanted
        self._metrics = {query.id: query for query in queries if isinstance(query, MetricQuery)}
        self._expressions = {query.id: query for query in queries if isinstance(query, ExpressionQuery)}
        self._fetched: dict[str, Series] = {}
        self._values: dict[str, Value] | None = None

    async def page(
        self, cursor: Cursor, limit: int, *, newest_first: bool, zone: timezone
    ) -> tuple[Any, Cursor | None]:
        """The results from `cursor` on, with `limit` points at most, and where the next page begins."""
        found: list[dict[str, Any]] = []
        async for position, query, series in self._from(cursor):
            points = series.ordered()
            result: dict[str, Any] = {
                "Id": query.id,
                "Label": self._label(query, series, points, zone),
                "StatusCode": "Complete",
            }
            if newest_first:
                points.reverse()
            if position == cursor[:2] and (after_s := cursor.after_s) is not None:
                points = [point for point in points if (point[0] < after_s if newest_first else point[0] > after_s)]
            if limit == 0:
                return found, Cursor(*position)
            shown = points[:limit]
            limit -= len(shown)
            result |= {"Timestamps": [float(moment) for moment, _ in shown], "Values": [value for _, value in shown]}
            found.append(result)
            if len(shown) < len(points):
                result["StatusCode"] = "PartialData"
                return found, Cursor(*position, shown[-1][0])
        return found, None

    async def _from(self, cursor: Cursor) -> AsyncIterator[tuple[tuple[int, int], Query, Series]]:
        for number, query in enumerate(self._queries):
            if number < cursor.query or not query.is_returned:
                continue
            for index, series in enumerate(await self._series(query)):
                if (number, index) >= cursor[:2]:
                    yield (number, index), query, series

    async def _series(self, query: Query) -> Array:
        if isinstance(query, MetricQuery):
            return (self._fetched.get(query.id) or await self._fetch(query),)
        if self._values is None:
            self._values = await self._evaluate()
        value = self._values[query.id]
        if isinstance(value, Series):
            return (value,)
        assert isinstance(value, tuple)
        return value

    async def _fetch(self, query: MetricQuery) -> Series:
        summaries = await self._reading.summaries(
            self._place,
            query.metric,
            self._wanted.periods(query.period_s),
            query.unit,
            distributions=query.statistic.needs_distribution,
        )
        joined: dict[int, Summary] = {}
        for (moment, _), summary in sorted(summaries.items(), key=lambda item: item[0]):
            if moment in joined:
                joined[moment].merge(summary)
            else:
                joined[moment] = summary
        values = ((moment, query.statistic.of(summary)) for moment, summary in joined.items())
        label = query.label if query.label and not labels.is_dynamic(query.label) else query.metric.name
        known = [(moment, value) for moment, value in values if value is not None]
        return Series(self._wanted.grid(query.period_s), {}, label).with_values(known)

    async def _evaluate(self) -> dict[str, Value]:
        """The values of all expressions that are returned, and of those that they use."""
        returned = [query.id for query in self._expressions.values() if query.is_returned]
        ordered = in_order(self._expressions, returned)
        await self._fetch_for(ordered)
        usual_s = min((query.period_s for query in self._metrics.values()), default=DEFAULT_PERIOD_S)
        values: dict[str, Value] = {}
        left = MAX_WORK
        for query in ordered:
            scope = Scope(self._fetched, values, self._wanted.grid(query.period_s or usual_s))
            left -= work(query.tree, scope)
            if left < 0:
                raise ValidationFailed(f"Error in expression '{query.id}': The expressions are too much work.")
            await asyncio.sleep(0)  # others want their turn
            try:
                values[query.id] = evaluate(query.tree, scope)
            except MathError as error:
                raise in_expression(query.id, error) from error
        return values

    async def _fetch_for(self, expressions: Sequence[ExpressionQuery]) -> None:
        used = {name for query in expressions for name in names(query.tree)}
        patterns = {pattern for query in expressions for pattern in metric_patterns(query.tree)}
        points = 0
        for query in self._metrics.values():  # in the request's order, which METRICS() keeps
            if query.id in used or any(pattern in query.id for pattern in patterns):
                self._fetched[query.id] = await self._fetch(query)
                points += len(self._fetched[query.id].values)
                if points > MAX_POINTS:
                    raise ValidationFailed(f"The expressions use more than {MAX_POINTS} data points.")

    def _label(self, query: Query, series: Series, points: labels.Points, zone: timezone) -> str:
        if isinstance(query, MetricQuery):
            usual, properties = query.metric.name, self._properties(query)
        else:
            properties = {}
            value = self._values[query.id] if self._values is not None else None
            if isinstance(value, tuple):
                label = query.id if query.label is None else query.label
                return f"{label} {series.label}".strip()
            usual = query.id
        return usual if query.label is None else labels.filled(query.label, usual, points, properties, zone)

    def _properties(self, query: MetricQuery) -> Mapping[str, str]:
        return {
            "AccountId": self._place.account,
            "Region": self._place.region,
            "Namespace": query.metric.namespace,
            "MetricName": query.metric.name,
            "Stat": query.statistic.name,
            "Period": str(query.period_s),
            **{f"Dim.{name}": value for name, value in query.metric.dimensions},
        }
