"""Values as AWS's servers print them in error texts, which is as Java's `toString` does."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cloudlet.wire.shapes import ListShape, MapShape, Shape, StructureShape

_LONGEST = 4096
"""Characters of one value that a text repeats at most."""


def java_text(shape: Shape, value: Any) -> str:
    """`value`, a value of `shape`, as Java prints it; cut where it is very long."""
    text = _text(shape, value)
    return text if len(text) <= _LONGEST else text[:_LONGEST]


def _text(shape: Shape, value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(shape, ListShape) and isinstance(value, list | tuple):
        return f"[{', '.join(_text(shape.member, item) for item in value)}]"
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}={_text(shape.value, item)}' for key, item in value.items())}}}"
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        members = (f"{name}={_text(member, value.get(name))}" for name, member in shape.members.items())
        return f"{shape.name}({', '.join(members)})"
    if isinstance(value, bool):
        return "true" if value else "false"
    if shape.type_name in ("double", "float") and isinstance(value, int):
        return f"{value}.0"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
    if isinstance(value, datetime):
        return value.strftime("%a %b %d %H:%M:%S UTC %Y")
    return str(value)
