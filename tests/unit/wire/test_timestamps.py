from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.wire import timestamps

MOMENT = datetime(2014, 4, 29, 18, 30, 38, tzinfo=UTC)
MILLISECOND = MOMENT.replace(microsecond=123000)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2014-04-29T18:30:38Z", MOMENT),
        ("2014-04-29T18:30:38.123Z", MILLISECOND),
        ("2014-04-29T20:30:38+02:00", MOMENT),
        ("2014-04-29T17:00:38-0130", MOMENT),
        ("2014-04-29T18:30:38", MOMENT),
        ("2014-04-29", MOMENT.replace(hour=0, minute=0, second=0)),
        ("2014-04-29T18:30:38.123456789z", MOMENT.replace(microsecond=123456)),
    ],
)
def test_iso8601_is_read(text: str, moment: datetime) -> None:
    assert timestamps.parse_iso8601(text) == moment


@pytest.mark.parametrize(
    "text", ["", "now", "2014-13-01", "2014-04-29T25:00:00Z", "0001-01-01T00:00:00+01:00", "2014-04-29T18:30:38+99:00"]
)
def test_what_is_no_date_time_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        timestamps.parse_iso8601(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Tue, 29 Apr 2014 18:30:38 GMT", MOMENT),
        ("Tue, 29 Apr 2014 18:30:38.123 GMT", MILLISECOND),
        ("Tue, 29 Apr 2014 20:30:38 +0200", MOMENT),
        ("Tue, 29 Apr 2014 18:30:38 -0000", MOMENT),
    ],
)
def test_http_dates_are_read(text: str, moment: datetime) -> None:
    assert timestamps.parse_rfc822(text) == moment


@pytest.mark.parametrize("text", ["", "Tue", "Tue, 99 Foo 2014", "2014"])
def test_what_is_no_http_date_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        timestamps.parse_rfc822(text)


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1e20, -1e20])
def test_epochs_beyond_the_calendar_are_value_errors(seconds: float) -> None:
    with pytest.raises(ValueError):
        timestamps.from_epoch(seconds)


@pytest.mark.parametrize("text", ["1398796238", "2014-04-29T18:30:38Z", "Tue, 29 Apr 2014 18:30:38 GMT"])
def test_any_format_is_read_where_clients_choose(text: str) -> None:
    assert timestamps.parse_any(text) == MOMENT


@pytest.mark.parametrize("value", [MOMENT, MOMENT.replace(tzinfo=None), 1398796238, 1398796238.0])
def test_whole_seconds_have_no_fraction(value: datetime | float) -> None:
    assert timestamps.format_iso8601(value) == "2014-04-29T18:30:38Z"
    assert timestamps.format_rfc822(value) == "Tue, 29 Apr 2014 18:30:38 GMT"
    assert timestamps.format_unix(value) == "1398796238"


def test_fractions_are_in_milliseconds() -> None:
    assert timestamps.format_iso8601(MOMENT.replace(microsecond=123999)) == "2014-04-29T18:30:38.123Z"
    assert timestamps.to_epoch(1398796238.1239) == 1398796238.123
    assert timestamps.to_epoch(MILLISECOND) == 1398796238.123


def test_zones_become_utc() -> None:
    zone = timezone(timedelta(hours=2))
    assert timestamps.format_iso8601(MOMENT.astimezone(zone)) == "2014-04-29T18:30:38Z"


@pytest.mark.parametrize("value", ["2014-04-29", True, None])
def test_what_is_no_timestamp_is_a_type_error(value: object) -> None:
    with pytest.raises(TypeError):
        timestamps.to_epoch(value)  # type: ignore[arg-type]


@given(st.integers(-62_000_000_000_000, 253_000_000_000_000))
def test_milliseconds_survive_all_formats(milliseconds: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    assert timestamps.parse_iso8601(timestamps.format_iso8601(moment)) == moment
    assert timestamps.to_epoch(moment) * 1000 == pytest.approx(milliseconds)
