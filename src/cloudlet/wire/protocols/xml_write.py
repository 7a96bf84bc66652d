"""XML of modelled shapes, outgoing, for the query, ec2 and rest-xml protocols.

https://smithy.io/2.0/spec/protocol-traits.html#xml-bindings. Each shape becomes a closure that appends text; the
element's name is part of it, so that nothing is put together at the time of a request but the values.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from cloudlet.wire.compiler import check_known
from cloudlet.wire.protocols.text import text_encoder
from cloudlet.wire.shapes import ListShape, MapShape, Shape, StructureShape, wire_name

Write = Callable[[list[str], Any], None]

_SPECIAL = re.compile("[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"}


def escape(text: str) -> str:
    """`text` as XML character data; what XML 1.0 cannot hold becomes U+FFFD."""
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(lambda match: _ESCAPES.get(match[0], "\ufffd"), text)


class XmlWriters:
    """Compiles shapes to functions that write elements."""

    timestamp_format = "iso8601"

    def __init__(self) -> None:
        self._made: dict[object, Write] = {}

    def members(self, owner: str, members: Mapping[str, Shape], known: Any = None) -> Write:
        """The writer of a structure's `members`, without the element around them."""
        table = [(name, self.element(member, self.member_name(member, name))) for name, member in members.items()]
        names = members.keys() if known is None else known

        def write(out: list[str], value: Any) -> None:
            check_known(owner, value, names)
            for name, element in table:
                item = value.get(name)
                if item is not None:
                    element(out, item)

        return write

    def member_name(self, member: Shape, name: str) -> str:
        """What a structure's member is called: for a flat list it is the name of its items."""
        if isinstance(member, ListShape) and member.traits.get("flattened"):
            inner = member.member.traits.get("locationName")
            if inner is not None:
                return str(inner)
        return wire_name(member, name)

    def element(self, shape: Shape, name: str) -> Write:
        """The writer of an element `name` that holds a value of `shape`."""
        key = (name, shape.name, tuple((trait, str(value)) for trait, value in shape.traits.items()))
        made = self._made.get(key)
        if made is not None:
            return made
        target: list[Write] = []

        def forward(out: list[str], value: Any) -> None:
            target[0](out, value)

        self._made[key] = forward
        self._made[key] = made = self._make(shape, name)
        target.append(made)
        return made

    def _make(self, shape: Shape, name: str) -> Write:
        opening = f"<{name}{namespace(shape)}>"
        closing = f"</{name}>"
        if isinstance(shape, StructureShape):
            return self._structure(shape, name, closing)
        if isinstance(shape, ListShape):
            return self._list(shape, name, opening, closing)
        if isinstance(shape, MapShape):
            return self._map(shape, name, opening, closing)
        text = text_encoder(shape, self.timestamp_format)

        def write(out: list[str], value: Any) -> None:
            out.append(f"{opening}{escape(text(value))}{closing}")

        return write

    def root(self, shape: Shape, name: str, default_namespace: str) -> Write:
        """As `element`, for a document's root, which has the service's namespace where it has none of its own."""
        if isinstance(shape, StructureShape) and not namespace(shape):
            return self._structure(shape, name, f"</{name}>", default_namespace)
        return self.element(shape, name)

    def _structure(self, shape: StructureShape, name: str, closing: str, default_namespace: str = "") -> Write:
        attributes = [
            (key, wire_name(member, key)) for key, member in shape.members.items() if member.traits.get("xmlAttribute")
        ]
        taken = {key for key, _ in attributes}
        children = {key: member for key, member in shape.members.items() if key not in taken}
        write_members = self.members(shape.name, children, shape.members.keys())
        start = f"<{name}{namespace(shape) or default_namespace}"

        def write(out: list[str], value: Any) -> None:
            out.append(start)
            for key, attribute in attributes:
                if value.get(key) is not None:
                    out.append(f" {attribute}={quoted(value[key])}")
            out.append(">")
            write_members(out, value)
            out.append(closing)

        return write

    def _list(self, shape: ListShape, name: str, opening: str, closing: str) -> Write:
        if shape.traits.get("flattened"):
            item = self.element(shape.member, name)

            def write_flat(out: list[str], value: Any) -> None:
                for entry in value:
                    item(out, entry)

            return write_flat
        inner = self.element(shape.member, wire_name(shape.member, "member"))

        def write(out: list[str], value: Any) -> None:
            out.append(opening)
            for entry in value:
                inner(out, entry)
            out.append(closing)

        return write

    def _map(self, shape: MapShape, name: str, opening: str, closing: str) -> Write:
        flat = bool(shape.traits.get("flattened"))
        start, end = (f"<{name}>", closing) if flat else ("<entry>", "</entry>")
        write_key = self.element(shape.key, wire_name(shape.key, "key"))
        write_value = self.element(shape.value, wire_name(shape.value, "value"))

        def write(out: list[str], value: Any) -> None:
            if not flat:
                out.append(opening)
            for key, item in value.items():
                out.append(start)
                write_key(out, key)
                write_value(out, item)
                out.append(end)
            if not flat:
                out.append(closing)

        return write


def quoted(text: str) -> str:
    """`text` as the value of an attribute, with its quotes."""
    return '"' + escape(text).replace('"', "&quot;").replace("\n", "&#xA;").replace("\t", "&#x9;") + '"'


def namespace(shape: Shape) -> str:
    """The ` xmlns=".."` of an element, where its shape has one."""
    value = shape.traits.get("xmlNamespace")
    if not value:
        return ""
    if isinstance(value, str):
        return f" xmlns={quoted(value)}"
    prefix = f":{value['prefix']}" if value.get("prefix") else ""
    return f" xmlns{prefix}={quoted(value['uri'])}"
