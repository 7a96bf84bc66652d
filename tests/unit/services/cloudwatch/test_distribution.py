"""Distributions join in any order to the same, keep what they count, and show no value that is far from a real one."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.cloudwatch.distribution import MAX_BUCKETS, MAX_EXACT, RELATIVE_ERROR, Distribution

values = st.one_of(
    st.integers(0, 40).map(float), st.floats(0, 1e9, allow_nan=False), st.floats(0, 2.0**360), st.just(5e-324)
)
counted = st.lists(st.tuples(values, st.integers(1, 1000).map(float)), max_size=80)


def joined(*parts: Any) -> Distribution:
    found = Distribution()
    for part in parts:
        found.merge(Distribution(part))
    return found


@given(counted, counted, counted)
def test_the_order_of_joining_makes_no_difference(a: Any, b: Any, c: Any) -> None:
    whole = Distribution([*a, *b, *c])
    nested = Distribution(b)
    nested.merge(Distribution(c))
    other = Distribution(a)
    other.merge(nested)
    for one in (joined(a, b, c), joined(c, a, b), other):
        assert list(one.items()) == list(whole.items())
        assert one.is_exact == whole.is_exact


@given(counted)
def test_what_was_counted_is_there_once(pairs: Any) -> None:
    assert sum(count for _, count in Distribution(pairs).items()) == sum(count for _, count in pairs)


@given(counted)
def test_it_is_exact_up_to_a_number_of_values(pairs: Any) -> None:
    found = Distribution(pairs)
    different = {value for value, _ in pairs}
    assert found.is_exact == (len(different) <= MAX_EXACT)
    if found.is_exact:
        assert {value for value, _ in found.items()} == different


@given(st.lists(st.floats(1e-3, 1e5), min_size=MAX_EXACT + 1, max_size=300))
def test_a_value_is_shown_within_the_error(found: list[float]) -> None:
    real = sorted(found)
    shown = [value for value, count in Distribution((value, 1) for value in found).items() for _ in range(int(count))]
    assert len(shown) == len(real)
    for a, b in zip(real, shown, strict=True):
        assert abs(a - b) <= a * (RELATIVE_ERROR + 1e-9)


@given(counted)
def test_it_comes_back_from_the_store(pairs: Any) -> None:
    found = Distribution(pairs)
    assert list(Distribution.decode(found.encode()).items()) == list(found.items())


@given(st.lists(st.tuples(values, st.floats(0.25, 1e6)), max_size=60))
def test_counts_need_not_be_whole(pairs: Any) -> None:
    found = Distribution(pairs)
    assert list(Distribution.decode(found.encode()).items()) == list(found.items())


def test_it_stays_small_whatever_comes() -> None:
    found = Distribution((2.0**exponent, 1) for exponent in range(-360, 361))
    for exponent in range(-3600, 3600):
        found.add(2.0 ** (exponent / 10), 1)
    assert len(list(found.items())) == MAX_BUCKETS
    assert sum(count for _, count in found.items()) == 721 + 7200


def test_a_minute_of_latencies_takes_few_bytes() -> None:
    found = Distribution((10 + number % 977 / 10, 1.0) for number in range(100_000))
    assert len(found.encode()) < 600
