"""JSON values of modelled shapes, outgoing, for the json and rest-json protocols."""

import binascii
import math
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from cloudlet.wire import timestamps
from cloudlet.wire.compiler import ShapeCompiler, check_known
from cloudlet.wire.protocols.json_read import PLAIN, Convert
from cloudlet.wire.shapes import ListShape, MapShape, Shape, StructureShape, is_document, wire_name

_PASSED = {name: kind for name, kind in PLAIN.items() if kind is not float}
"""As `PLAIN`; a float is looked at, because JSON has no NaN."""


class JsonEncoders(ShapeCompiler[[Any], Any]):
    """Compiles shapes to functions from a service's result to what a JSON writer is given."""

    def body(self, shape: StructureShape, members: Mapping[str, Shape]) -> Convert:
        """The encoder of those `members` of `shape` that go into the body; others of its members are left out."""
        return self._structure(shape, members)

    def serialise(self, shape: StructureShape, members: Mapping[str, Shape]) -> Callable[[Any], bytes]:
        """As `body`, down to the bytes."""
        encode = self.body(shape, members)
        return lambda value: orjson.dumps(encode(value))

    def _make(self, shape: Shape) -> Convert:
        if is_document(shape):
            return lambda value: value
        if isinstance(shape, StructureShape):
            return self._structure(shape, shape.members)
        if isinstance(shape, ListShape):
            return self._list(shape)
        if isinstance(shape, MapShape):
            return self._map(shape)
        return self._scalar(shape)

    def _scalar(self, shape: Shape) -> Convert:
        if shape.type_name == "timestamp":
            return _timestamp_encoder(shape.traits.get("timestampFormat", "unixtimestamp"))
        if shape.type_name == "blob":
            return encode_base64
        if shape.type_name in ("float", "double"):
            return _encode_float
        return _same(PLAIN[shape.type_name])

    def _structure(self, shape: StructureShape, members: Mapping[str, Shape]) -> Convert:
        owner, known = shape.name, shape.members.keys()
        table = {
            name: (wire_name(member, name), _PASSED.get(member.type_name), self.compile(member))
            for name, member in members.items()
        }

        def encode(value: Any) -> dict[str, Any]:
            result = {}
            for name, item in value.items():
                member = table.get(name)
                if member is None:
                    check_known(owner, value, known)
                elif item is not None:
                    key, plain, convert = member
                    result[key] = item if item.__class__ is plain else convert(item)
            return result

        return encode

    def _list(self, shape: ListShape) -> Convert:
        plain, convert = _PASSED.get(shape.member.type_name), self.compile(shape.member)

        def encode(value: Any) -> list[Any]:
            return [item if item is None or item.__class__ is plain else convert(item) for item in value]

        return encode

    def _map(self, shape: MapShape) -> Convert:
        plain, convert = _PASSED.get(shape.value.type_name), self.compile(shape.value)

        def encode(value: Any) -> dict[str, Any]:
            return {
                str(key): item if item is None or item.__class__ is plain else convert(item)
                for key, item in value.items()
            }

        return encode


def _same(kind: type) -> Convert:
    """Passes subclasses (enumerations), refuses the rest: a slip in a service's code."""

    def encode(value: Any) -> Any:
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            return kind(value)
        raise TypeError(f"expected {kind.__name__}, got {value!r}")

    return encode


def _encode_float(value: Any) -> float | str:
    number = float(value)
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def encode_base64(value: Any) -> str:
    """Bytes as base64. Raises TypeError for anything else."""
    return binascii.b2a_base64(value, newline=False).decode()


def _timestamp_encoder(timestamp_format: str) -> Convert:
    if timestamp_format.lower() == "unixtimestamp":
        return timestamps.to_epoch
    return timestamps.FORMATTERS[timestamp_format.lower()]
