"""The text of a pattern, read to tests. The order of the checks is AWS's (aws/event-ruler), and so are the errors."""

from collections.abc import Mapping
from typing import Final

from cloudlet.patterns import operators
from cloudlet.patterns.alternative import Alternative
from cloudlet.patterns.errors import InvalidPattern
from cloudlet.patterns.reader import Reader
from cloudlet.patterns.values import ValueTests, address_of

MAX_ALTERNATIVES: Final = 1000
"""Into so many `$or`s may multiply out. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html#eb-filtering-complex-example-or"""
OR: Final = "$or"
_RESERVED_IN_OR = frozenset(
    ("exactly", "prefix", "suffix", "equals-ignore-case", "wildcard", "numeric", "anything-but", "cidr", "exists")
)
_Rule = dict[str, ValueTests]


class Parser:
    """Reads one text."""

    def __init__(self, text: str) -> None:
        self._reader = Reader(text)
        self.names: list[str] = []
        self.is_nested = False

    def parse(self) -> list[Alternative]:
        """The alternatives of which one has to match. Raises InvalidPattern."""
        reader = self._reader
        if reader.next().kind != "{":
            reader.fail("Filter is not an object")
        rules = self._object([], "", inside_or=False)
        return [Alternative(rule) for rule in rules]

    def _object(self, rules: list[_Rule], prefix: str, *, inside_or: bool) -> list[_Rule]:
        """Add the tests of an object's members to each of `rules`."""
        reader = self._reader
        is_empty = True
        while (token := reader.next()).kind != "}":
            is_empty = False
            name = token.text
            if name == OR and _is_alternatives(reader):
                rules = self._or(rules, prefix)
                continue
            if inside_or and name in _RESERVED_IN_OR:
                reader.fail(f"{name} is Ruler reserved fieldName which cannot be used inside {OR}.")
            if not prefix:
                self.names.append(name)
            kind = reader.next().kind
            if kind == "{":
                self.is_nested = True
                rules = self._object(rules, f"{prefix}{name}.", inside_or=inside_or)
            elif kind == "[":
                tests = _tests(reader)
                rules = [{**rule, prefix + name: tests} for rule in rules or [{}]]
            else:
                reader.fail(f'"{name}" must be an object or an array')
        if is_empty:
            reader.fail("Empty objects are not allowed")
        return rules

    def _or(self, rules: list[_Rule], prefix: str) -> list[_Rule]:
        """Multiply `rules` by the objects of an array."""
        reader = self._reader
        reader.next()
        found: list[_Rule] = []
        while reader.next().kind != "]":
            found += self._object([dict(rule) for rule in rules or [{}]], prefix, inside_or=True)
            if len(found) > MAX_ALTERNATIVES:
                raise InvalidPattern("Pattern is too complex")
        return found


def _is_alternatives(reader: Reader) -> bool:
    """True when an array of at least two objects follows that can be patterns. Else `$or` is a field's name.

    https://github.com/aws/event-ruler#or-matching
    """
    depth, objects = 0, 0
    for token in reader.ahead():
        if depth == 0 and token.kind != "[":
            return False
        if depth == 1 and token.kind not in ("{", "]"):
            return False
        objects += depth == 1 and token.kind == "{"
        if depth == 2 and token.kind == "name" and token.text in _RESERVED_IN_OR:
            return False
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token.kind, 0)
        if depth == 0:
            break
    return objects >= 2


def _tests(reader: Reader) -> ValueTests:
    """The alternatives of one field, up to the end of their array."""
    tests = ValueTests()
    while (token := reader.next()).kind != "]":
        tests.count += 1
        if token.kind == "{":
            _expression(reader, tests)
        elif token.kind == "string":
            tests.texts.add(token.text)
            if (address := address_of(token.text)) is not None:
                tests.addresses.add(address)
        elif token.kind == "number":
            tests.numbers.add(float(token.text) if any(c in token.text for c in ".eE") else int(token.text[:4000]))
        elif token.kind in _LITERALS:
            tests.literals.add(_LITERALS[token.kind])
        else:
            reader.fail("Match value must be String, number, true, false, or null")
    if not tests.count:
        reader.fail("Empty arrays are not allowed")
    return tests


def _expression(reader: Reader, tests: ValueTests) -> None:
    token = reader.next()
    if token.kind != "name":
        reader.fail("Match expression name not found")
    if token.text == "exists":
        if operators.exists(reader):
            tests.add(operators.ANY)
        else:
            tests.allows_absence = True
        return
    read = operators.READERS.get(token.text)
    if read is None:
        reader.fail(f"Unrecognized match type {token.text}")
    tests.add(read(reader))


_LITERALS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None}
