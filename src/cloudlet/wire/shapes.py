"""What all compilers of shapes share: each shape becomes one closure, also where it contains itself."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, ParamSpec, TypeVar

from botocore.model import Shape, StructureShape

P = ParamSpec("P")
R = TypeVar("R")


class ShapeCompiler(Generic[P, R]):
    """Makes a closure of each shape, once. Subclasses say in `_make` what the closure does.

    A shape that is reached again while it is being made (a structure that contains itself) is given a closure that
    looks the finished one up when it is called.
    """

    def __init__(self) -> None:
        self._made: dict[object, Callable[P, R]] = {}

    def compile(self, shape: Shape) -> Callable[P, R]:
        """The closure for `shape`, traits of the member that refers to it included."""
        key = self._key(shape)
        made = self._made.get(key)
        if made is not None:
            return made
        target: list[Callable[P, R]] = []

        def forward(*args: P.args, **kwargs: P.kwargs) -> R:
            return target[0](*args, **kwargs)

        self._made[key] = forward
        self._made[key] = made = self._make(shape)
        target.append(made)
        return made

    def _key(self, shape: Shape) -> object:
        return shape.name, tuple((trait, str(value)) for trait, value in shape.serialization.items())

    def _make(self, shape: Shape) -> Callable[P, R]:
        raise NotImplementedError


def wire_name(shape: Shape, name: str) -> str:
    """What a member is called on the wire: its `locationName`, else its own name."""
    return str(shape.serialization.get("name", name))


def trait(shape: Shape, name: str) -> Any:
    """A trait of `shape` that botocore keeps but does not show."""
    return vars(shape)["_shape_model"].get(name)


def is_document(shape: Shape) -> bool:
    """True for a shape that holds any JSON value."""
    return isinstance(shape, StructureShape) and bool(shape.is_document_type)


def members_of(shape: Shape | None) -> dict[str, Shape]:
    """The members of a structure; none for an operation without input or output."""
    return dict(shape.members) if isinstance(shape, StructureShape) else {}


def check_known(owner: str, value: Mapping[str, Any], known: Any) -> None:
    """Raise LookupError where a result has a member that the model does not have: a slip in a service's code."""
    unknown = value.keys() - known
    if unknown:
        raise LookupError(f"{owner} has no member {', '.join(sorted(unknown))}")
