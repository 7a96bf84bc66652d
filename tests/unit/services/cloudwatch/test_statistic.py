"""Statistics by their names, of what is stored."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.cloudwatch.statistic import parse
from cloudlet.services.cloudwatch.summary import Summary

TEN = Summary.of_values((float(value), 1.0) for value in range(1, 11))


def value(name: str, summary: Summary = TEN) -> float | None:
    statistic = parse(name)
    assert statistic is not None
    return statistic.of(summary)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("SampleCount", 10.0),
        ("Sum", 55.0),
        ("Average", 5.5),
        ("Minimum", 1.0),
        ("Maximum", 10.0),
        ("p0", 1.0),
        ("p50", 5.0),
        ("p90", 9.0),
        ("p95.5", 10.0),
        ("p100", 10.0),
        ("tm90", 5.0),
        ("tc90", 9.0),
        ("ts90", 45.0),
        ("wm90", 5.4),
        ("TM(10%:90%)", 5.5),
        ("TC(10%:90%)", 8.0),
        ("TS(80%:)", 19.0),
        ("TM(:50%)", 3.0),
        ("IQM", 5.5),
        ("TM(2:5)", 4.0),
        ("TC(2:5)", 3.0),
        ("TS(2:5)", 12.0),
        ("WM(2:5)", 4.1),
        ("PR(:3)", 30.0),
        ("PR(3:7)", 40.0),
        ("PR(7:)", 30.0),
        ("TC(20:30)", 0.0),
        ("TM(20:30)", None),
    ],
)
def test_a_statistic_of_ten_values(name: str, expected: float | None) -> None:
    assert value(name) == pytest.approx(expected)


@pytest.mark.parametrize(
    "name",
    [
        *("sum", "P50", "p101", "p", "p50%", "p1.12345678901", "pr50", "TM", "TM()", "TM(:)", "TM(90%:10%)"),
        *("TM(10%:90)", "PR(10%:90%)", "tm(10%:90%)", "TM90", "TM(0%:101%)", "", "p50 ", "IQM(1:2)"),
    ],
)
def test_what_is_no_statistic(name: str) -> None:
    assert parse(name) is None


def test_without_a_distribution_there_are_the_five() -> None:
    summary = Summary.of_statistics(4, 20, 1, 9)
    assert (value("Average", summary), value("Maximum", summary)) == (5.0, 9.0)
    assert value("p50", summary) is value("tm90", summary) is None


@given(st.integers(1, 400), st.integers(0, 100), st.integers(0, 10**6))
def test_a_percentile_of_many_values_is_within_one_percent(size: int, percent: int, seed: int) -> None:
    source = random.Random(seed)
    values = sorted(source.lognormvariate(3, 1) for _ in range(size))
    found = value(f"p{percent}", Summary.of_values((one, 1.0) for one in values))
    # The least value that so many do not exceed, by counting.
    exact = next(one for number, one in enumerate(values, 1) if number >= percent / 100 * size)
    assert found == pytest.approx(exact, rel=0.0101)


@given(st.lists(st.integers(0, 30).map(float), min_size=1), st.floats(0, 100), st.floats(0, 100))
def test_ranges_that_lie_side_by_side_make_the_whole(values: list[float], a: float, b: float) -> None:
    summary = Summary.of_values((one, 1.0) for one in values)
    low, high = sorted((round(a, 2), round(b, 2)))
    if 0 < low < high < 100:
        parts = [
            value(f"{kind}({bounds})", summary)
            for kind in ("TS", "TC")
            for bounds in (f":{low}%", f"{low}%:{high}%", f"{high}%:")
        ]
        sums, counts = parts[:3], parts[3:]
        assert sum(one or 0 for one in sums) == pytest.approx(summary.total)
        assert sum(one or 0 for one in counts) == pytest.approx(summary.count)
    shares = [value("PR(:10)", summary), value("PR(10:20)", summary), value("PR(20:)", summary)]
    assert sum(one or 0 for one in shares) == pytest.approx(100)
