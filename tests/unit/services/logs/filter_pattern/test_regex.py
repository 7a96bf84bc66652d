"""The linear matcher gives the verdict of Python's backtracking one, and needs no more than linear time."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.logs.filter_pattern.errors import PatternError
from cloudlet.services.logs.filter_pattern.regex import Regex

ATOMS = st.sampled_from(
    [
        "a",
        "b",
        "-",
        ".",
        r"\d",
        r"\D",
        r"\s",
        r"\S",
        r"\w",
        r"\W",
        "[ab]",
        "[^a]",
        "[a-c1-3]",
        r"[\]a]",
        "[a-]",
        r"\.",
        r"\x41",
    ]
)
COUNTS = st.sampled_from(["", "*", "+", "?", "{2}", "{1,3}", "{2,}", "{0,2}", "{0}"])
ITEMS = st.tuples(ATOMS, COUNTS).map("".join)
ALTERNATIVES = st.tuples(
    st.sampled_from(["", "^"]), st.lists(ITEMS, max_size=4).map("".join), st.sampled_from(["", "$"])
).map("".join)
EXPRESSIONS = st.lists(ALTERNATIVES, min_size=1, max_size=3).map("|".join)


@given(EXPRESSIONS, st.text(alphabet="abcA1.- \n", max_size=10))
def test_same_verdict_as_the_standard_library(expression: str, text: str) -> None:
    expected = re.search(expression, text, re.ASCII | re.DOTALL) is not None
    assert Regex(expression).search(text) is expected


def test_a_blank_may_stand_in_a_count() -> None:
    assert Regex("^a{2, 3}$").search("aaa")
    assert Regex("^a{,2}$").search("aa")
    assert not Regex("^a{,2}$").search("aaa")


def test_a_character_beyond_ascii_is_any_other_character() -> None:
    assert Regex("^caf.$").search("café")
    assert Regex("[^a-z]").search("é")
    assert not Regex(r"\w").search("é")


@pytest.mark.parametrize(
    "expression",
    [
        "a**",
        "*a",
        "a{3,1}",
        "a{",
        "a{}",
        "a{x}",
        "[]",
        "[z-a]",
        "a$b",
        "a^b",
        "a\\",
        r"\q",
        r"\xZZ",
        r"\xFF",
        "]",
        "}",
        "a{1,9999}",
        "a{2001}",
    ],
)
def test_what_does_not_compile(expression: str) -> None:
    with pytest.raises(PatternError, match=r"Failed to compile regular expression\."):
        Regex(expression)


def test_what_would_take_a_backtracking_matcher_years_is_linear() -> None:
    steps = [0]
    regex = Regex(".*.*.*.*.*.*.*.*x")
    original = regex._step

    def counted(state: int, symbol: int) -> int:
        steps[0] += 1
        return original(state, symbol)

    regex._step = counted  # type: ignore[method-assign]
    assert not regex.search("a" * 100_000)
    assert steps[0] < 100


def test_an_automaton_with_a_million_states_keeps_few() -> None:
    regex = Regex("[ab]*a[ab]{20}c")
    text = "".join("ab"[(index * 7919 >> 3) % 2] for index in range(5_000))
    assert not regex.search(text)
    assert len(regex._states) <= 500
