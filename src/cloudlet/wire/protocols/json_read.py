"""JSON values of modelled shapes, incoming, for the json and rest-json protocols.

Decoding checks types as AWS's servers do, with their texts; a value whose Python type is already the right one is
taken as it is, without a call, which is nearly all of a usual request.
"""

import binascii
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from cloudlet.errors import SerializationError
from cloudlet.wire import timestamps
from cloudlet.wire.compiler import ShapeCompiler
from cloudlet.wire.shapes import ListShape, MapShape, Shape, StructureShape, is_document, wire_name

Convert = Callable[[Any], Any]

PLAIN: dict[str, type] = {
    "string": str,
    "character": str,
    "integer": int,
    "long": int,
    "short": int,
    "byte": int,
    "boolean": bool,
    "float": float,
    "double": float,
}
"""The Python type that a JSON parser gives for a value of this shape type."""

_ARTICLES = {
    "string": "a String",
    "character": "a String",
    "integer": "an Integer",
    "long": "a Long",
    "short": "a Short",
    "byte": "a Byte",
    "boolean": "a Boolean",
    "float": "a Float",
    "double": "a Double",
    "blob": "a Blob",
    "timestamp": "milliseconds since epoch",
}
SPECIAL_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def refuse(value: Any, type_name: str) -> SerializationError:
    """The error for `value` where a value of the shape type `type_name` is expected, in AWS's words."""
    if isinstance(value, dict):
        return SerializationError("Start of structure or map found where not expected.")
    if isinstance(value, list):
        return SerializationError("Start of list found where not expected")
    if type_name in ("list", "map", "structure"):
        return SerializationError("Expected null" if type_name == "structure" else f"Expected {type_name} or null")
    token = f"{str(value).upper()}_VALUE" if isinstance(value, bool) else "NUMBER_VALUE"
    token = "STRING_VALUE" if isinstance(value, str) else token
    return SerializationError(f"{token} can not be converted to {_ARTICLES[type_name]}")


class JsonDecoders(ShapeCompiler[[Any], Any]):
    """Compiles shapes to functions from a parsed JSON value to what a service is given."""

    def body(self, members: Mapping[str, Shape]) -> Convert:
        """The decoder of those members of a structure that the body holds."""
        return self._structure(members)

    def _make(self, shape: Shape) -> Convert:
        if is_document(shape):
            return lambda value: value
        if isinstance(shape, StructureShape):
            return self._structure(shape.members)
        if isinstance(shape, ListShape):
            return self._list(shape)
        if isinstance(shape, MapShape):
            return self._map(shape)
        return self._scalar(shape)

    def _scalar(self, shape: Shape) -> Convert:
        if shape.type_name == "timestamp":
            return _timestamp_decoder(shape.traits.get("timestampFormat", "unixtimestamp"))
        return _SCALARS[shape.type_name]

    def _structure(self, members: Mapping[str, Shape]) -> Convert:
        table = {
            wire_name(member, name): (name, PLAIN.get(member.type_name), self.compile(member))
            for name, member in members.items()
        }

        def decode(value: Any) -> dict[str, Any]:
            if value.__class__ is not dict:
                raise refuse(value, "structure")
            result = {}
            for key, item in value.items():
                known = table.get(key)
                if known is not None and item is not None:
                    name, plain, convert = known
                    result[name] = item if item.__class__ is plain else convert(item)
            return result

        return decode

    def _list(self, shape: ListShape) -> Convert:
        plain, convert = PLAIN.get(shape.member.type_name), self.compile(shape.member)

        def decode(value: Any) -> list[Any]:
            if value.__class__ is not list:
                raise refuse(value, "list")
            return [item if item is None or item.__class__ is plain else convert(item) for item in value]

        return decode

    def _map(self, shape: MapShape) -> Convert:
        plain, convert = PLAIN.get(shape.value.type_name), self.compile(shape.value)

        def decode(value: Any) -> dict[str, Any]:
            if value.__class__ is not dict:
                raise refuse(value, "map")
            return {
                key: item if item is None or item.__class__ is plain else convert(item) for key, item in value.items()
            }

        return decode


def _refuse_all(type_name: str) -> Convert:
    def decode(value: Any) -> Any:
        raise refuse(value, type_name)

    return decode


def _integer_decoder(type_name: str) -> Convert:
    def decode(value: Any) -> int:
        if isinstance(value, float) and math.isfinite(value):
            return int(value)
        raise refuse(value, type_name)

    return decode


def _float_decoder(type_name: str) -> Convert:
    def decode(value: Any) -> float:
        if isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if isinstance(value, str) and value in SPECIAL_FLOATS:
            return SPECIAL_FLOATS[value]
        raise refuse(value, type_name)

    return decode


def _decode_blob(value: Any) -> bytes:
    if not isinstance(value, str):
        raise refuse(value, "blob")
    return decode_base64(value)


def decode_base64(text: str) -> bytes:
    """The bytes of a base64 text. Raises SerializationError."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise SerializationError(f"'{text[:64]}' can not be converted to a Blob: {error}") from error


def _timestamp_decoder(timestamp_format: str) -> Convert:
    parse = timestamps.PARSERS[timestamp_format.lower()]

    def decode(value: Any) -> datetime:
        try:
            if isinstance(value, str) and parse is not timestamps.parse_unix:
                return parse(value)
            if isinstance(value, int | float) and not isinstance(value, bool):
                return timestamps.from_epoch(value)
        except ValueError as error:
            raise SerializationError(str(error)) from error
        raise refuse(value, "timestamp")

    return decode


_SCALARS: dict[str, Convert] = {
    "string": _refuse_all("string"),
    "character": _refuse_all("string"),
    "boolean": _refuse_all("boolean"),
    "integer": _integer_decoder("integer"),
    "long": _integer_decoder("long"),
    "short": _integer_decoder("short"),
    "byte": _integer_decoder("byte"),
    "float": _float_decoder("float"),
    "double": _float_decoder("double"),
    "blob": _decode_blob,
}
