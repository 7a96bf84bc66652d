"""Tokens come back as they were given, and whatever else a client sends is refused in the service's words."""

import base64

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.logs.errors import InvalidParameter
from cloudlet.services.logs.tokens import decode_token, encode_token

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NUMBERS = st.integers(-(1 << 63), (1 << 63) - 1)
VALUES = st.recursive(st.none() | st.booleans() | NUMBERS | TEXTS | st.floats(), st.lists)


@given(TEXTS, NUMBERS)
def test_a_token_holds_its_values(text: str, number: int) -> None:
    assert decode_token("purpose", encode_token("purpose", [text, number]), [str, int]) == [text, number]


@given(st.text() | VALUES.map(orjson.dumps).map(base64.urlsafe_b64encode).map(bytes.decode))
def test_any_other_text_is_refused(token: str) -> None:
    with pytest.raises(InvalidParameter, match=r"The specified nextToken is invalid\."):
        decode_token("purpose", token, [str, int])


@pytest.mark.parametrize("values", [["a\0", 1], ["a", 1 << 63], ["a"], ["a", 1, 1], [1, "a"], ["a", True]])
def test_a_changed_token_is_refused(values: list[str | int]) -> None:
    with pytest.raises(InvalidParameter):
        decode_token("purpose", encode_token("purpose", values), [str, int])


def test_a_token_is_for_one_purpose() -> None:
    with pytest.raises(InvalidParameter):
        decode_token("other", encode_token("purpose", ["a"]), [str])
