"""Message attributes: what is allowed, how they count, and the forms they take.

https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
"""

import base64
import re
from collections.abc import Mapping
from typing import Any, Final

from cloudlet.services.sns.errors import InvalidParameterValue

MAX_NAME_BYTES: Final = 256
_TYPE = re.compile(r"(String|Number|Binary)(?:\.[\x21-\x7e]{1,249})?")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_BAD_CHARACTER = re.compile(r"[^A-Za-z0-9_.-]")


def check(attributes: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises InvalidParameterValue for attributes that a message cannot have."""
    for name, value in attributes.items():
        _check_name(name)
        _check_value(f"The message attribute '{name}'", name, value)


def _check_name(name: str) -> None:
    if not name:
        raise InvalidParameterValue("The message attribute name can not be empty.")
    if len(name.encode()) >= MAX_NAME_BYTES:
        raise InvalidParameterValue(f"Length of message attribute name must be less than {MAX_NAME_BYTES} bytes.")
    if bad := _BAD_CHARACTER.search(name):
        raise InvalidParameterValue(
            f"Invalid non-alphanumeric character '#x{ord(bad[0]):X}' was found in the message attribute name."
            " Can only include alphanumeric characters, hyphens, underscores, or dots."
        )
    if name[0] == ".":
        raise InvalidParameterValue("Invalid message attribute name starting with character '.' was found.")
    if name[-1] == ".":
        raise InvalidParameterValue("Invalid message attribute name ending with character '.' was found.")
    if ".." in name:
        raise InvalidParameterValue("Message attribute name can not have successive '.' character.")


def _check_value(what: str, name: str, value: Mapping[str, Any]) -> None:
    match = _TYPE.fullmatch(value["DataType"])
    if match is None:
        raise InvalidParameterValue(
            f"{what} has an invalid message attribute type, the set of supported type prefixes is"
            " Binary, Number, and String."
        )
    field = "Binary" if match[1] == "Binary" else "String"
    if f"{field}Value" not in value and len(value) > 1:
        raise InvalidParameterValue(f"{what} with type '{value['DataType']}' must use field '{field}'.")
    content = value.get(f"{field}Value")
    if not content:
        raise InvalidParameterValue(
            f"{what} must contain non-empty message attribute value for message attribute type '{value['DataType']}'."
        )
    if match[1] == "Number" and not _NUMBER.fullmatch(content):
        raise InvalidParameterValue(f"Could not cast message attribute '{name}' value to number.")


def size_bytes(attributes: Mapping[str, Mapping[str, Any]]) -> int:
    """What attributes add to the size of a message: names, types and values."""
    return sum(
        len(name.encode()) + len(value["DataType"].encode()) + len(_content(value))
        for name, value in attributes.items()
    )


def shown(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Attributes as they stand in envelopes, and are kept."""
    return {name: {"Type": value["DataType"], "Value": _text(value)} for name, value in attributes.items()}


def for_queue(attributes: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, Any]]:
    """Kept attributes as parameters of SendMessage."""
    return {
        name: {"DataType": value["Type"]}
        | (
            {"BinaryValue": base64.b64decode(value["Value"])}
            if value["Type"].startswith("Binary")
            else {"StringValue": value["Value"]}
        )
        for name, value in attributes.items()
    }


def _content(value: Mapping[str, Any]) -> bytes:
    """Of an attribute that may not have been checked yet, what there is."""
    if value["DataType"].startswith("Binary"):
        return bytes(value.get("BinaryValue") or b"")
    return str(value.get("StringValue") or "").encode()


def _text(value: Mapping[str, Any]) -> str:
    content = _content(value)
    return base64.b64encode(content).decode() if value["DataType"].startswith("Binary") else content.decode()
