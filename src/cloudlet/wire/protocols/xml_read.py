"""XML of modelled shapes, incoming. Document types and with them entities are refused."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from cloudlet.errors import SerializationError
from cloudlet.wire.compiler import ShapeCompiler
from cloudlet.wire.protocols.text import text_decoder
from cloudlet.wire.shapes import ListShape, MapShape, Shape, StructureShape, wire_name

Read = Callable[[Element], Any]
MAXIMUM_DEPTH = 200


class _Builder(TreeBuilder):
    """Refuses what could make a small text large."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:  # noqa: ARG002
        raise SerializationError("A document type is not allowed in the request's body.")

    def start(self, tag: Any, attrs: dict[Any, Any], /) -> Element:
        self._depth += 1
        if self._depth > MAXIMUM_DEPTH:
            raise SerializationError("The request's body is nested too deeply.")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)


def parse(body: bytes) -> Element:
    """The root element of a body. Raises SerializationError."""
    parser = XMLParser(target=_Builder())  # noqa: S314 - the builder refuses document types
    try:
        parser.feed(body)
        root: Element = parser.close()
    except (ParseError, ValueError, LookupError) as error:
        raise SerializationError("The XML you provided was not well-formed or did not validate.") from error
    return root


class XmlReaders(ShapeCompiler[[Element], Any]):
    """Compiles shapes to functions from an element to what a service is given."""

    def body(self, members: Mapping[str, Shape]) -> Callable[[Element], dict[str, Any]]:
        """The reader of those members of a structure that the body holds."""
        single: dict[str, tuple[str, Read]] = {}
        repeated: dict[str, tuple[str, Callable[[Any, Element], Any]]] = {}
        attributes: dict[str, str] = {}
        for name, member in members.items():
            key = wire_name(member, name)
            if member.traits.get("xmlAttribute"):
                attributes[key.rpartition(":")[2]] = name
            elif member.traits.get("flattened") and isinstance(member, ListShape | MapShape):
                entry = name, self._item_adder(member)
                repeated[key] = entry
                if isinstance(member, ListShape):
                    repeated.setdefault(str(member.member.traits.get("locationName", key)), entry)
            else:
                single[key] = name, self.compile(member)
                single.setdefault(name, single[key])

        def read(element: Element) -> dict[str, Any]:
            result: dict[str, Any] = {}
            for child in element:
                tag = _local(child.tag)
                if tag in single:
                    name, convert = single[tag]
                    result[name] = convert(child)
                elif tag in repeated:
                    name, add = repeated[tag]
                    result[name] = add(result.get(name), child)
            if attributes:
                for tag, text in element.attrib.items():
                    attribute = attributes.get(_local(tag))
                    if attribute is not None:
                        result[attribute] = text
            return result

        return read

    def _make(self, shape: Shape) -> Read:
        if isinstance(shape, StructureShape):
            return self.body(shape.members)
        if isinstance(shape, ListShape):
            item = self.compile(shape.member)
            return lambda element: [item(child) for child in element]
        if isinstance(shape, MapShape):
            add = self._entry_adder(shape)

            def read_map(element: Element) -> dict[str, Any]:
                result: dict[str, Any] = {}
                for child in element:
                    add(result, child)
                return result

            return read_map
        convert = text_decoder(shape, "iso8601")
        return lambda element: convert(element.text or "")

    def _item_adder(self, shape: Shape) -> Callable[[Any, Element], Any]:
        """Adds one element of a flat list or map to those that came before."""
        if isinstance(shape, MapShape):
            return self._entry_adder(shape)
        item = self.compile(shape.member) if isinstance(shape, ListShape) else None

        def add(result: list[Any] | None, element: Element) -> list[Any]:
            items = [] if result is None else result
            items.append(item(element) if item is not None else None)
            return items

        return add

    def _entry_adder(self, shape: MapShape) -> Callable[[Any, Element], Any]:
        key_name, value_name = wire_name(shape.key, "key"), wire_name(shape.value, "value")
        value = self.compile(shape.value)

        def add(result: dict[str, Any] | None, element: Element) -> dict[str, Any]:
            entries = {} if result is None else result
            key = _child(element, key_name)
            if key is None:
                raise SerializationError("An entry of a map has no key.")
            item = _child(element, value_name)
            if item is not None:
                entries[key.text or ""] = value(item)
            return entries

        return add


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _child(element: Iterable[Element], name: str) -> Element | None:
    return next((child for child in element if _local(child.tag) == name), None)
