"""Parameters of the query and ec2 protocols: `Tags.member.1.Key=..` in a form.

https://smithy.io/2.0/aws/protocols/aws-query-protocol.html and https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html

A form becomes a tree, one level for each dot of its names, so that decoding costs what was sent and not what the model
allows. A branch that has a value of its own, too, keeps it under the empty name.

A form cannot say that a list is empty: one that is not there is none, but for the lists that an overlay marks with
`emptyWhenAbsent`.
"""

from collections.abc import Callable
from typing import Any

from cloudlet.errors import SerializationError
from cloudlet.wire.compiler import ShapeCompiler
from cloudlet.wire.http import HttpRequest
from cloudlet.wire.protocols.text import parse_pairs, text_decoder
from cloudlet.wire.shapes import ListShape, MapShape, Shape, StructureShape

Tree = dict[str, Any]
"""Names to texts or further trees."""
MAXIMUM_DEPTH = 200


def form_pairs(request: HttpRequest) -> list[tuple[str, str]]:
    """The pairs of the query string and of a form body. Raises SerializationError."""
    pairs = parse_pairs(request.query_string) if request.query_string else []
    if request.body:
        try:
            pairs += parse_pairs(request.body.decode())
        except UnicodeDecodeError as error:
            raise SerializationError("The request's body is not UTF-8.") from error
    return pairs


def tree_of(pairs: list[tuple[str, str]]) -> Tree:
    """The tree of a form. Raises SerializationError for names that are nested beyond reason."""
    root: Tree = {}
    for name, value in pairs:
        if "." not in name:
            _set(root, name, value)
            continue
        *path, last = name.split(".")
        if len(path) > MAXIMUM_DEPTH:
            raise SerializationError("A parameter's name is nested too deeply.")
        node = root
        for part in path:
            child = node.get(part)
            if child.__class__ is not dict:
                child = {} if child is None else {"": child}
                node[part] = child
            node = child
        _set(node, last, value)
    return root


def _set(node: Tree, name: str, value: str) -> None:
    present = node.get(name)
    if isinstance(present, dict):
        present[""] = value
    else:
        node[name] = value


class FormDecoders(ShapeCompiler[[Any], Any]):
    """Compiles shapes to functions from a branch of the tree to what a service is given."""

    def structure(self, shape: StructureShape | None) -> Callable[[Tree], dict[str, Any]]:
        """The decoder of an operation's input."""
        if shape is None or not shape.members:
            return lambda _: {}
        return self.compile(shape)

    def member_names(self, member: Shape, name: str) -> set[str]:
        """What clients call a structure's member in the form.

        botocore names a flat list after its items, Smithy's clients as they do any other member.
        """
        names = {str(member.traits.get("locationName", name))}
        if isinstance(member, ListShape) and member.traits.get("flattened"):
            names.add(str(member.member.traits.get("locationName", name)))
        return names

    def _make(self, shape: Shape) -> Callable[[Any], Any]:
        if isinstance(shape, StructureShape):
            return self._structure(shape)
        if isinstance(shape, ListShape):
            return self._list(shape)
        if isinstance(shape, MapShape):
            return self._map(shape)
        return _scalar(text_decoder(shape, "iso8601"))

    def _structure(self, shape: StructureShape) -> Callable[[Any], dict[str, Any]]:
        table: dict[str, tuple[str, Callable[[Any], Any]]] = {}
        for name, member in shape.members.items():
            for key in self.member_names(member, name):
                table.setdefault(key, (name, self.compile(member)))
        empty = tuple(name for name, member in shape.members.items() if member.traits.get("emptyWhenAbsent"))

        def decode(node: Any) -> dict[str, Any]:
            result: dict[str, Any] = {}
            if node.__class__ is dict:
                for key, item in node.items():
                    known = table.get(key)
                    if known is not None:
                        name, convert = known
                        result[name] = convert(item)
            for name in empty:
                result.setdefault(name, [])
            return result

        return decode

    def _list(self, shape: ListShape) -> Callable[[Any], list[Any]]:
        item = self.compile(shape.member)
        level = None if self._is_flat(shape) else str(shape.member.traits.get("locationName", "member"))

        def decode(node: Any) -> list[Any]:
            if level is not None and node.__class__ is dict:
                node = node.get(level, node)
            return [item(branch) for branch in _in_order(node)]

        return decode

    def _map(self, shape: MapShape) -> Callable[[Any], dict[str, Any]]:
        key_name = str(shape.key.traits.get("locationName", "key"))
        value_name = str(shape.value.traits.get("locationName", "value"))
        value = self.compile(shape.value)
        level = None if shape.traits.get("flattened") else "entry"

        def decode(node: Any) -> dict[str, Any]:
            if level is not None and node.__class__ is dict:
                node = node.get(level, node)
            result = {}
            for entry in _in_order(node):
                key = entry.get(key_name) if isinstance(entry, dict) else None
                if not isinstance(key, str):
                    raise SerializationError("An entry of a map has no key.")
                if value_name in entry:
                    result[key] = value(entry[value_name])
            return result

        return decode

    def _is_flat(self, shape: ListShape) -> bool:
        return bool(shape.traits.get("flattened"))


class Ec2FormDecoders(FormDecoders):
    """As ec2 has it: `queryName` or a capitalised `locationName`, and all lists flat."""

    def member_names(self, member: Shape, name: str) -> set[str]:
        if "queryName" in member.traits:
            return {str(member.traits["queryName"])}
        if "locationName" in member.traits:
            return {_upper_first(str(member.traits["locationName"]))}
        return {name, _upper_first(name)}

    def _is_flat(self, shape: ListShape) -> bool:  # noqa: ARG002
        return True


def _upper_first(name: str) -> str:
    return name[:1].upper() + name[1:]


def _scalar(convert: Callable[[str], Any]) -> Callable[[Any], Any]:
    def decode(node: Any) -> Any:
        if isinstance(node, dict):
            node = node.get("")
            if not isinstance(node, str):
                raise SerializationError("Start of structure or map found where not expected.")
        return convert(node)

    return decode


def _in_order(node: Any) -> list[Any]:
    """The branches of a list, by their numbers. A list without items is sent as an empty text."""
    if node.__class__ is not dict:
        return []
    keys = sorted((key for key in node if key), key=_number)
    return [node[key] for key in keys]


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise SerializationError(f"A list's item is numbered '{text[:64]}'.")
    return int(text)
