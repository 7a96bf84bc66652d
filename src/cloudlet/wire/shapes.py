"""The shapes and operations of a service model, as far as the wire needs them.

The files and their meaning are botocore's (`botocore/model.py`): a member's traits are laid over those of the shape
that it refers to. Shapes are resolved when they are asked for, because most of a model is never used.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

Traits = Mapping[str, Any]
Reference = Mapping[str, Any]
"""`{"shape": name}` and the traits that one member, input or output has besides those of its shape."""


class Shape:
    """A scalar, and what all shapes have."""

    def __init__(self, model: "Model", reference: Reference) -> None:
        self._model = model
        self.name: str = reference["shape"]
        declared = model.shapes[self.name]
        self.type_name: str = declared["type"]
        self.traits: Traits = {**declared, **reference} if len(reference) > 1 else declared
        self.identity = (self.name, *(f"{key}={value}" for key, value in reference.items() if key != "shape"))
        """The same for shapes that are the same in all."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"


class StructureShape(Shape):
    """A structure, a union or a document."""

    @cached_property
    def members(self) -> dict[str, Shape]:
        """In the order of the model."""
        return {name: self._model.resolve(member) for name, member in self.traits.get("members", {}).items()}

    @property
    def required(self) -> tuple[str, ...]:
        """The members that must be there."""
        return tuple(self.traits.get("required", ()))

    @property
    def is_union(self) -> bool:
        """True where exactly one member is to be set."""
        return bool(self.traits.get("union"))

    @property
    def error_code(self) -> str:
        """What query and XML answers call this error."""
        return str(self.traits.get("error", {}).get("code") or self.name)


class ListShape(Shape):
    """A list."""

    @cached_property
    def member(self) -> Shape:
        return self._model.resolve(self.traits["member"])


class MapShape(Shape):
    """A map from texts."""

    @cached_property
    def key(self) -> Shape:
        return self._model.resolve(self.traits["key"])

    @cached_property
    def value(self) -> Shape:
        return self._model.resolve(self.traits["value"])


_KINDS: dict[str, type[Shape]] = {"structure": StructureShape, "list": ListShape, "map": MapShape}


class OperationModel:
    """An operation as it is described."""

    def __init__(self, model: "Model", name: str) -> None:
        self.name = name
        self.traits: Traits = model.operations[name]
        http: Mapping[str, Any] = self.traits.get("http", {})
        self.method: str = http.get("method", "POST")
        self.request_uri: str = http.get("requestUri", "/")
        self.status = int(http.get("responseCode", 200))
        self.input = model.structure(self.traits.get("input"))
        self.output = model.structure(self.traits.get("output"))

    @property
    def idempotency_tokens(self) -> tuple[str, ...]:
        """The input's members that a caller may leave to the service to fill in."""
        members = members_of(self.input)
        return tuple(name for name, member in members.items() if member.traits.get("idempotencyToken"))


class Model:
    """A service model: `metadata`, `operations` and `shapes`, as they are in its file."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.description = description
        self.metadata: Mapping[str, Any] = description["metadata"]
        self.operations: Mapping[str, Any] = description["operations"]
        self.shapes: Mapping[str, Any] = description["shapes"]

    @property
    def is_query_compatible(self) -> bool:
        """True for a service that once spoke the query protocol and still gives the error codes of then."""
        return "awsQueryCompatible" in self.metadata

    def resolve(self, reference: Reference) -> Shape:
        """The shape that a member refers to, with the member's traits."""
        kind = _KINDS.get(self.shapes[reference["shape"]]["type"], Shape)
        return kind(self, reference)

    def structure(self, reference: Reference | None) -> StructureShape | None:
        """An operation's input or output; None where it has none."""
        shape = None if reference is None else self.resolve(reference)
        return shape if isinstance(shape, StructureShape) else None

    def errors(self) -> Iterator[StructureShape]:
        """The shapes of all errors."""
        for name, declared in self.shapes.items():
            if declared.get("exception"):
                shape = self.structure({"shape": name})
                if shape is not None:
                    yield shape


def wire_name(shape: Shape, name: str) -> str:
    """What a member is called on the wire: its `locationName`, else its own name."""
    return str(shape.traits.get("locationName", name))


def is_document(shape: Shape) -> bool:
    """True for a shape that holds any JSON value."""
    return bool(shape.traits.get("document"))


def members_of(shape: Shape | None) -> dict[str, Shape]:
    """The members of a structure; none for anything else."""
    return shape.members if isinstance(shape, StructureShape) else {}
