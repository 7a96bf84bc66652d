import pytest

from cloudlet.cli.durations import parse_duration_s, show_duration


@pytest.mark.parametrize(
    ("text", "expected_s"),
    [("90", 90), ("90s", 90), ("1.5m", 90), ("1h30m", 5400), ("30d", 2_592_000), ("2w", 1_209_600), ("0", 0)],
)
def test_durations_are_understood(text: str, expected_s: float) -> None:
    assert parse_duration_s(text) == expected_s


@pytest.mark.parametrize("text", ["", "d", "-1d", "30 d", "1d5", "1y", "1h,5m"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration_s(text)


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, "0s"), (59, "59s"), (61, "1m 1s"), (3600, "1h"), (90_061, "1d 1h")]
)
def test_the_two_largest_units_are_shown(seconds: float, expected: str) -> None:
    assert show_duration(seconds) == expected
