import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.delivery.backoff import Backoff


def test_the_limit_doubles_up_to_its_maximum() -> None:
    backoff = Backoff(first_s=1, maximum_s=300)
    assert [backoff.limit_s(attempt) for attempt in range(1, 11)] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]


@given(
    first_s=st.floats(0.001, 1000),
    maximum_s=st.floats(0.001, 100_000),
    attempt=st.integers(0, 10**9),
    fraction=st.floats(0, 1, exclude_max=True),
)
def test_the_delay_is_anything_up_to_the_limit(first_s: float, maximum_s: float, attempt: int, fraction: float) -> None:
    backoff = Backoff(first_s, maximum_s)
    assert 0 <= backoff.delay_s(attempt, fraction) <= backoff.limit_s(attempt) <= maximum_s


def test_the_dice_decide() -> None:
    assert Backoff(first_s=10).delay_s(1, 0.25) == pytest.approx(2.5)
