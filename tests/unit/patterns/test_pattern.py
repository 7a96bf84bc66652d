"""Patterns as a whole."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.patterns import InvalidPattern, Pattern


def parsed(pattern: dict[str, Any]) -> Pattern:
    return Pattern.parse(json.dumps(pattern))


@pytest.mark.parametrize(
    ("pattern", "event", "verdict"),
    [
        ({"a": ["x"]}, {"a": "x", "b": 1}, True),
        ({"a": ["x"]}, {}, False),
        ({"a": ["x"]}, {"a": ["y", ["x"]]}, True),
        ({"a": [None]}, {"a": None}, True),
        ({"a": [None]}, {}, False),
        ({"a": [{"exists": False}]}, {"a": {"b": 1}}, True),
        ({"a": [{"exists": False}]}, {"a": []}, True),
        ({"a": [{"exists": True}]}, {"a": None}, True),
        ({"a": {"b": [{"exists": False}]}}, {}, True),
        ({"a": {"b": [1], "c": [2]}}, {"a": [{"b": 1}, {"c": 2}]}, False),
        ({"a": {"b": [1], "c": [2]}}, {"a": [{"b": 0, "c": 2}, {"b": 1, "c": 2}]}, True),
        ({"$or": [{"a": [1]}, {"b": [2]}], "c": [3]}, {"b": 2, "c": 3}, True),
        ({"$or": [{"a": [1]}, {"b": [2]}], "c": [3]}, {"a": 1}, False),
        ({"$or": ["a", "b"]}, {"$or": "a"}, True),
        ({"a.b": [1]}, {"a": {"b": 1}}, True),
        ({"a.b": [1]}, {"a": [{"b": 0}, {"b": 1}]}, True),
        ({"a.b": [1]}, {"a.b": 1}, True),
        ({"a": [True]}, {"a": 1}, False),
        ({"a": [1]}, {"a": True}, False),
        ({"a": ["1"]}, {"a": 1}, False),
    ],
)
def test_verdicts(pattern: dict[str, Any], event: dict[str, Any], verdict: bool) -> None:
    assert parsed(pattern).matches(event) is verdict


@pytest.mark.parametrize("text", ["", "[]", "1", '"a"', "{}", '{"a":1}', '{"a":{}}', '{"a":[]}', '{"a":[[1]]}', "{"])
def test_what_is_no_pattern(text: str) -> None:
    with pytest.raises(InvalidPattern):
        Pattern.parse(text)


def test_a_pattern_that_is_nested_too_deep_is_refused() -> None:
    with pytest.raises(InvalidPattern):
        Pattern.parse('{"a":' * 5000 + "[1]" + "}" * 5000)
    with pytest.raises(InvalidPattern):
        Pattern.parse('{"a":' * 200 + "[1]" + "}" * 200)


EVENTS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text("ab", max_size=2)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text("ab", min_size=1, max_size=1), inner)),
    max_leaves=8,
)


@given(st.dictionaries(st.text("ab", min_size=1, max_size=1), EVENTS))
def test_a_field_exists_or_does_not(event: dict[str, Any]) -> None:
    exists, absent = ({"a": [{"exists": wanted}]} for wanted in (True, False))
    assert parsed(exists).matches(event) != parsed(absent).matches(event)


@given(EVENTS, EVENTS)
def test_one_more_wanted_value_never_loses_an_event(event: Any, other: Any) -> None:
    if isinstance(other, dict | list):
        return
    few, more = parsed({"a": ["a", {"exists": False}]}), parsed({"a": ["a", {"exists": False}, other]})
    assert more.matches(event) or not few.matches(event)
