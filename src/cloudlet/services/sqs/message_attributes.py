"""Message attributes: what is allowed, how they count, and their MD5.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
"""

import base64
import hashlib
import re
import struct
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from cloudlet.services.sqs.errors import InvalidParameterValue, MissingParameter, UnsupportedOperation

MAX_ATTRIBUTES = 10
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""
TRACE_HEADER = "AWSTraceHeader"
MAX_NAME_BYTES = 256
NUMBER_DIGITS = 38
SMALLEST, LARGEST = Decimal("1e-128"), Decimal("1e126")
MAX_NUMBER_CHARACTERS = 512
"""More than any number in these bounds needs, but for superfluous zeros."""
_RESERVED = re.compile(r"aws\.|amazon\.", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9_-]|\.(?!\.|$))*")
_TYPE = re.compile(r"(String|Number|Binary)(\.[\x21-\x7e]{1,249})?")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,9})?")
_INVALID_CHARACTER = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def has_invalid_character(text: str) -> bool:
    """True when `text` holds what no message may."""
    return _INVALID_CHARACTER.search(text) is not None


def check(attributes: Mapping[str, Any]) -> None:
    """Raises InvalidParameterValue, MissingParameter or UnsupportedOperation for what a message cannot have."""
    if len(attributes) > MAX_ATTRIBUTES:
        raise InvalidParameterValue(
            f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum [{MAX_ATTRIBUTES}]."
        )
    for name, value in attributes.items():
        _check_one(name, value)


def _check_one(name: str, value: Mapping[str, Any]) -> None:
    _check_attribute_name(name)
    what = f"message (user) attribute '{name}'"
    data_type = value.get("DataType")
    if not data_type:
        raise MissingParameter(f"The {what} must contain a non-empty message attribute type.")
    if value.get("StringListValues") or value.get("BinaryListValues"):
        raise UnsupportedOperation("Message attribute list values in SendMessage operation are not supported.")
    if len(data_type.encode()) > MAX_NAME_BYTES:
        raise InvalidParameterValue(f"Message (user) attribute type must be shorter than {MAX_NAME_BYTES} bytes.")
    match = _TYPE.fullmatch(data_type)
    if match is None:
        raise InvalidParameterValue(
            f"The type of {what} is invalid. You must use only the following supported type prefixes: "
            "Binary, Number, String."
        )
    kind = match[1]
    content = value.get("BinaryValue" if kind == "Binary" else "StringValue")
    if not content:
        raise InvalidParameterValue(
            f"Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'."
        )
    if kind == "Binary":
        return
    if has_invalid_character(content):
        raise InvalidParameterValue(f"The {what} contains invalid characters.")
    if kind == "Number" and not _is_number(content):
        raise InvalidParameterValue(f"Can't cast the value of {what} to a number.")


def _check_attribute_name(name: str) -> None:
    if not name:
        raise InvalidParameterValue("The request must contain non-empty message (user) attribute names.")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise InvalidParameterValue(f"Message (user) attribute name must be shorter than {MAX_NAME_BYTES} bytes.")
    if _RESERVED.match(name):
        raise InvalidParameterValue(
            "You can't use message attribute names beginning with 'AWS.' or 'Amazon'. These strings are reserved for"
            " internal use."
        )
    if not _NAME.fullmatch(name):
        raise InvalidParameterValue(
            "Message (user) attributes name can only contain upper and lower score characters, digits, periods, hyphens"
            " and underscores. "
        )


def _is_number(text: str) -> bool:
    """True for a number with at most 38 digits that count, between 10^-128 and 10^126 or the negative of such."""
    if len(text) > MAX_NUMBER_CHARACTERS or not _NUMBER.fullmatch(text):
        return False
    number = Decimal(text)
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    return len(digits) <= NUMBER_DIGITS and (not number or SMALLEST <= number.copy_abs() <= LARGEST)


def check_system(attributes: Mapping[str, Any]) -> str:
    """The trace header among a message's system attributes. Raises InvalidParameterValue for any other attribute."""
    for name, value in attributes.items():
        if name != TRACE_HEADER:
            raise InvalidParameterValue(
                f"Message system attribute name '{name}' is invalid. You must use only the following supported values:"
                f" {TRACE_HEADER}."
            )
        if value.get("DataType") != "String" or not value.get("StringValue"):
            raise InvalidParameterValue(
                f"The message system attribute '{name}' must contain a non-empty value of type 'String'."
            )
    return str(attributes[TRACE_HEADER]["StringValue"]) if attributes else ""


def size_bytes(attributes: Mapping[str, Any]) -> int:
    """What attributes add to the size of a message: names, types and values."""
    return sum(
        len(name.encode()) + len(value["DataType"].encode()) + len(_content(value))
        for name, value in attributes.items()
    )


def md5(attributes: Mapping[str, Any]) -> str:
    """The digest by which clients check that attributes arrived as they were sent."""
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        value = attributes[name]
        for part in (name.encode(), value["DataType"].encode()):
            digest.update(struct.pack(">I", len(part)) + part)
        content = _content(value)
        digest.update(b"\x02" if value["DataType"].startswith("Binary") else b"\x01")
        digest.update(struct.pack(">I", len(content)) + content)
    return digest.hexdigest()


def selected(attributes: Mapping[str, Any], wanted: Iterable[str]) -> dict[str, Any]:
    """Those attributes that a consumer asks for: by name, by `prefix.*`, or all of them."""
    exact, prefixes = set(), []
    for name in wanted:
        if name in ("All", ".*"):
            return dict(attributes)
        if name.endswith(".*"):
            prefixes.append(name[:-2])
        else:
            exact.add(name)
    return {
        name: value
        for name, value in attributes.items()
        if name in exact or any(name.startswith(prefix) for prefix in prefixes)
    }


def to_json(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as they are kept: binary values as base64."""
    kept = {}
    for name, value in attributes.items():
        entry = {"DataType": value["DataType"]}
        if value["DataType"].startswith("Binary"):
            entry["BinaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
        else:
            entry["StringValue"] = value["StringValue"]
        kept[name] = entry
    return kept


def from_json(kept: Mapping[str, Any]) -> dict[str, Any]:
    """What `to_json` made them from."""
    return {
        name: value | {"BinaryValue": base64.b64decode(value["BinaryValue"])} if "BinaryValue" in value else value
        for name, value in kept.items()
    }


def _content(value: Mapping[str, Any]) -> bytes:
    if value["DataType"].startswith("Binary"):
        return bytes(value["BinaryValue"])
    return str(value["StringValue"]).encode()
