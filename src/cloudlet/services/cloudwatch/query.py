"""The queries of GetMetricData, checked.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cloudlet.errors import OperationNotImplemented
from cloudlet.services.cloudwatch.errors import ValidationFailed
from cloudlet.services.cloudwatch.math import parser
from cloudlet.services.cloudwatch.math.errors import MathError
from cloudlet.services.cloudwatch.math.evaluate import check_functions, metric_patterns, names
from cloudlet.services.cloudwatch.metric import MetricKey
from cloudlet.services.cloudwatch.statistic import Statistic, parse

MAX_QUERIES: Final = 500
SHORT_PERIODS: Final = (1, 5, 10, 20, 30)
_ID: Final = re.compile(r"[a-z][a-zA-Z0-9_]*")
_INSIGHTS: Final = re.compile(r"\s*SELECT\b", re.IGNORECASE)
Described = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """A statistic of a metric."""

    id: str
    metric: MetricKey
    statistic: Statistic
    period_s: int
    unit: str
    label: str | None
    is_returned: bool


@dataclass(frozen=True, slots=True)
class ExpressionQuery:
    """An expression."""

    id: str
    tree: parser.Node
    period_s: int | None
    label: str | None
    is_returned: bool


Query = MetricQuery | ExpressionQuery


def queries(described: Sequence[Described], account: str) -> list[Query]:
    """The queries of a request of `account`. Raises ValidationFailed, OperationNotImplemented."""
    if not described:
        raise ValidationFailed("The parameter MetricDataQueries is required.")
    if len(described) > MAX_QUERIES:
        raise ValidationFailed(f"The collection MetricDataQueries must not have a size greater than {MAX_QUERIES}.")
    found: dict[str, Query] = {}
    for number, one in enumerate(described, 1):
        query = _query(f"MetricDataQueries.member.{number}", one, account)
        if query.id in found:
            raise ValidationFailed(f"The values for parameter id in MetricDataQueries are not unique: {query.id}.")
        found[query.id] = query
    return list(found.values())


def _query(path: str, one: Described, account: str) -> Query:
    if not _ID.fullmatch(one["Id"]):
        raise ValidationFailed(
            f"The value {one['Id']} for parameter {path}.Id is invalid: it must begin with a lowercase letter and "
            "contain only letters, numbers and underscores."
        )
    if (owner := one.get("AccountId")) not in (None, account):
        raise ValidationFailed(f"The account {owner} of parameter {path}.AccountId is not linked to this account.")
    described, expression = one.get("MetricStat"), one.get("Expression")
    if (described is None) == (expression is None):
        if described is not None:
            raise ValidationFailed(
                f"The parameters {path}.Expression and {path}.MetricStat are mutually exclusive and you have specified "
                "both."
            )
        raise ValidationFailed(f"The parameter {path}.MetricStat is required.")
    period_s = one.get("Period")
    _check_period(f"{path}.Period", period_s)
    is_returned = one.get("ReturnData") is not False
    if expression is not None:
        return ExpressionQuery(
            one["Id"], expression_tree(one["Id"], expression), period_s, one.get("Label"), is_returned
        )
    assert described is not None
    return _metric_query(path, one, described)


def _metric_query(path: str, one: Described, described: Described) -> MetricQuery:
    path = f"{path}.MetricStat"
    _check_period(f"{path}.Period", described["Period"])
    if one.get("Period") not in (None, described["Period"]):
        raise ValidationFailed(f"The parameter {path}.Period must not differ from the period of its query.")
    metric = described["Metric"]
    for name in ("Namespace", "MetricName"):
        if not metric.get(name):
            raise ValidationFailed(f"The parameter {path}.Metric.{name} is required.")
    statistic = parse(described["Stat"])
    if statistic is None:
        raise ValidationFailed(f"The value {described['Stat']} for parameter {path}.Stat is not a valid statistic.")
    return MetricQuery(
        one["Id"],
        MetricKey.of(metric),
        statistic,
        described["Period"],
        described.get("Unit") or "",
        one.get("Label"),
        one.get("ReturnData") is not False,
    )


def _check_period(path: str, period_s: int | None) -> None:
    if period_s is not None and not is_period(period_s):
        raise ValidationFailed(f"The parameter {path} must be 1, 5, 10, 20, 30 or a multiple of 60.")


def is_period(period_s: int) -> bool:
    """True for a period that a request may have."""
    return period_s in SHORT_PERIODS or (period_s >= 60 and period_s % 60 == 0)


def expression_tree(query_id: str, expression: str) -> parser.Node:
    """The tree of an expression. Raises ValidationFailed, OperationNotImplemented."""
    if _INSIGHTS.match(expression):
        raise OperationNotImplemented("Cloudlet does not implement queries of Metrics Insights (SELECT ...).")
    try:
        tree = parser.parse(expression)
        check_functions(tree)
        metric_patterns(tree)
    except MathError as error:
        raise in_expression(query_id, error) from error
    return tree


def in_expression(query_id: str, error: MathError) -> ValidationFailed:
    """The error of an expression, for its caller."""
    return ValidationFailed(f"Error in expression '{query_id}': {error}.")


def in_order(expressions: Mapping[str, ExpressionQuery], wanted: Sequence[str]) -> list[ExpressionQuery]:
    """The `wanted` expressions and all that they use, each after those that it uses itself.

    Raises ValidationFailed where one uses itself.
    """
    found: dict[str, ExpressionQuery] = {}
    open_: set[str] = set()
    waiting = [(name, False) for name in reversed(wanted)]
    while waiting:
        name, is_over = waiting.pop()
        if is_over:
            open_.discard(name)
            found[name] = expressions[name]
        elif name in open_:
            raise ValidationFailed(f"Error in expression '{name}': The expression uses itself.")
        elif name not in found:
            open_.add(name)
            waiting.append((name, True))
            waiting += ((used, False) for used in sorted(names(expressions[name].tree)) if used in expressions)
    return list(found.values())
