"""Tests of one value of an event: what the operators mean.

Values are what JSON gives: text, numbers, True, False, None. Each operator is a function of such a value.
"""

import ipaddress
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

Test = Callable[[Any], bool]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(slots=True)
class ValueTests:
    """The alternatives of one field of a pattern: a value passes when it passes one of them."""

    texts: set[str] = field(default_factory=set)
    numbers: set[float] = field(default_factory=set)
    literals: set[bool | None] = field(default_factory=set)
    addresses: set[Address] = field(default_factory=set)
    """Texts that are addresses are the same in all their spellings."""
    others: list[Test] = field(default_factory=list)
    allows_absence: bool = False
    """True when the field may be missing: `{"exists": false}`."""
    count: int = 0
    """How many alternatives were written."""
    cost: int = 1
    """How much work a value is that passes none of them, in tests."""

    def add(self, test: "Test | NoneOf") -> None:
        """One more alternative."""
        self.others.append(test)
        self.cost += len(test.tests) if isinstance(test, NoneOf) else 1

    def passes(self, value: Any) -> bool:
        """True when `value` passes one of the tests."""
        if isinstance(value, str):
            if value in self.texts or (self.addresses and address_of(value) in self.addresses):
                return True
        elif isinstance(value, bool) or value is None:
            if value in self.literals:
                return True
        elif value in self.numbers:
            return True
        return any(test(value) for test in self.others)


def is_number(value: Any) -> bool:
    """True for a number of JSON."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def address_of(text: str) -> Address | None:
    """The IP address that a text is; None for other texts."""
    if not text or not (text[0].isalnum() or text[0] == ":") or not ("." in text or ":" in text) or len(text) > 45:
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def exists(_value: Any) -> bool:
    """There is a value, whichever."""
    return True


def prefix(text: str) -> Test:
    """A text that begins so."""
    return lambda value: isinstance(value, str) and value.startswith(text)


def suffix(text: str) -> Test:
    """A text that ends so."""
    return lambda value: isinstance(value, str) and value.endswith(text)


def same_ignoring_case(text: str) -> Test:
    """A text that is the same but for upper and lower case."""
    lower, upper = text.lower(), text.upper()
    return lambda value: isinstance(value, str) and (value.lower() == lower or value.upper() == upper)


def prefix_ignoring_case(text: str) -> Test:
    """A text that begins so, but for upper and lower case."""
    test, length = same_ignoring_case(text), len(text)
    return lambda value: isinstance(value, str) and test(value[:length])


def suffix_ignoring_case(text: str) -> Test:
    """A text that ends so, but for upper and lower case."""
    test, length = same_ignoring_case(text), len(text)
    return lambda value: isinstance(value, str) and test(value[-length:] if length else "")


def wildcard(parts: Sequence[str]) -> Test:
    """A text made of `parts` with anything between them."""
    first, *middle = parts
    if not middle:
        return lambda value: value == first and isinstance(value, str)
    last = middle.pop()
    shortest = sum(map(len, parts))

    def test(value: Any) -> bool:
        if not (isinstance(value, str) and len(value) >= shortest):
            return False
        if not (value.startswith(first) and value.endswith(last)):
            return False
        at, end = len(first), len(value) - len(last)
        for part in middle:
            at = value.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return True

    return test


def between(low: float, high: float, *, with_low: bool, with_high: bool) -> Test:
    """A number in a range, whose ends belong to it or not."""

    def test(value: Any) -> bool:
        if not is_number(value):
            return False
        return (low < value or (with_low and low == value)) and (value < high or (with_high and value == high))

    return test


def in_network(base: Address, bits: int) -> Test:
    """An IP address whose first `bits` are those of `base`."""
    rest = base.max_prefixlen - bits
    network = int(base) >> rest

    def test(value: Any) -> bool:
        address = address_of(value) if isinstance(value, str) else None
        return address is not None and address.version == base.version and int(address) >> rest == network

    return test


def anything_but(values: Collection[Any]) -> Test:
    """Any value that is none of these."""
    texts = {value for value in values if isinstance(value, str)}
    numbers = {value for value in values if is_number(value)}
    return lambda value: not (value in texts if isinstance(value, str) else is_number(value) and value in numbers)


@dataclass(frozen=True, slots=True)
class NoneOf:
    """Any value that passes none of the tests."""

    tests: Sequence[Test]

    def __call__(self, value: Any) -> bool:
        return not any(test(value) for test in self.tests)
