"""Fields that must all match, and how they are compared with an event.

The event is walked once, along the fields' paths only:

    {"a": {"b": [1, 2]}}                       a value of the field `a.b`, wherever the dots come from
    {"a": [{"b": 1, "c": 2}, {"b": 3}]}        elements of an array: fields of one element belong together

The fields are bits. An array gives, for one element or another, the sets of fields that are satisfied
within that element; a scope (the event, or an element) satisfies what it has itself and, of each of its arrays, one of
these sets. So `b` of one element and `c` of another do not make a match, as on AWS. A field that must be absent may be
there in other elements than that which another field, earlier by its name, was found in: also as on AWS. Rejected:
comparing all values of all fields with each other, which is what an attacker would choose.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import and_
from typing import Any, Final, NamedTuple

from cloudlet.patterns.budget import Budget
from cloudlet.patterns.values import ValueTests

MAX_DEPTH: Final = 100
"""Of an event; what lies deeper is not looked at."""
MAX_SETS: Final = 4096
"""So many different sets of fields are followed at once; a pattern and an event that need more were made for it."""


class _Set(NamedTuple):
    """Fields, as bits."""

    found: int
    """Those with a value that passes."""
    absent: int
    """Those that are absent and may be."""

    def is_within(self, other: "_Set") -> bool:
        """True when `other` has all of these."""
        return self.found | other.found == other.found and self.absent | other.absent == other.absent


@dataclass(slots=True)
class Alternative:
    """Fields that must all match."""

    fields: Mapping[str, ValueTests]
    """By their paths, joined with dots."""
    _steps: frozenset[str] = field(init=False)
    """All paths, and their beginnings."""
    _bits: dict[str, int] = field(init=False)
    _all: int = field(init=False)
    _may_be_absent: int = field(init=False)

    def __post_init__(self) -> None:
        self._bits = {path: 1 << number for number, path in enumerate(sorted(self.fields))}
        self._all = (1 << len(self.fields)) - 1
        self._may_be_absent = sum(self._bits[path] for path, tests in self.fields.items() if tests.allows_absence)
        self._steps = frozenset(path[:end] for path in self.fields for end in [*_dots(path), len(path)])

    def matches(self, event: Mapping[str, Any], budget: Budget) -> bool:
        """True when all fields match. Raises TooMuchWork."""
        scope = _Scope(budget, self._may_be_absent)
        self._walk_object(event, "", scope, 0)
        return any(found | absent == self._all for found, absent in scope.sets())

    def _walk_object(self, node: Mapping[str, Any], prefix: str, scope: "_Scope", depth: int) -> None:
        for key, value in node.items():
            path = prefix + key
            if path in self._steps and depth < MAX_DEPTH:
                self._walk(value, path, scope, depth + 1)

    def _walk(self, value: Any, path: str, scope: "_Scope", depth: int) -> None:
        if isinstance(value, dict):
            self._walk_object(value, path + ".", scope, depth)
        elif isinstance(value, list):
            self._walk_array(value, path, scope, depth)
        elif path in self._bits:
            bit = self._bits[path]
            scope.absent &= ~bit
            if not scope.found & bit:
                tests = self.fields[path]
                scope.budget.spend(tests.cost)
                if tests.passes(value):
                    scope.found |= bit

    def _walk_array(self, values: Iterable[Any], path: str, scope: "_Scope", depth: int) -> None:
        sets: set[_Set] = set()
        absent = self._may_be_absent  # in all elements
        for value in values:
            if not isinstance(value, dict | list):
                self._walk(value, path, scope, depth)
            elif depth < MAX_DEPTH:
                element = _Scope(scope.budget, self._may_be_absent)
                self._walk(value, path, element, depth + 1)
                found = element.sets()
                sets |= found
                absent &= reduce(and_, (each.absent for each in found))
        if sets:
            scope.arrays.append(_largest({_of_element(each, absent) for each in sets}, scope.budget))


@dataclass(slots=True)
class _Scope:
    """The event, or an element of an array."""

    budget: Budget
    absent: int
    """Fields that may be absent, and have not been met here."""
    found: int = 0
    arrays: list[set[_Set]] = field(default_factory=list)

    def sets(self) -> set[_Set]:
        """The sets of fields that can be satisfied together here."""
        sets = {_Set(self.found, self.absent)}
        for array in self.arrays:
            self.budget.spend(len(sets) * len(array))
            joined = {_Set(one[0] | other[0], one[1] & other[1]) for one in sets for other in array}
            sets = _largest(joined, self.budget)
        return sets


def _dots(path: str) -> list[int]:
    return [index for index, character in enumerate(path) if character == "."]


def _of_element(satisfied: _Set, absent: int) -> _Set:
    """What an element of an array satisfies. `absent`: fields that are absent in all elements.

    What is absent in this one only counts when a field with an earlier name has been found in it.
    """
    first = satisfied.found & -satisfied.found
    later = ~((first << 1) - 1) if first else 0
    return _Set(satisfied.found, (satisfied.absent & later) | absent)


def _largest(sets: set[_Set], budget: Budget) -> set[_Set]:
    """Those sets that are not within another one."""
    if len(sets) == 1:
        return sets
    kept: list[_Set] = []
    for candidate in sorted(sets, key=lambda each: -(each.found.bit_count() + each.absent.bit_count())):
        budget.spend(len(kept))
        if not any(candidate.is_within(other) for other in kept):
            kept.append(candidate)
            if len(kept) == MAX_SETS:
                break
    return set(kept)
