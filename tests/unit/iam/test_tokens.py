"""Session tokens."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.iam.principals import KnownKey, Principal
from cloudlet.iam.tokens import InvalidToken, Tokens
from cloudlet.ids import Ids

KEY = b"k" * 32
PRINCIPAL = Principal("root", "111111111111", "arn:aws:iam::111111111111:root", "111111111111", "ASIAX")
SESSION = KnownKey("secret", PRINCIPAL, 1000.0)


def _tokens(key: bytes = KEY) -> Tokens:
    return Tokens(key, Ids())


def test_every_token_with_the_same_master_key_can_be_opened() -> None:
    assert _tokens().open("ASIAX", _tokens().seal(SESSION)) == SESSION


def test_two_tokens_of_a_session_differ() -> None:
    tokens = _tokens()
    assert tokens.seal(SESSION) != tokens.seal(SESSION)


def test_a_token_shows_nothing_of_the_session() -> None:
    sealed = base64.b64decode(_tokens().seal(SESSION))
    assert b"secret" not in sealed
    assert b"1111" not in sealed


def test_another_master_key_opens_nothing() -> None:
    with pytest.raises(InvalidToken):
        _tokens(b"x" * 32).open("ASIAX", _tokens().seal(SESSION))


@given(st.integers(min_value=0, max_value=2000), st.integers(min_value=1, max_value=255))
def test_no_byte_of_a_token_can_be_changed(position: int, difference: int) -> None:
    tokens = _tokens()
    sealed = bytearray(base64.b64decode(tokens.seal(SESSION)))
    sealed[position % len(sealed)] ^= difference
    with pytest.raises(InvalidToken):
        tokens.open("ASIAX", base64.b64encode(sealed).decode())


@given(st.one_of(st.text(), st.binary().map(lambda data: base64.b64encode(b"\x01" + data).decode())))
def test_what_is_no_token_is_invalid(token: str) -> None:
    with pytest.raises(InvalidToken):
        _tokens().open("ASIAX", token)


def test_a_token_of_any_length_is_looked_at_only_up_to_a_limit() -> None:
    with pytest.raises(InvalidToken):
        _tokens().open("ASIAX", "A" * 100_000)


@pytest.mark.parametrize("length", [0, 512, 4096])
def test_a_token_is_as_long_as_is_asked(length: int) -> None:
    tokens = _tokens()
    token = tokens.seal(SESSION, length)
    assert length <= len(token) < max(length, 400) + 8
    assert tokens.open("ASIAX", token) == SESSION


def test_the_opened_tokens_that_are_kept_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudlet.iam.tokens._OPENED_TOKENS", 3)
    tokens = _tokens()
    sealed = [tokens.seal(SESSION) for _ in range(10)]
    assert all(tokens.open("ASIAX", token) == SESSION for token in sealed for _ in range(2))
    assert len(tokens._opened) == 3
