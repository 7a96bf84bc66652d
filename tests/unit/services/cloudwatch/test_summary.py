"""Joining summaries is summing up all their values."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.cloudwatch.summary import Summary

numbers = st.integers(-50, 1000).map(float)
counted = st.lists(st.tuples(numbers, st.integers(1, 9).map(float)), min_size=1, max_size=60)


def told(summary: Summary) -> tuple[Any, ...]:
    distribution = summary.distribution
    items = None if distribution is None else list(distribution.items())
    return summary.count, summary.total, summary.minimum, summary.maximum, items


def joined(*parts: Summary) -> Summary:
    found = Summary()
    for part in parts:
        found.merge(part)
    return found


@given(counted, counted, counted)
def test_joining_is_summing_up_all_values(a: Any, b: Any, c: Any) -> None:
    whole = told(Summary.of_values([*a, *b, *c]))
    one, two, three = (Summary.of_values(part) for part in (a, b, c))
    assert told(joined(one, two, three)) == whole
    assert told(joined(joined(three, two), one)) == whole


@given(counted)
def test_nothing_joined_changes_nothing(a: Any) -> None:
    assert told(joined(Summary.of_values(a))) == told(Summary.of_values(a))


@given(counted)
def test_it_comes_back_from_the_store(a: Any) -> None:
    found = Summary.of_values(a)
    encoded = found.encode_distribution()
    again = Summary.decode(found.count, found.total, found.minimum, found.maximum, encoded)
    assert told(again) == told(found)
    assert (encoded == b"") == (min(value for value, _ in a) < 0)


def test_one_negative_value_takes_the_distribution_away_for_good() -> None:
    assert joined(Summary.of_values([(1.0, 1.0)]), Summary.of_values([(-1.0, 1.0)])).distribution is None
    assert joined(Summary.of_values([(-1.0, 1.0)]), Summary.of_values([(1.0, 1.0)])).distribution is None


def test_a_statistic_set_has_a_distribution_where_it_tells_one() -> None:
    assert Summary.of_statistics(3, 6, 1, 3).distribution is None
    assert told(Summary.of_statistics(3, 6, 2, 2))[4] == [(2.0, 3)]
    assert told(Summary.of_statistics(1, 2, 2, 2))[4] == [(2.0, 1)]
    assert joined(Summary.of_values([(2.0, 1.0)]), Summary.of_statistics(3, 6, 1, 3)).distribution is None


def test_values_that_are_all_the_same_take_one_byte() -> None:
    assert len(Summary.of_values([(1.0, 4000.0)]).encode_distribution()) == 1
