"""Message attributes: what is allowed, how they count, and their MD5.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
"""

import base64
import hashlib
import re
import struct
from collections.abc import Iterable, Mapping
from typing import Any

from cloudlet.services.sqs.errors import InvalidParameterValue, MissingParameter

MAX_ATTRIBUTES = 10
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""
TRACE_HEADER = "AWSTraceHeader"
_NAME = re.compile(r"(?!(?i:aws\.|amazon\.))[A-Za-z0-9_-](?:[A-Za-z0-9_-]|\.(?!\.|$)){0,255}")
_TYPE = re.compile(r"(String|Number|Binary)(\.[\x21-\x7e]{1,249})?")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_INVALID_CHARACTER = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def has_invalid_character(text: str) -> bool:
    """True when `text` holds what no message may."""
    return _INVALID_CHARACTER.search(text) is not None


def check(attributes: Mapping[str, Any]) -> None:
    """Raises InvalidParameterValue for attributes that a message cannot have."""
    if len(attributes) > MAX_ATTRIBUTES:
        raise InvalidParameterValue(
            f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum [{MAX_ATTRIBUTES}]."
        )
    for name, value in attributes.items():
        _check_one(name, value)


def _check_one(name: str, value: Mapping[str, Any]) -> None:
    what = f"message (user) attribute '{name}'"
    if not _NAME.fullmatch(name):
        raise InvalidParameterValue(f"The {what} name contains invalid characters, or is reserved or too long.")
    data_type = value.get("DataType")
    if not data_type:
        raise MissingParameter(f"The {what} must contain a non-empty message attribute type.")
    match = _TYPE.fullmatch(data_type)
    if match is None:
        raise InvalidParameterValue(
            f"The type of {what} is invalid. You must use only the following supported type prefixes: "
            "Binary, Number, String."
        )
    if value.get("StringListValues") or value.get("BinaryListValues"):
        raise InvalidParameterValue("Message attribute list values in SendMessage operation are not supported.")
    kind = match[1]
    content = value.get("BinaryValue" if kind == "Binary" else "StringValue")
    if not content:
        raise InvalidParameterValue(f"The {what} must contain a non-empty value of type '{kind}'.")
    if kind == "Binary":
        return
    if has_invalid_character(content):
        raise InvalidParameterValue(f"The {what} contains invalid characters.")
    if kind == "Number" and not _NUMBER.fullmatch(content):
        raise InvalidParameterValue(f"Can't cast the value of {what} to a number.")


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
