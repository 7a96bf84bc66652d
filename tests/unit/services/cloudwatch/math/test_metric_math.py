"""Metric math: AWS's documented examples, and the laws of its algebra."""

import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.errors import OperationNotImplemented
from cloudlet.services.cloudwatch.math.errors import MathError
from cloudlet.services.cloudwatch.math.evaluate import Scope, check_functions, evaluate, names, work
from cloudlet.services.cloudwatch.math.parser import parse
from cloudlet.services.cloudwatch.math.series import Grid, Series

START = 1_790_000_040
"""A Monday, 14:14 UTC."""
Points = Sequence[float | None]


def grid(count: int = 5, period_s: int = 60) -> Grid:
    return Grid(START, START + count * period_s, period_s)


def series(points: Points, label: str = "", period_s: int = 60, count: int = 0) -> Series:
    found = {START + number * period_s: float(value) for number, value in enumerate(points) if value is not None}
    return Series(grid(count or len(points), period_s), found, label)


def shown(one: Series) -> list[float | None]:
    return [one.values.get(moment) for moment in one.grid.moments()]


def calculate(expression: str, **metrics: Points) -> Any:
    """The values of an expression over metrics: a list, or of an array a list of lists."""
    scope = Scope({name: series(points, name) for name, points in metrics.items()}, {}, grid())
    tree = parse(expression)
    check_functions(tree)
    found = evaluate(tree, scope)
    return shown(found) if isinstance(found, Series) else [shown(one) for one in found]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a + b", [11, 22, 30, 4]),
        ("a - b", [-9, -18, -30, 4]),
        ("a * b", [10, 40, 0, 0]),
        ("b / a", [10, 10, None, 0]),
        ("a / b", [0.1, 0.1, 0, None]),
        ("-a", [-1, -2, None, -4]),
        ("2 * -a + 1", [-1, -3, None, -7]),
        ("a ^ 2", [1, 4, None, 16]),
        ("2 ^ 3 ^ 0 * a", [2, 4, None, 8]),
        ("-a ^ 2", [-1, -4, None, -16]),
        ("(a + 1) * 2", [4, 6, None, 10]),
        ("10 - 4 - a", [5, 4, None, 2]),
        ("a < b", [1, 1, 1, 0]),
        ("a >= 2", [0, 1, None, 1]),
        ("a == 1 OR a == 4", [1, 0, None, 1]),
        ("a > 1 && b > 5", [0, 1, 0, 0]),
        ("SUM([a, b])", [11, 22, 30, 4]),
        ("AVG([a, b])", [5.5, 11, 15, 2]),
        ("MIN([a, b])", [1, 2, 30, 4]),
        ("MAX(METRICS())", [10, 20, 30, 4]),
        ("STDDEV([a, b])", [4.5, 9, 0, 0]),
        ("SUM(METRICS('a'))", [1, 2, None, 4]),
        ("a - AVG(a)", [-4 / 3, -1 / 3, None, 5 / 3]),
        ("a / SUM(a)", [1 / 7, 2 / 7, None, 4 / 7]),
        ("MAX(a) / a", [4, 2, None, 1]),
        ("a / PERIOD(a)", [1 / 60, 2 / 60, None, 4 / 60]),
        ("a / METRIC_COUNT(METRICS())", [0.5, 1, None, 2]),
        ("a / DATAPOINT_COUNT(a)", [1 / 3, 2 / 3, None, 4 / 3]),
        ("DATAPOINT_COUNT(METRICS())", [2, 2, 1, 1]),
        ("ABS(-a)", [1, 2, None, 4]),
        ("CEIL(a / 3)", [1, 1, None, 2]),
        ("FLOOR(a / 3)", [0, 0, None, 1]),
        ("LOG10(b)", [1, pytest.approx(1.30103, rel=1e-5), pytest.approx(1.47712, rel=1e-5), None]),
        ("LOG(a - 1)", [None, 0, None, pytest.approx(1.0986123)]),
        ("DIFF(a)", [None, 1, None, 2]),
        ("DIFF_TIME(a)", [None, 60, None, 120]),
        ("RATE(a)", [None, 1 / 60, None, 2 / 120]),
        ("RUNNING_SUM(a)", [1, 3, None, 7]),
        ("FILL(a, 0)", [1, 2, 0, 4]),
        ("FILL(a, REPEAT)", [1, 2, 2, 4]),
        ("FILL(a, LINEAR)", [1, 2, 3, 4]),
        ("FILL(a, b)", [1, 2, 30, 4]),
        ("FILL(b, REPEAT)", [10, 20, 30, 30]),
        ("FILL(b, LINEAR)", [10, 20, 30, None]),
        ("FILL(a, MIN(a))", [1, 2, 1, 4]),
        ("MINUTE(a)", [14, 15, 16, 17]),
        ("HOUR(a)", [14, 14, 14, 14]),
        ("DAY(a) + DATE(a) + MONTH(a) + YEAR(a)", [1 + 21 + 9 + 2026] * 4),
        ("EPOCH(a) - EPOCH(b)", [0, 0, 0, 0]),
        ("FIRST(SORT(METRICS(), SUM, DESC))", [10, 20, 30, None]),
        ("LAST(SORT(METRICS(), MIN, DESC))", [1, 2, None, 4]),
        ("SORT(METRICS(), AVG, DESC, 1)", [[10, 20, 30, None]]),
        ("SLICE(METRICS(), 1)", [[10, 20, 30, None]]),
        ("SLICE(METRICS(), 0, 1)", [[1, 2, None, 4]]),
        ("REMOVE_EMPTY([a, IF(a > 9, a)])", [[1, 2, None, 4]]),
        ("METRICS() * 100", [[100, 200, None, 400], [1000, 2000, 3000, None]]),
        ("[a, b] / a", [[1, 1, None, 1], [10, 10, None, 0]]),
        ("IF(a < 3, a)", [1, 2, None, None]),
        ("IF(a < 3, 10, 2)", [10, 10, None, 2]),
        ("IF(1, a, b)", [1, 2, None, 4]),
        ("IF(0, a)", [None, None, None, None]),
    ],
)
def test_an_expression(expression: str, expected: list[Any]) -> None:
    found = calculate(expression, a=[1, 2, None, 4], b=[10, 20, 30, None])
    assert found == [pytest.approx(one) if isinstance(one, float) else one for one in expected]


def test_awss_tables_of_if_and_of_comparisons() -> None:
    metrics: dict[str, Points] = {
        "metric1": [1, 1, 0, 0, None],
        "metric2": [30, None, 0, 0, 30],
        "metric3": [0, 0, 20, None, 20],
    }
    assert calculate("IF(metric1, metric2, metric3)", **metrics) == [30, 0, 20, None, None]
    assert calculate("IF(metric1, 5, metric3)", **metrics) == [5, 5, 20, None, None]
    assert calculate("IF(metric1, metric2, 5)", **metrics) == [30, 0, 5, 5, None]
    pair: dict[str, Points] = {"metric1": [30, 20, 0, 0], "metric2": [20, None, 20, None]}
    assert calculate("(metric1 < metric2)", **pair) == [0, 0, 1, 0]
    assert calculate("(metric1 >= 30)", **pair) == [1, 0, 0, 0]
    assert calculate("(metric1 > 15 AND metric2 > 15)", **pair) == [1, 0, 0, 0]


def test_a_series_of_one_number() -> None:
    assert calculate("TIME_SERIES(MAX(a) + 1)", a=[1, 2]) == [3, 3, 3, 3, 3]


@pytest.mark.parametrize(
    "expression",
    [
        *("", "a +", "a b", "(a", "[a", "SUM(a", "a)", "1 +* 2", "a $ b", "SUM()", "SUM(a, b)", "FILL(a)"),
        *("nothing", "UPPER(a)", "sum(a)", "5", "SUM(a)", "'text'", "[a] + [b]", "a + 'x'", "FILL(a, b, 0)"),
        *("FILL(a, SIDEWAYS)", "SORT(METRICS(), AVG)", "METRICS(a)", "PERIOD(METRICS())", "IF(a)", "1 / 0 * a"),
        *("SLICE(METRICS(), a)", "TIME_SERIES(a)", f"{'(' * 100}a{')' * 100}", f"{'-' * 200}a", "METRICS('a', 'b')"),
    ],
)
def test_what_is_no_expression_is_refused(expression: str) -> None:
    with pytest.raises(MathError):
        calculate(expression, a=[1, 2], b=[3, 4])


@pytest.mark.parametrize("function", ["SEARCH('x', 'Sum', 300)", "ANOMALY_DETECTION_BAND(a)", "1 + SERVICE_QUOTA(a)"])
def test_what_aws_has_and_is_not_built_says_so(function: str) -> None:
    with pytest.raises(OperationNotImplemented, match=function.replace("1 + ", "").partition("(")[0]):
        calculate(function, a=[1])


def test_a_sum_of_very_many_terms() -> None:
    assert calculate("+".join(["a"] * 1000), a=[1]) == [1000]


def test_what_an_expression_uses() -> None:
    assert names(parse("SUM([m1, -m2]) / FILL(e1, REPEAT) ^ IF(m1 > 2, m3, 0)")) == {"m1", "m2", "m3", "e1"}


def test_a_range_of_too_many_periods_is_not_filled() -> None:
    scope = Scope({"a": series([1], period_s=60, count=200_000)}, {}, grid())
    with pytest.raises(MathError):
        evaluate(parse("FILL(a, 0)"), scope)


def test_work_grows_with_what_is_used_filled_and_written() -> None:
    metrics = {"a": series([1, 2, None]), "b": series([1] * 4)}
    scope = Scope(metrics, {"e": tuple(metrics.values())}, grid(10))
    found = [work(parse(text), scope) for text in ("a", "a + 1", "a + b", "SUM(METRICS())", "e", "FILL(a, 0)")]
    assert found == [2, 3 * 2, 3 * 6, 2 * 6, 6, 3 * (3 + 10)]


points = st.lists(st.one_of(st.none(), st.integers(-20, 20).map(float)), min_size=3, max_size=3)
scalars = st.integers(-9, 9).map(float)
METRICS = ("a", "b", "c")
OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "<": lambda a, b: float(a < b),
    "==": lambda a, b: float(a == b),
}


@given(points, points, points)
def test_the_laws_of_sums(a: Points, b: Points, c: Points) -> None:
    three = dict(zip(METRICS, (a, b, c), strict=True))
    assert calculate("a + b", **three) == calculate("b + a", **three)
    assert calculate("(a + b) + c", **three) == calculate("a + (b + c)", **three) == calculate("SUM([a,b,c])", **three)
    assert calculate("(a + b) * 3", **three) == calculate("a * 3 + b * 3", **three)
    assert calculate("a - b", **three) == calculate("-(b - a)", **three)
    assert calculate("AVG([a, b, c]) * 3", **three) == pytest.approx(calculate("SUM(METRICS())", **three))
    assert calculate("RUNNING_SUM(FILL(a, 0)) * 0 + SUM(a)", **three) == [sum(one or 0 for one in a)] * 3
    assert calculate("a AND b", **three) == calculate("b AND a", **three)
    assert calculate("MIN([a,b])", **three) == calculate("-MAX([-a,-b])", **three)


@given(points)
def test_what_fills_fills_the_holes_and_nothing_else(a: Points) -> None:
    filled = calculate("FILL(a, 7)", a=a)
    assert filled == [7 if one is None else one for one in a]
    for how in ("REPEAT", "LINEAR"):
        again = calculate(f"FILL(a, {how})", a=a)
        assert all(one is None or one == two for one, two in zip(a, again, strict=True))
        assert calculate(f"FILL(FILL(a, {how}), {how})", a=a) == again


@st.composite
def expressions(draw: st.DrawFn, depth: int = 4) -> tuple[str, Any]:
    """An expression, and what it is at one moment by another, simpler way: a function of the metrics' values there."""
    kind = draw(st.integers(0, 2 if depth else 1))
    if kind == 0:
        name = draw(st.sampled_from(METRICS))
        return name, lambda there: there[name]
    if kind == 1:
        number = draw(st.integers(0, 9))
        return str(number), lambda there: float(number)
    sign = draw(st.sampled_from(list(OPERATORS)))
    (left, one), (right, two) = draw(expressions(depth - 1)), draw(expressions(depth - 1))
    return f"({left} {sign} {right})", lambda there: OPERATORS[sign](one(there), two(there))


@given(expressions(), st.lists(st.tuples(scalars, scalars, scalars), min_size=1, max_size=3))
def test_an_expression_is_evaluated_moment_by_moment(expression: tuple[str, Any], rows: Any) -> None:
    text, by_hand = expression
    columns = {name: [row[number] for row in rows] for number, name in enumerate(METRICS)}
    found = calculate(f"{text} + 0 * a", **columns)
    assert found == [by_hand(dict(zip(METRICS, row, strict=True))) for row in rows]


@given(st.text("ab12+-*/^()[],.'\" <>=!&|MAXSUMETRICIFL", max_size=40))
def test_any_text_is_an_expression_or_is_refused(text: str) -> None:
    try:
        calculate(text, a=[1, 2], b=[3])
    except (MathError, OperationNotImplemented):
        return
    assert parse(text) is not None


def test_names_of_all_functions_are_capitals() -> None:
    from cloudlet.services.cloudwatch.math.functions import FUNCTIONS, NEED_REQUEST, UNBUILT

    assert all(name.isupper() for name in itertools.chain(FUNCTIONS, NEED_REQUEST, UNBUILT))
