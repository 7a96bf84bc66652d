"""Labels with something to fill in."""

import datetime as dt

import pytest

from cloudlet.errors import OperationNotImplemented
from cloudlet.services.cloudwatch.errors import ValidationFailed
from cloudlet.services.cloudwatch.labels import filled, is_dynamic, zone

POINTS = [(0, 2.0), (60, 5.5), (120, 1.0)]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plain", "plain"),
        ("${LABEL}!", "usual!"),
        ("${MIN} ${MAX} ${AVG} ${SUM}", "1 5.5 2.83 8.5"),
        ("${FIRST} ${LAST} ${DATAPOINT_COUNT}", "2 1 3"),
        ("${MAX_TIME}", "1970-01-01T00:01:00+00:00"),
        ("${FIRST_TIME} ${LAST_TIME}", "1970-01-01T00:00:00+00:00 1970-01-01T00:02:00+00:00"),
        ("${PROP('Dim.Zone')}${PROP('Dim.None')}", "a"),
    ],
)
def test_a_label(template: str, expected: str) -> None:
    assert filled(template, "usual", POINTS, {"Dim.Zone": "a"}, dt.UTC) == expected
    assert is_dynamic(template) == (template != "plain")


def test_without_data_there_is_no_value() -> None:
    assert filled("${MAX} ${MAX_TIME} ${LABEL}", "usual", [], {}, dt.UTC) == "-- -- usual"


def test_what_is_not_known_is_refused_by_name() -> None:
    with pytest.raises(OperationNotImplemented, match="MIN_MAX_RANGE"):
        filled("${MIN_MAX_RANGE}", "usual", POINTS, {}, dt.UTC)


def test_time_zones() -> None:
    assert zone(None) is zone("") is dt.UTC
    assert zone("-0330").utcoffset(None) == dt.timedelta(hours=-3, minutes=-30)
    for wrong in ("0130", "+1", "+0160", "+9900", "UTC"):
        with pytest.raises(ValidationFailed):
            zone(wrong)
