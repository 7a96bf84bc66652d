"""Message attributes: which there may be."""

from typing import Any

import pytest

from cloudlet.services.sqs.errors import InvalidParameterValue, UnsupportedOperation
from cloudlet.services.sqs.message_attributes import check

TEXT = {"DataType": "String", "StringValue": "x"}


@pytest.mark.parametrize("name", ["a", "a.b-c_d", "a" * 256, "AWSome", "Amazonian", "aws"])
def test_names(name: str) -> None:
    check({name: TEXT})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("", "must contain non-empty message .user. attribute names"),
        ("a" * 257, "attribute name must be shorter than 256 bytes"),
        ("AWS.a", "reserved for internal use"),
        ("amazon.a", "reserved for internal use"),
        ("a b", "can only contain"),
        (".a", "can only contain"),
        ("a.", "can only contain"),
        ("a..b", "can only contain"),
        ("ä", "can only contain"),
    ],
)
def test_names_that_are_none(name: str, text: str) -> None:
    with pytest.raises(InvalidParameterValue, match=text):
        check({name: TEXT})


@pytest.mark.parametrize("data_type", ["Number", "Number.int"])
@pytest.mark.parametrize(
    "number", ["0", "-1", "+.5", "5.", "1e126", "-1e126", "1e-128", "1" * 38, "1" + "0" * 100, "0." + "0" * 100 + "1"]
)
def test_numbers(number: str, data_type: str) -> None:
    check({"a": {"DataType": data_type, "StringValue": number}})


@pytest.mark.parametrize(
    "number",
    [
        "x",
        "1 ",
        "0x1",
        "NaN",
        "Infinity",
        "1_0",
        "٣",
        "1e",
        "-",
        "1e127",
        "2e126",
        "9e-129",
        "1" * 39,
        "1e999999999",
        "0" * 600,
    ],
)
def test_numbers_that_are_none(number: str) -> None:
    with pytest.raises(
        InvalidParameterValue, match=r"Can't cast the value of message \(user\) attribute 'a' to a number"
    ):
        check({"a": {"DataType": "Number", "StringValue": number}})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"DataType": "Text", "StringValue": "x"}, "supported type prefixes"),
        ({"DataType": "string", "StringValue": "x"}, "supported type prefixes"),
        ({"DataType": "String." + "a" * 250, "StringValue": "x"}, "type must be shorter than 256 bytes"),
        ({"DataType": "String", "StringValue": ""}, "^Message .user. attribute 'a' must contain a non-empty value"),
        ({"DataType": "String", "BinaryValue": b"x"}, "non-empty value of type 'String'"),
        ({"DataType": "Binary", "StringValue": "x"}, "non-empty value of type 'Binary'"),
        ({"DataType": "String", "StringValue": "\0"}, "contains invalid characters"),
    ],
)
def test_values_that_are_none(value: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidParameterValue, match=text):
        check({"a": value})


@pytest.mark.parametrize(
    "value",
    [{"DataType": "StringList", "StringListValues": ["x"]}, {"DataType": "Binary", "BinaryListValues": [b"x"]}],
)
def test_lists_are_not_supported(value: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedOperation, match="list values in SendMessage operation"):
        check({"a": value})
