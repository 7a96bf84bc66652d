"""Event patterns: what the oracles do not show."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.patterns import InvalidJson, InvalidPattern, Pattern
from cloudlet.patterns.parser import MAX_ALTERNATIVES
from cloudlet.patterns.tokens import MAX_DEPTH, check_json


def matches(pattern: Any, event: Any) -> bool:
    return Pattern.parse(json.dumps(pattern)).matches(event)


TEXTS = st.text(alphabet="ab*\\é.", max_size=6)
NUMBERS = st.integers(-5, 5) | st.floats(-5, 5, allow_nan=False)
SCALARS = TEXTS | NUMBERS | st.booleans() | st.none()
EVENTS = st.recursive(
    st.dictionaries(st.sampled_from("abc"), SCALARS | st.lists(SCALARS, max_size=3), max_size=3),
    lambda inner: st.dictionaries(
        st.sampled_from("abc"), SCALARS | inner | st.lists(inner | SCALARS, max_size=3), max_size=3
    ),
    max_leaves=8,
)
OPERATORS = st.one_of(
    SCALARS,
    st.builds(lambda text: {"prefix": text}, TEXTS),
    st.builds(lambda text: {"suffix": text}, TEXTS),
    st.builds(lambda text: {"equals-ignore-case": text}, TEXTS),
    st.builds(lambda text: {"anything-but": text}, TEXTS),
    st.builds(lambda text: {"anything-but": [text]}, NUMBERS),
    st.builds(lambda low: {"numeric": [">=", low, "<", low + 2]}, NUMBERS),
    st.builds(lambda there: {"exists": there}, st.booleans()),
)


def by_hand(operator: Any, value: Any) -> bool:
    """One operator on one value, said in another way."""
    is_text, is_number = isinstance(value, str), isinstance(value, int | float) and not isinstance(value, bool)
    if not isinstance(operator, dict):
        if isinstance(operator, bool) or operator is None:
            return value is operator
        return (is_text if isinstance(operator, str) else is_number) and value == operator
    ((name, wanted),) = operator.items()
    if name == "exists":
        return bool(wanted)
    if name == "anything-but":
        one = wanted[0] if isinstance(wanted, list) else wanted
        return not by_hand(one, value)
    if name == "numeric":
        return is_number and wanted[1] <= value < wanted[3]
    if not is_text:
        return False
    if name == "prefix":
        return bool(value[: len(wanted)] == wanted)
    if name == "suffix":
        return bool(value[::-1][: len(wanted)] == wanted[::-1])
    return bool(value.casefold() == wanted.casefold())


@given(st.lists(OPERATORS, min_size=1, max_size=3), SCALARS | st.lists(SCALARS, max_size=3))
def test_a_field_matches_when_one_value_passes_one_test(operators: list[Any], value: Any) -> None:
    values = value if isinstance(value, list) else [value]
    wanted = any(by_hand(operator, each) for operator in operators for each in values)
    if not values:
        wanted = {"exists": False} in operators
    assert matches({"a": operators}, {"a": value}) == wanted


@given(st.lists(OPERATORS, min_size=1, max_size=2), st.lists(OPERATORS, min_size=1, max_size=2), EVENTS)
def test_or_is_one_or_the_other(one: list[Any], other: list[Any], event: dict[str, Any]) -> None:
    either = {"$or": [{"a": one}, {"b": other}]}
    assert matches(either, event) == (matches({"a": one}, event) or matches({"b": other}, event))


@given(EVENTS, st.lists(OPERATORS, min_size=1, max_size=2), st.lists(OPERATORS, min_size=1, max_size=2))
def test_a_further_field_never_adds_events(event: dict[str, Any], one: list[Any], other: list[Any]) -> None:
    if matches({"a": one, "b": other}, event):
        assert matches({"a": one}, event)
        assert matches({"b": other}, event)


@given(EVENTS)
def test_the_order_of_an_events_members_is_nothing(event: dict[str, Any]) -> None:
    turned = dict(reversed(event.items()))
    pattern = {"a": {"b": [{"anything-but": "a"}]}, "b": [{"exists": False}]}
    assert matches(pattern, event) == matches(pattern, turned)


@given(TEXTS, st.lists(TEXTS.map(lambda text: text.replace("*", "").replace("\\", "")), min_size=1, max_size=4))
def test_a_wildcard_matches_what_it_is_made_of(between: str, parts: list[str]) -> None:
    pattern = "*".join(part or "x" for part in parts)
    assert matches({"a": [{"wildcard": pattern}]}, {"a": between.join(part or "x" for part in parts)})


@given(st.text(max_size=40))
def test_any_text_is_a_pattern_or_an_error(text: str) -> None:
    with contextlib.suppress(InvalidPattern):
        assert Pattern.parse(text).alternatives


@given(st.text(alphabet='{}[]",:a1-.e\\ntrufl', max_size=20))
def test_json_is_what_python_says(text: str) -> None:
    try:
        json.loads(text, parse_constant=lambda _: 1 / 0)
    except (ValueError, ZeroDivisionError):
        with pytest.raises(InvalidJson):
            check_json(text)
    else:
        check_json(text)


def test_fields_of_different_elements_make_no_match() -> None:
    pattern = {"a": {"x": [1], "y": [2]}}
    assert matches(pattern, {"a": [{"x": 1, "y": 2}]})
    assert not matches(pattern, {"a": [{"x": 1, "y": 1}, {"x": 2, "y": 2}]})
    assert matches(pattern, {"a": [{"x": [0, 1]}, {"x": 1, "y": [[2]]}]})


def test_a_field_is_found_wherever_its_dots_come_from() -> None:
    for pattern in ({"a": {"b": [1]}}, {"a.b": [1]}):
        assert matches(pattern, {"a": {"b": 1}})
        assert matches(pattern, {"a.b": 1})


def test_an_object_is_no_value() -> None:
    assert not matches({"a": [{"exists": True}]}, {"a": {"b": 1}})
    assert matches({"a": [{"exists": False}]}, {"a": {"b": 1}})


def test_true_is_not_one() -> None:
    assert not matches({"a": [1]}, {"a": True})
    assert not matches({"a": [True]}, {"a": 1})
    assert not matches({"a": [{"numeric": ["=", 1]}]}, {"a": True})
    assert matches({"a": [{"anything-but": [1]}]}, {"a": True})


def test_an_address_is_the_same_in_all_its_spellings() -> None:
    assert matches({"a": ["2001:db8::1"]}, {"a": "2001:0DB8:0:0:0:0:0:1"})


def test_what_is_no_object_matches_nothing() -> None:
    assert not matches({"a": [{"exists": False}]}, ["a"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "Filter is not an object"),
        ("{}", "Empty objects are not allowed"),
        ('{"a":{"b":{}}}', "Empty objects are not allowed"),
        ('{"a":[[1]]}', "Match value must be String, number, true, false, or null"),
        ('{"a":[{}]}', "Match expression name not found"),
        ('{"a":[{"wildcard":"a\\\\b"}]}', "Invalid escape character at pos 2"),
        ('{"a":[{"cidr":"10.0.0.0/32"}]}', "IPv4 mask bits must be < 32"),
        ('{"a":[{"cidr":"10.0.0.0/x"}]}', "Malformed CIDR, mask bits must be an integer"),
        ('{"a":[{"cidr":"10.0.0.0/-1"}]}', "Malformed CIDR, mask bits must not be negative"),
        ('{"a":[{"cidr":"::/128"}]}', "IPv6 mask bits must be < 128"),
        ('{"a":[{"anything-but":true}]}', "Value of anything-but must be an array or single string/number value."),
        ('{"a":[{"anything-but":[true]}]}', "Inside anything but list, start|null|boolean is not supported."),
        ('{"a":[{"numeric":5}]}', "Value of numeric must be an array."),
    ],
)
def test_what_is_no_pattern(text: str, message: str) -> None:
    with pytest.raises(InvalidPattern) as raised:
        Pattern.parse(text)
    assert str(raised.value).split("\n")[0] == message


def test_ors_that_multiply_out_to_too_much() -> None:
    two = [{"a": [1]}, {"b": [1]}]
    pattern = {"x": {"$or": two}}
    for name in "cdefghijk":
        pattern = {"x": {"$or": [{"a": [1]}, {"b": [1]}]}, name: pattern}  # type: ignore[dict-item]
    Pattern.parse(json.dumps(pattern["x"]))
    with pytest.raises(InvalidPattern, match="too complex"):
        Pattern.parse(json.dumps(pattern))
    assert MAX_ALTERNATIVES < 2**10


def test_depth_is_bounded() -> None:
    check_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    with pytest.raises(InvalidJson, match="nesting depth"):
        check_json("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


def test_a_large_array_is_walked_once() -> None:
    """50,000 elements with fields that never meet: compared with each other, these would be years."""
    elements = [{"x": number % 2, "y": number % 2, "z": 1 - number % 2} for number in range(50_000)]
    assert not matches({"a": {"x": [1], "y": [0], "z": [0]}}, {"a": elements})


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("invalid", "Unrecognized token 'invalid'", 8),
        ("{invalid", "Unexpected character ('i' (code 105)): was expecting double-quote to start field name", 2),
        ('{"a":[1 2]}', "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries", 9),
    ],
)
def test_where_json_ends(text: str, message: str, column: int) -> None:
    with pytest.raises(InvalidJson) as raised:
        check_json(text)
    assert str(raised.value).startswith(message)
    assert (raised.value.line, raised.value.column) == (1, column)


def test_a_long_text_is_quoted_in_part() -> None:
    text = '{"' + "a" * 600 + '":1}'
    with pytest.raises(InvalidPattern, match=r"\[truncated 106 chars\]; line: 1"):
        Pattern.parse(text)
