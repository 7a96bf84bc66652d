"""A pattern as a whole: fields in fields, and for each a list of values of which one has to be there.

A pattern is compiled once, to functions that are called for each event. An event's array stands for each of its
elements: one of them has to have all that the pattern says of it.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Self

from cloudlet.patterns.errors import InvalidPattern
from cloudlet.patterns.operators import Test, equal_to, operator, single

_ABSENT: Any = object()
_OR = "$or"
_RESERVED = frozenset(
    {"exists", "prefix", "suffix", "equals-ignore-case", "wildcard", "numeric", "cidr", "anything-but"}
)
MAX_DEPTH = 100


class Pattern:
    """A pattern that is valid."""

    def __init__(self, source: Mapping[str, Any]) -> None:
        """Raises InvalidPattern."""
        self._test = _object(source, 0)

    @classmethod
    def parse(cls, text: str) -> Self:
        """A pattern out of JSON. Raises InvalidPattern."""
        try:
            source = json.loads(text, parse_float=_number)
        except (ValueError, RecursionError) as error:
            raise InvalidPattern(f"The pattern is no JSON: {error}") from error
        if not isinstance(source, Mapping):
            raise InvalidPattern("Filter is not an object")
        return cls(source)

    def matches(self, event: Any) -> bool:
        """True when the event has what the pattern wants."""
        return self._test(event)


def _number(text: str) -> float | Decimal:
    """What is too large or too small for a float stays what it is: who compares it refuses it."""
    number = float(text)
    exact = Decimal(text)
    return exact if math.isinf(number) or (not number and exact) else number


def _object(source: Mapping[str, Any], depth: int) -> Test:
    if not source:
        raise InvalidPattern("Empty objects are not allowed")
    if depth > MAX_DEPTH:
        raise InvalidPattern("The pattern is nested too deep")
    tests: list[Callable[[Mapping[str, Any]], bool]] = []
    for name, wanted in source.items():
        if name == _OR and _is_alternatives(wanted):
            tests.append(_any_of([_object(each, depth + 1) for each in wanted]))
        else:
            tests.append(_field(name, _wanted(name, wanted, depth + 1)))

    def test(value: Any) -> bool:
        if isinstance(value, list):
            return any(test(each) for each in value) if value else test({})
        members = value if isinstance(value, Mapping) else {}
        return all(each(members) for each in tests)

    return test


def _field(name: str, test: Test) -> Callable[[Mapping[str, Any]], bool]:
    if "." in name:
        return lambda members: test(_dotted(members, name))
    return lambda members: test(members.get(name, _ABSENT))


def _dotted(members: Mapping[str, Any], name: str) -> Any:
    """The field `a.b`, which may also be the field `b` of the field `a`."""
    if name in members:
        return members[name]
    for at, character in enumerate(name):
        if character == "." and isinstance(inner := members.get(name[:at]), Mapping | list):
            objects = [each for each in (inner if isinstance(inner, list) else [inner]) if isinstance(each, Mapping)]
            found = [value for each in objects if (value := _dotted(each, name[at + 1 :])) is not _ABSENT]
            if found:
                return found if isinstance(inner, list) else found[0]
    return _ABSENT


def _any_of(tests: Sequence[Test]) -> Test:
    return lambda value: any(test(value) for test in tests)


def _wanted(name: str, wanted: Any, depth: int) -> Test:
    if isinstance(wanted, Mapping):
        return _object(wanted, depth)
    if not isinstance(wanted, list):
        raise InvalidPattern(f'"{name}" must be an object or an array')
    if not wanted:
        raise InvalidPattern("Empty arrays are not allowed")
    return _values(wanted)


def _values(wanted: list[Any]) -> Test:
    """The test of a field of which one of these values is wanted."""
    literals: set[str] = set()
    tests: list[Test] = []
    present = absent = False
    for each in wanted:
        if isinstance(each, str):
            literals.add(each)
        elif isinstance(each, Mapping):
            [(name, argument)] = single(each)
            if name != "exists":
                tests.append(operator(name, argument))
            elif not isinstance(argument, bool):
                raise InvalidPattern("exists match pattern must be either true or false.")
            elif argument:
                present = True
            else:
                absent = True
        elif isinstance(each, list):
            raise InvalidPattern("Match value must be String, number, true, false, or null")
        else:
            tests.append(equal_to(each))

    def test(value: Any) -> bool:
        found = False
        for one in _leaves(value):
            found = True
            if present or (isinstance(one, str) and one in literals) or any(each(one) for each in tests):
                return True
        return absent and not found

    return test


def _leaves(value: Any) -> Iterator[Any]:
    """The values of a field that are neither objects nor arrays."""
    if isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    elif value is not _ABSENT and not isinstance(value, Mapping):
        yield value


def _is_alternatives(wanted: Any) -> bool:
    """True where `$or` is the operator, and not a field of that name: two objects or more, of fields."""
    return (
        isinstance(wanted, list)
        and len(wanted) > 1
        and all(isinstance(each, Mapping) and each and not _RESERVED & each.keys() for each in wanted)
    )
