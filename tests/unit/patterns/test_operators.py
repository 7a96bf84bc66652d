"""Each operator, on what it is for and on what it is not, and what each refuses."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.patterns import InvalidPattern, Pattern


def equal_to(wanted: Any) -> Callable[[Any], bool]:
    pattern = Pattern.parse(json.dumps({"a": [wanted]}))
    return lambda value: pattern.matches({"a": value})


def operator(name: str, argument: Any) -> Callable[[Any], bool]:
    return equal_to({name: argument})


OTHERS = [None, True, False, 1, 1.5]


@pytest.mark.parametrize("name", ["prefix", "suffix", "equals-ignore-case", "wildcard", "cidr"])
def test_operators_of_texts_match_nothing_else(name: str) -> None:
    test = operator(name, "10.0.0.0/8" if name == "cidr" else "1")
    assert not any(test(value) for value in OTHERS)


@pytest.mark.parametrize(
    ("name", "argument", "wanted", "unwanted"),
    [
        ("prefix", "ab", ["ab", "abc"], ["a", "cab", "ABC"]),
        ("prefix", {"equals-ignore-case": "ab"}, ["AB", "aBc"], ["cab"]),
        ("suffix", "ab", ["ab", "cab"], ["abc"]),
        ("suffix", {"equals-ignore-case": "ab"}, ["CAB"], ["abc"]),
        ("equals-ignore-case", "straße", ["STRASSE", "straße"], ["strase"]),
        ("wildcard", "a*c", ["ac", "abc", "a*c"], ["a", "abcd"]),
        ("wildcard", "*", ["", "x"], []),
        ("wildcard", r"a\*\\", ["a*\\"], ["ab\\"]),
        ("wildcard", "a*ab", ["aab", "axab"], ["ab"]),
        ("numeric", ["=", 3.0], [3, 3.0], ["3", 3.5, True]),
        ("numeric", [">", 0, "<=", 5], [1, 5, 0.1], [0, 5.1, "1", True]),
        ("cidr", "10.0.0.0/24", ["10.0.0.7"], ["10.0.1.0", "x", "::1"]),
        ("cidr", "2001:db8::/32", ["2001:db8::1"], ["2001:db9::1", "10.0.0.1"]),
        ("anything-but", "a", ["b", 1, None, True], ["a"]),
        ("anything-but", [1, 2], [3, "1"], [1, 2.0]),
        ("anything-but", {"prefix": ["a", "b"]}, ["ca", 1], ["a", "bc"]),
        ("anything-but", {"wildcard": "a*c"}, ["ab"], ["abc"]),
    ],
)
def test_what_is_wanted(name: str, argument: Any, wanted: list[Any], unwanted: list[Any]) -> None:
    test = operator(name, argument)
    assert [value for value in wanted if not test(value)] == []
    assert [value for value in unwanted if test(value)] == []


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("foo", "a"),
        ("prefix", {"suffix": "a"}),
        ("prefix", {"equals-ignore-case": "a", "x": "b"}),
        ("wildcard", "a**"),
        ("wildcard", "a\\b"),
        ("wildcard", "a\\"),
        ("numeric", "="),
        ("numeric", []),
        ("numeric", [1, 2]),
        ("numeric", [">", 5, "<", 1]),
        ("numeric", ["=", 1, "<", 2]),
        ("cidr", "10.0.0.0/33"),
        ("cidr", "10.0.0.0"),
        ("anything-but", []),
        ("anything-but", [True]),
        ("anything-but", {"numeric": ["=", 1]}),
        ("anything-but", {"prefix": []}),
    ],
)
def test_what_means_nothing(name: str, argument: Any) -> None:
    with pytest.raises(InvalidPattern):
        operator(name, argument)


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_a_wildcard_matches_what_a_naive_one_matches(pattern: str, text: str) -> None:
    while "**" in pattern:
        pattern = pattern.replace("**", "*")
    assert operator("wildcard", pattern)(text) == _naive(pattern, text)


def _naive(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(_naive(pattern[1:], text[index:]) for index in range(len(text) + 1))
    return text[:1] == pattern[0] and _naive(pattern[1:], text[1:])


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()))
def test_a_value_is_itself_and_is_anything_but_others(value: Any) -> None:
    assert equal_to(value)(value)
    if isinstance(value, str):
        assert not operator("anything-but", value)(value)
        assert operator("anything-but", value + "x")(value)
