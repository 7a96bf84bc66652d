"""Scalars written as text: in form bodies, query strings, headers, paths and XML."""

import math
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import unquote_to_bytes

from cloudlet.errors import SerializationError
from cloudlet.wire import timestamps
from cloudlet.wire.protocols.json_read import SPECIAL_FLOATS, decode_base64
from cloudlet.wire.protocols.json_write import encode_base64
from cloudlet.wire.shapes import Shape

Decode = Callable[[str], Any]
Encode = Callable[[Any], str]

_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,30}\s*")
_FLOAT = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?\s*")


def text_decoder(shape: Shape, timestamp_format: str) -> Decode:
    """From text to a value of `shape`; `timestamp_format` is the default of the place where the text stands.

    What it makes raises SerializationError.
    """
    if shape.type_name == "timestamp":
        return _timestamp_decoder(str(shape.traits.get("timestampFormat", timestamp_format)).lower())
    return _DECODERS.get(shape.type_name, str)


def text_encoder(shape: Shape, timestamp_format: str) -> Encode:
    """From a value of `shape` to text; `timestamp_format` is the default of the place where the text stands."""
    if shape.type_name == "timestamp":
        return timestamps.FORMATTERS[str(shape.traits.get("timestampFormat", timestamp_format)).lower()]
    return _ENCODERS.get(shape.type_name, _encode_string)


def percent_decode(text: str) -> str:
    """A percent-encoded part of a path or query string. Raises SerializationError where it is not UTF-8."""
    if "%" not in text:
        return text
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError as error:
        raise SerializationError("The request's path or parameters are not UTF-8.") from error


def parse_pairs(text: str) -> list[tuple[str, str]]:
    """The pairs of a query string or form, in their order; a name without `=` has an empty value.

    Raises SerializationError.
    """
    pairs = []
    for part in text.split("&"):
        if not part:
            continue
        if "+" in part:
            part = part.replace("+", " ")
        name, _, value = part.partition("=")
        if "%" in part:
            name, value = percent_decode(name), percent_decode(value)
        pairs.append((name, value))
    return pairs


def parse_query(text: str) -> dict[str, list[str]]:
    """The values of each name in a query string. Raises SerializationError."""
    query: dict[str, list[str]] = {}
    if text:
        for name, value in parse_pairs(text):
            query.setdefault(name, []).append(value)
    return query


def _refuse(text: str, article: str) -> SerializationError:
    return SerializationError(f"'{text[:64]}' can not be converted to {article}")


def _decode_boolean(text: str) -> bool:
    lower = text.strip().lower()
    if lower in ("true", "1"):
        return True
    if lower in ("false", "0"):
        return False
    raise _refuse(text, "a Boolean")


def _decode_integer(text: str) -> int:
    if _INTEGER.fullmatch(text) is None:
        raise _refuse(text, "an Integer")
    return int(text)


def _decode_float(text: str) -> float:
    if text in SPECIAL_FLOATS:
        return SPECIAL_FLOATS[text]
    if _FLOAT.fullmatch(text) is None:
        raise _refuse(text, "a Double")
    return float(text)


def _timestamp_decoder(timestamp_format: str) -> Decode:
    parse = timestamps.PARSERS[timestamp_format]

    def decode(text: str) -> datetime:
        try:
            return parse(text)
        except ValueError:
            pass
        try:
            return timestamps.parse_any(text)
        except ValueError as error:
            raise _refuse(text, "a Date") from error

    return decode


def _encode_string(value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"expected str, got {value!r}")


def _encode_boolean(value: Any) -> str:
    return "true" if value else "false"


def _encode_integer(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(int(value))
    raise TypeError(f"expected int, got {value!r}")


def _encode_float(value: Any) -> str:
    number = float(value)
    if math.isfinite(number):
        return repr(number)
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


_DECODERS: dict[str, Decode] = {
    "boolean": _decode_boolean,
    "integer": _decode_integer,
    "long": _decode_integer,
    "short": _decode_integer,
    "byte": _decode_integer,
    "float": _decode_float,
    "double": _decode_float,
    "blob": lambda text: decode_base64("".join(text.split())),
}
_ENCODERS: dict[str, Encode] = {
    "boolean": _encode_boolean,
    "integer": _encode_integer,
    "long": _encode_integer,
    "short": _encode_integer,
    "byte": _encode_integer,
    "float": _encode_float,
    "double": _encode_float,
    "blob": encode_base64,
}
