"""The constraints of a shape, as a test of a value and as the words that AWS's servers use.

Texts and their order are those of recorded answers: a member's pattern is named before its lengths, but within the
brackets of a list's or map's item lengths come first. Sets of enumeration values are in the order of a Java hash set,
which is the one that AWS prints.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from cloudlet.wire import patterns
from cloudlet.wire.shapes import ListShape, MapShape, Shape, is_document

Test = Callable[[Any], bool]
_BOUNDS = {
    "byte": (-(2**7), 2**7 - 1),
    "short": (-(2**15), 2**15 - 1),
    "integer": (-(2**31), 2**31 - 1),
    "long": (-(2**63), 2**63 - 1),
}
_NUMBERS = (*_BOUNDS, "float", "double")
_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "string": ((str,), "String"),
    "character": ((str,), "Character"),
    "boolean": ((bool,), "Boolean"),
    "byte": ((int,), "Byte"),
    "short": ((int,), "Short"),
    "integer": ((int,), "Integer"),
    "long": ((int,), "Long"),
    "float": ((int, float), "Float"),
    "double": ((int, float), "Double"),
    "timestamp": ((datetime, int, float), "Timestamp"),
    "blob": ((bytes, bytearray, memoryview), "Blob"),
    "list": ((list, tuple), "List"),
    "map": ((Mapping,), "Map"),
    "structure": ((Mapping,), "Structure"),
}


def is_type(shape: Shape) -> Test:
    """The test for the Python types that a value of `shape` may have."""
    if is_document(shape):
        return lambda _: True
    types, _ = _TYPES[shape.type_name]
    if types == (Mapping,):
        return lambda value: value.__class__ is dict or isinstance(value, Mapping)
    if shape.type_name in ("boolean", "string", "list", "blob", "character"):
        return lambda value: isinstance(value, types)
    return lambda value: isinstance(value, types) and not isinstance(value, bool)


def type_text(shape: Shape) -> str:
    """What is said of a value of another type. Clients cannot send one; internal callers can."""
    return f"Member must be of type {_TYPES[shape.type_name][1]}"


class Constraints:
    """The constraints on values of one shape, what the values contain left aside."""

    __slots__ = ("_high", "_low", "_maximum", "_minimum", "enum", "measures", "pattern")

    def __init__(self, shape: Shape) -> None:
        self.measures = isinstance(shape, ListShape | MapShape) or shape.type_name in ("string", "blob", "character")
        self.pattern: str | None = shape.traits.get("pattern") if shape.type_name == "string" else None
        self.enum: list[str] = shape.traits.get("enum", [])
        sized = self.measures or shape.type_name in _NUMBERS
        self._minimum: float | None = shape.traits.get("min") if sized else None
        self._maximum: float | None = shape.traits.get("max") if sized else None
        # What a number's type can hold is checked like a constraint, but not named like one.
        low, high = _BOUNDS.get(shape.type_name, (None, None))
        self._low = low if self._minimum is None else self._minimum
        self._high = high if self._maximum is None else self._maximum
        if self.measures and self._low is not None and self._low <= 0:
            self._low = None

    def test(self) -> Test | None:
        """The test of a value whose type is right; None where there is nothing to test."""
        tests: list[Test] = []
        if self._low is not None or self._high is not None:
            tests.append((_length_test if self.measures else _range_test)(self._low, self._high))
        if self.enum:
            tests.append(frozenset(self.enum).__contains__)
        if self.pattern is not None:
            tests.append(_pattern_test(self.pattern))
        if len(tests) < 2:
            return tests[0] if tests else None
        return lambda value: all(test(value) for test in tests)

    def fused(self, shape: Shape) -> Test | None:
        """The test of type and constraints in one, for the kinds of values that are most frequent."""
        if self.pattern is not None or self.enum:
            return None
        low = 0 if self._low is None else self._low
        high = sys.maxsize if self._high is None else self._high
        if shape.type_name == "string":
            return lambda value: isinstance(value, str) and low <= len(value) <= high
        if shape.type_name in _BOUNDS:
            return lambda value: isinstance(value, int) and low <= value <= high and not isinstance(value, bool)
        return None

    def broken(self, value: Any) -> list[str]:
        """The words for each constraint that `value` breaks."""
        size = len(value) if self.measures else value
        noun = "length" if self.measures else "value"
        out = []
        if self.enum and value not in self.enum:
            out.append(enum_text(self.enum))
        too_long = self._high is not None and size > self._high
        # What is too long anyway is not given to a pattern that may take very long for it.
        if self.pattern is not None and not (too_long and size > 4096) and not _pattern_test(self.pattern)(value):
            out.append(f"Member must satisfy regular expression pattern: {self.pattern}")
        if too_long:
            out.append(f"Member must have {noun} less than or equal to {self._high}")
        if self._low is not None and size < self._low:
            out.append(f"Member must have {noun} greater than or equal to {self._low}")
        return out

    def texts(self) -> list[str]:
        """The words for all constraints, as they stand in the brackets of a list's or map's item."""
        noun = "length" if self.measures else "value"
        out = []
        if self._maximum is not None:
            out.append(f"Member must have {noun} less than or equal to {self._maximum}")
        if self._minimum is not None:
            out.append(f"Member must have {noun} greater than or equal to {self._minimum}")
        if self.pattern is not None:
            out.append(f"Member must satisfy regular expression pattern: {self.pattern}")
        if self.enum:
            out.append(enum_text(self.enum))
        return out


def enum_text(values: Sequence[str]) -> str:
    """The words for a value that is none of `values`."""
    return f"Member must satisfy enum value set: [{', '.join(java_set_order(values))}]"


def java_set_order(values: Sequence[str]) -> list[str]:
    """`values` in the order in which a Java hash set of at least 32 buckets gives them.

    A bucket is `hashCode() mod buckets`. Every enumeration in a recorded answer is in this order.
    """
    buckets = 32
    while buckets < len(values):
        buckets *= 2
    return sorted(values, key=lambda value: _java_hash(value) % buckets)


def _java_hash(text: str) -> int:
    code = 0
    for char in text:
        code = (31 * code + ord(char)) & 0xFFFFFFFF
    return code


def _length_test(low: float | None, high: float | None) -> Test:
    if low is None:
        most = sys.maxsize if high is None else high
        return lambda value: len(value) <= most
    if high is None:
        return lambda value: len(value) >= low
    return lambda value: low <= len(value) <= high


def _range_test(low: float | None, high: float | None) -> Test:
    if low is None:
        return lambda value: value <= high
    if high is None:
        return lambda value: value >= low
    return lambda value: low <= value <= high


def _pattern_test(pattern: str) -> Test:
    """Compiles the pattern when the first value comes: most are never asked for."""
    found: list[patterns.Matcher] = []

    def test(value: Any) -> bool:
        if not found:
            found.append(patterns.matcher_or_any(pattern))
        return bool(found[0](value))

    return test
