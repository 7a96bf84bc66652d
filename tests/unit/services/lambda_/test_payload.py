"""Payloads: what passes, and the words for what does not."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.errors import ServiceError
from cloudlet.services.lambda_.payload import check

PREFIX = "Could not parse request body into json: Could not parse payload into json: "
PLACE = "\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: {}, column: {}]"
VALUES = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"


def refusal(payload: bytes) -> str:
    with pytest.raises(ServiceError) as caught:
        check(payload)
    assert caught.value.code == "InvalidRequestContentException"
    assert caught.value.message.startswith(PREFIX)
    return caught.value.message.removeprefix(PREFIX)


@pytest.mark.parametrize("payload", [b"", b"{}", b"null", b' {"a": [1, 2.5e3, "\xc3\xa4"]} ', b'"\\ud800"', b"1e999"])
def test_json_passes_and_so_does_what_jackson_takes(payload: bytes) -> None:
    check(payload)


@pytest.mark.parametrize(
    ("payload", "text", "line", "column"),
    [
        # the first two are recorded answers of AWS
        (b"n\x87r\x9e\xe9\xb5\xd7I\xee\x9bmt", "Invalid UTF-8 start byte 0x87", 1, 3),
        (
            b"\x99\xeb,j\x07\xa1zYh",
            f"Unexpected character ((CTRL-CHAR, code 153)): expected a valid value {VALUES}",
            1,
            1,
        ),
        (b"hello", f"Unrecognized token 'hello': was expecting {VALUES}", 1, 6),
        (b"nul", f"Unrecognized token 'nul': was expecting {VALUES}", 1, 4),
        (b"{'a': 1}", "Unexpected character (''' (code 39)): was expecting double-quote to start field name", 1, 2),
        (b'{"a": }', f"Unexpected character ('}}' (code 125)): expected a valid value {VALUES}", 1, 7),
        (
            b'{"a" 1}',
            "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value",
            1,
            6,
        ),
        (
            b'{\n"a":1,\n}',
            "Unexpected character ('}' (code 125)): was expecting double-quote to start field name",
            3,
            1,
        ),
        (b"[1 2]", "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries", 1, 4),
        (b'"abc', "Unexpected end-of-input: was expecting closing quote for a string value", 1, 5),
        (b'"\\x"', "Unrecognized character escape 'x' (code 120)", 1, 3),
        (b"01", "Invalid numeric value: Leading zeroes not allowed", 1, 2),
        (b" ", "No content to map due to end-of-input", 1, 2),
        (b"{} {}", "Unexpected character ('{' (code 123)): Expected space separating root-level values", 1, 4),
    ],
)
def test_what_is_wrong_is_said_as_aws_says_it(payload: bytes, text: str, line: int, column: int) -> None:
    assert refusal(payload) == text + PLACE.format(line, column)


def test_an_object_that_is_not_closed_names_where_it_began() -> None:
    start = PLACE.format(1, 6).removeprefix("\n at ")
    assert refusal(b'{"a":{"b":[]') == (
        f"Unexpected end-of-input: expected close marker for Object (start marker at {start})" + PLACE.format(1, 13)
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSON, st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_is_json(value: object, place: int, byte: int) -> None:
    payload = bytearray(orjson.dumps(value))
    check(bytes(payload))
    payload[place % len(payload)] = byte
    try:
        check(bytes(payload))
    except ServiceError:
        with pytest.raises(ValueError):
            orjson.loads(bytes(payload))
