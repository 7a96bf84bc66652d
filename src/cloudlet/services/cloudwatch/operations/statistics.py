"""GetMetricStatistics.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html
"""

from collections.abc import Mapping
from typing import Any, Final

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.cloudwatch.errors import InvalidParameterCombination, InvalidParameterValue
from cloudlet.services.cloudwatch.metric import MetricKey
from cloudlet.services.cloudwatch.operations.base import CloudWatchParts, place_of, seconds
from cloudlet.services.cloudwatch.operations.putting import check_unit
from cloudlet.services.cloudwatch.query import is_period
from cloudlet.services.cloudwatch.reading import Periods
from cloudlet.services.cloudwatch.retention import rounded_start
from cloudlet.services.cloudwatch.statistic import Statistic, parse
from cloudlet.services.cloudwatch.summary import Summary

MAX_DATAPOINTS: Final = 1440


class StatisticsOperations(CloudWatchParts):
    """Statistics of one metric."""

    @operation("GetMetricStatistics")
    async def get_metric_statistics(self, context: RequestContext, params: Mapping[str, Any]) -> Result:
        statistics = _statistics(params)
        periods = _periods(params, self.platform.clock.now())
        found = await self.reading.summaries(
            place_of(context),
            MetricKey.of(params),
            periods,
            check_unit("", params),
            distributions=any(one.needs_distribution for one in statistics),
        )
        datapoints = [
            {"Timestamp": float(moment), "Unit": unit, **point}
            for (moment, unit), summary in sorted(found.items(), key=lambda item: item[0])
            if (point := _point(summary, statistics))
        ]
        return {"Label": params["MetricName"], "Datapoints": datapoints}


def _point(summary: Summary, statistics: list[Statistic]) -> dict[str, Any]:
    """A data point's statistics; empty where the data does not tell any of them."""
    point: dict[str, Any] = {}
    extended: dict[str, float] = {}
    for statistic in statistics:
        value = statistic.of(summary)
        if value is not None:
            (extended if statistic.needs_distribution else point)[statistic.name] = value
    if extended:
        point["ExtendedStatistics"] = extended
    return point


def _statistics(params: Mapping[str, Any]) -> list[Statistic]:
    basic, extended = params.get("Statistics") or [], params.get("ExtendedStatistics") or []
    if bool(basic) == bool(extended):
        raise InvalidParameterCombination("Must specify either Statistics or ExtendedStatistics")
    found = []
    for number, name in enumerate([*basic, *extended], 1):
        statistic = parse(name)
        if statistic is None or (extended and not statistic.needs_distribution):
            raise InvalidParameterValue(
                f"The value {name} for parameter ExtendedStatistics.member.{number} is not a valid statistic."
            )
        found.append(statistic)
    return found


def _periods(params: Mapping[str, Any], now_s: float) -> Periods:
    start_s, end_s, period_s = seconds(params["StartTime"]), seconds(params["EndTime"]), params["Period"]
    if start_s >= end_s:
        raise InvalidParameterCombination("The parameter StartTime must be less than the parameter EndTime.")
    if not is_period(period_s):
        raise InvalidParameterValue("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.")
    count = int(-(-(end_s - start_s) // period_s))
    if count > MAX_DATAPOINTS:
        raise InvalidParameterCombination(
            f"You have requested up to {count} datapoints, which exceeds the limit of {MAX_DATAPOINTS}. You may reduce "
            "the datapoints requested by increasing Period, or decreasing the time range."
        )
    return Periods(rounded_start(start_s, now_s, period_s), int(-(-end_s // 1)), period_s)
