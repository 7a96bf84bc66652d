"""Values in HTTP headers: as text, with lists, jsonvalues and dates in their own ways.

https://smithy.io/2.0/spec/http-bindings.html#httpheader-trait
"""

import re
from collections.abc import Callable
from typing import Any

import orjson

from cloudlet.errors import SerializationError
from cloudlet.wire.protocols.json_read import decode_base64
from cloudlet.wire.protocols.json_write import encode_base64
from cloudlet.wire.protocols.text import text_decoder, text_encoder
from cloudlet.wire.shapes import ListShape, Shape

_ITEM = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^,]*))\s*(?:,|$)')


def header_decoder(shape: Shape) -> Callable[[str], Any]:
    """From a header's text to a value of `shape`. What it makes raises SerializationError."""
    if isinstance(shape, ListShape):
        member, split = text_decoder(shape.member, "rfc822"), _splitter(shape.member)
        return lambda text: [member(item) for item in split(text)]
    if is_jsonvalue(shape):
        return _decode_jsonvalue
    return text_decoder(shape, "rfc822")


def header_encoder(shape: Shape) -> Callable[[Any], str]:
    """From a value of `shape` to a header's text. A line break in a text is left out: it would end the header."""
    if isinstance(shape, ListShape):
        member = text_encoder(shape.member, "rfc822")
        quoted = shape.member.type_name == "string"
        return lambda values: ", ".join(
            _quote(member(value)) if quoted else member(value) for value in values if value is not None
        )
    if is_jsonvalue(shape):
        return lambda value: encode_base64(orjson.dumps(value))
    encode = text_encoder(shape, "rfc822")
    return lambda value: one_line(encode(value))


def is_jsonvalue(shape: Shape) -> bool:
    """True for a header that holds base64 of a JSON text."""
    return bool(shape.traits.get("jsonvalue")) and shape.traits.get("location") == "header"


def one_line(text: str) -> str:
    """`text` without what would end a header."""
    return text.replace("\r", "").replace("\n", "") if "\n" in text or "\r" in text else text


def split_list(text: str) -> list[str]:
    """The items of a comma-separated header; an item in double quotes may hold commas."""
    items, position = [], 0
    while position < len(text):
        match = _ITEM.match(text, position)
        if match is None or match.end() == position:
            raise SerializationError("A header's list is not well formed.")
        quoted, bare = match.groups()
        items.append(re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else bare.strip())
        position = match.end()
    return items


def _splitter(member: Shape) -> Callable[[str], list[str]]:
    if member.type_name == "timestamp" and member.traits.get("timestampFormat", "rfc822") == "rfc822":
        return _split_dates
    return split_list


def _split_dates(text: str) -> list[str]:
    """HTTP dates have a comma of their own."""
    parts = text.split(",")
    return [",".join(parts[i : i + 2]).strip() for i in range(0, len(parts), 2)]


def _decode_jsonvalue(text: str) -> Any:
    try:
        return orjson.loads(decode_base64(text))
    except orjson.JSONDecodeError as error:
        raise SerializationError("A header's value is not JSON in base64.") from error


def _quote(text: str) -> str:
    text = one_line(text)
    if "," in text or '"' in text:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return text
