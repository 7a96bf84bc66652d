"""The command about metrics: what functions did, in a table."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cloudlet.cli import settings
from cloudlet.cli.client import Client
from cloudlet.cli.output import CommandError, say, table
from cloudlet.cli.settings import AccountOption, ConfigOption, DataOption, EndpointOption, RegionOption

NAMESPACE = "AWS/Lambda"
COLUMNS = (
    ("invocations", "Invocations", "Sum"),
    ("errors", "Errors", "Sum"),
    ("throttles", "Throttles", "Sum"),
    ("p50 ms", "Duration", "p50"),
    ("p99 ms", "Duration", "p99"),
    ("at once", "ConcurrentExecutions", "Maximum"),
)
"""(heading, metric, statistic)."""
FUNCTIONS_AT_ONCE = 500 // len(COLUMNS)
"""CloudWatch takes 500 queries in a request."""


def metrics(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="A function's name; without it, all functions.")] = "",
    since: Annotated[str, typer.Option(help="How far back: 10m, 2h, 1d ...")] = "1h",
    data: DataOption = None,
    config: ConfigOption = None,
    endpoint: EndpointOption = None,
    region: RegionOption = None,
    account: AccountOption = None,
) -> None:
    """Show how often functions ran and failed, and how long.

    Those that were refused for want of concurrency are throttles. What has just happened is there some seconds later.
    """
    from cloudlet.cli.durations import parse_duration_s

    client = Client.connect(settings.load(config, data=data), endpoint, region, account)
    try:
        span_s = parse_duration_s(since)
    except ValueError as error:
        raise CommandError(str(error), exit_code=2) from error
    end_s = float(client.control("GET", "clock")["now"])
    with client.sdk("cloudwatch") as [cloudwatch]:
        names = [name] if name else sorted(_functions(cloudwatch))
        rows = [
            row
            for start in range(0, len(names), FUNCTIONS_AT_ONCE)
            for row in _rows(cloudwatch, names[start : start + FUNCTIONS_AT_ONCE], end_s - span_s, end_s)
        ]
    if rows:
        table(("function", *(heading for heading, _, _ in COLUMNS)), rows)
    else:
        say(f"{name} has not run within {since}." if name else f"No function has run within {since}.")


def _functions(cloudwatch: Any) -> set[str]:
    pages = cloudwatch.get_paginator("list_metrics").paginate(
        Namespace=NAMESPACE, Dimensions=[{"Name": "FunctionName"}]
    )
    return {
        dimension["Value"]
        for page in pages
        for metric in page["Metrics"]
        for dimension in metric["Dimensions"]
        if dimension["Name"] == "FunctionName"
    }


def _rows(cloudwatch: Any, names: Sequence[str], start_s: float, end_s: float) -> Iterator[list[str]]:
    # One period that holds the whole span, also where its beginning is rounded down to an hour.
    period_s = int((end_s - start_s) // 3600 + 2) * 3600
    queries = [
        {
            "Id": f"m{row}_{column}",
            "MetricStat": {
                "Metric": {
                    "Namespace": NAMESPACE,
                    "MetricName": metric,
                    "Dimensions": [{"Name": "FunctionName", "Value": name}],
                },
                "Period": period_s,
                "Stat": statistic,
            },
        }
        for row, name in enumerate(names)
        for column, (_, metric, statistic) in enumerate(COLUMNS)
    ]
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=queries,
        StartTime=datetime.fromtimestamp(start_s, UTC),
        EndTime=datetime.fromtimestamp(end_s, UTC),
    )
    values = {result["Id"]: result["Values"] for result in answer["MetricDataResults"]}
    for row, name in enumerate(names):
        found = [values[f"m{row}_{column}"] for column in range(len(COLUMNS))]
        if any(found):
            yield [name, *map(_shown, COLUMNS, found)]


def _shown(column: tuple[str, str, str], values: Sequence[float]) -> str:
    if not values:
        return "-"
    return f"{values[0]:.2f}" if column[1] == "Duration" else f"{values[0]:.0f}"
