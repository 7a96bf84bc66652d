"""Is an input what its model allows? A fast yes or no first; what is wrong is only put into words when something is.

The words and the paths (`tags.1.member.key`) are those of the framework that most AWS services share.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from cloudlet.errors import ValidationError
from cloudlet.wire.compiler import ShapeCompiler
from cloudlet.wire.constraints import Constraints, Test, is_type, type_text
from cloudlet.wire.dialects import USUAL, ValidationDialect
from cloudlet.wire.java_text import java_text
from cloudlet.wire.shapes import ListShape, MapShape, Shape, StructureShape, is_document

_NULL = "Member must not be null"
_MAXIMUM_ERRORS = 10
"""AWS stops counting there."""


class Validators(ShapeCompiler[[Any], bool]):
    """Compiles shapes to tests of what a service would be given."""

    def __init__(self, dialect: ValidationDialect = USUAL, default_code: str = ValidationError.code) -> None:
        super().__init__()
        self._dialect = dialect
        self._error = _error_type(dialect.code or default_code)
        self._missing = _error_type(dialect.missing_code or default_code)

    def validator(self, shape: StructureShape) -> Callable[[dict[str, Any]], None]:
        """The function that raises ValidationError for an input that is not a good `shape`."""
        test = self.compile(shape)

        def validate(params: dict[str, Any]) -> None:
            try:
                if test(params):
                    return
            except RecursionError:
                raise self._error("The input is nested too deeply.") from None
            raise self._explain(shape, params)

        return validate

    def _explain(self, shape: StructureShape, params: Mapping[str, Any]) -> ValidationError:
        if self._dialect.missing_text:
            name = next(_missing(shape, params), None)
            if name is not None:
                return self._missing(self._dialect.missing_text.format(name=name))
        found = []
        for text in self._broken(shape, params, ""):
            found.append(text)
            if len(found) == _MAXIMUM_ERRORS:
                break
        if not found:
            return self._error(next(self._ill_named(shape, params)))
        plural = "" if len(found) == 1 else "s"
        return self._error(f"{len(found)} validation error{plural} detected: {'; '.join(found)}")

    def _ill_named(self, shape: StructureShape, params: Mapping[str, Any]) -> Iterator[str]:
        """The texts for the members whose patterns the service checks by itself."""
        for name, member in shape.members.items():
            text = self._dialect.pattern_texts.get(member.name)
            if text is not None and params.get(name) is not None and not self.compile(member)(params[name]):
                yield text.format(name=_lower_first(name))

    def _make(self, shape: Shape) -> Test:
        if isinstance(shape, StructureShape) and not is_document(shape):
            return self._structure(shape)
        own = self._own(shape)
        if isinstance(shape, ListShape):
            return self._list(shape, own)
        if isinstance(shape, MapShape):
            return self._map(shape, own)
        return own

    def _own(self, shape: Shape) -> Test:
        right_type, constraints = is_type(shape), Constraints(shape)
        if shape.name in self._dialect.unchecked:
            return right_type
        fused = constraints.fused(shape)
        if fused is not None:
            return fused
        test = constraints.test()
        return right_type if test is None else lambda value: right_type(value) and test(value)

    def _structure(self, shape: StructureShape) -> Test:
        tests = {name: self.compile(member) for name, member in shape.members.items()}
        required = tuple(shape.required)
        union = bool(shape.is_union)

        def test(value: Any) -> bool:
            if value.__class__ is not dict and not isinstance(value, Mapping):
                return False
            for name in required:
                if value.get(name) is None:
                    return False
            for name, item in value.items():
                if item is not None:
                    check = tests.get(name)
                    if check is not None and not check(item):
                        return False
            return not union or _is_one(value)

        return test

    def _list(self, shape: ListShape, own: Test) -> Test:
        item, sparse = self.compile(shape.member), _is_sparse(shape)

        def test(value: Any) -> bool:
            if not own(value):
                return False
            for entry in value:  # noqa: SIM110 - a generator costs more than most lists
                if not (sparse if entry is None else item(entry)):
                    return False
            return True

        return test

    def _map(self, shape: MapShape, own: Test) -> Test:
        key_test, value_test, sparse = self.compile(shape.key), self.compile(shape.value), _is_sparse(shape)

        def test(value: Any) -> bool:
            if not own(value):
                return False
            for key, entry in value.items():
                if not (key_test(key) and (sparse if entry is None else value_test(entry))):
                    return False
            return True

        return test

    def _broken(self, shape: Shape, value: Any, path: str) -> Iterator[str]:
        """What is wrong with `value`, which is not null, and with what it contains."""
        if not is_type(shape)(value):
            yield self._failure(shape, value, path, type_text(shape))
            return
        if shape.name not in self._dialect.unchecked:
            constraints = Constraints(shape)
            if shape.name in self._dialect.pattern_texts:
                constraints.pattern = None
            for text in constraints.broken(value):
                yield self._failure(shape, value, path, text)
        if isinstance(shape, ListShape):
            yield from self._broken_list(shape, value, path)
        elif isinstance(shape, MapShape):
            yield from self._broken_map(shape, value, path)
        elif isinstance(shape, StructureShape) and not is_document(shape):
            yield from self._broken_structure(shape, value, path)

    def _broken_structure(self, shape: StructureShape, value: Mapping[str, Any], path: str) -> Iterator[str]:
        for name, member in shape.members.items():
            item = value.get(name)
            inner = f"{path}.{_lower_first(name)}" if path else _lower_first(name)
            if item is not None:
                yield from self._broken(member, item, inner)
            elif name in shape.required:
                yield self._failure(member, None, inner, _NULL)
        if shape.is_union and not _is_one(value):
            yield self._failure(shape, value, path, "Member must have exactly one member set")

    def _broken_list(self, shape: ListShape, value: Any, path: str) -> Iterator[str]:
        if _is_compound(shape.member):
            for number, item in enumerate(value, 1):
                if item is not None:
                    yield from self._broken(shape.member, item, f"{path}.{number}.member")
                elif not _is_sparse(shape):
                    yield self._failure(shape.member, None, f"{path}.{number}.member", _NULL)
        elif not all(self._item_holds(shape.member, item, sparse=_is_sparse(shape)) for item in value):
            words = self._item_words(shape, shape.member, value)
            yield self._failure(shape, value, path, f"Member must satisfy constraint: [{words}]")

    def _broken_map(self, shape: MapShape, value: Mapping[str, Any], path: str) -> Iterator[str]:
        if not all(self._item_holds(shape.key, key, sparse=False) for key in value):
            words = ", ".join(Constraints(shape.key).texts())
            yield self._failure(shape, value, path, f"Map keys must satisfy constraint: [{words}]")
        if _is_compound(shape.value):
            for key, item in value.items():
                if item is not None:
                    yield from self._broken(shape.value, item, f"{path}.{key}.member")
                elif not _is_sparse(shape):
                    yield self._failure(shape.value, None, f"{path}.{key}.member", _NULL)
        elif not all(self._item_holds(shape.value, item, sparse=_is_sparse(shape)) for item in value.values()):
            words = self._item_words(shape, shape.value, value.values())
            yield self._failure(shape, value, path, f"Map value must satisfy constraint: [{words}]")

    def _failure(self, shape: Shape, value: Any, path: str, constraint: str) -> str:
        """The words for one broken constraint. What is sensitive is not repeated."""
        if value is not None and (self._dialect.hides_values or shape.traits.get("sensitive")):
            return f"Value at '{path}' failed to satisfy constraint: {constraint}"
        shown = "null" if value is None else f"'{java_text(shape, value)}'"
        return f"Value {shown} at '{path}' failed to satisfy constraint: {constraint}"

    def _item_words(self, shape: Shape, item: Shape, values: Iterable[Any]) -> str:
        null = [_NULL] if shape.name in self._dialect.not_null or None in values else []
        return ", ".join([*(Constraints(item).texts() or [type_text(item)]), *null])

    def _item_holds(self, shape: Shape, item: Any, *, sparse: bool) -> bool:
        return sparse if item is None else self.compile(shape)(item)


def _missing(shape: Shape, value: Any) -> Iterator[str]:
    """The names of the members that are required and missing, in the order of the model."""
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        for name, member in shape.members.items():
            if value.get(name) is None:
                if name in shape.required:
                    yield name
            else:
                yield from _missing(member, value[name])
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for item in value:
            yield from _missing(shape.member, item)
    elif isinstance(shape, MapShape) and isinstance(value, Mapping):
        for item in value.values():
            yield from _missing(shape.value, item)


def _error_type(code: str) -> type[ValidationError]:
    return ValidationError if code == ValidationError.code else type(code, (ValidationError,), {"code": code})


def _is_compound(shape: Shape) -> bool:
    return isinstance(shape, StructureShape | ListShape | MapShape)


def _is_sparse(shape: Shape) -> bool:
    return bool(shape.traits.get("sparse"))


def _is_one(value: Mapping[str, Any]) -> bool:
    return sum(item is not None for item in value.values()) == 1


def _lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]
