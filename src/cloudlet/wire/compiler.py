"""What all compilers of shapes share: each shape becomes one closure, also where it contains itself."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, ParamSpec, TypeVar

from cloudlet.wire.shapes import Shape

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
        made = self._made.get(shape.identity)
        if made is not None:
            return made
        target: list[Callable[P, R]] = []

        def forward(*args: P.args, **kwargs: P.kwargs) -> R:
            return target[0](*args, **kwargs)

        self._made[shape.identity] = forward
        self._made[shape.identity] = made = self._make(shape)
        target.append(made)
        return made

    def _make(self, shape: Shape) -> Callable[P, R]:
        raise NotImplementedError


def check_known(owner: str, value: Mapping[str, Any], known: Any) -> None:
    """Raise LookupError where a result has a member that the model does not have: a slip in a service's code."""
    unknown = value.keys() - known
    if unknown:
        raise LookupError(f"{owner} has no member {', '.join(sorted(unknown))}")
