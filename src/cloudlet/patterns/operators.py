"""The operators of patterns: tests of one value of an event, which is a text, a number, a truth value or None.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from operator import ge, gt, le, lt
from typing import Any

from cloudlet.patterns.errors import InvalidPattern

Test = Callable[[Any], bool]
"""True for a value of an event that is wanted."""

_RANGE: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
}


def equal_to(wanted: Any) -> Test:
    """The very value. A number has no other type than being one; a truth value is no number."""
    if is_number(wanted):
        return lambda value: is_number(value) and value == wanted
    return lambda value: type(value) is type(wanted) and value == wanted


def operator(name: str, argument: Any) -> Test:
    """The test that `{name: argument}` stands for; not `exists`, which is no test of a value. Raises InvalidPattern."""
    make = _OPERATORS.get(name)
    if make is None:
        raise InvalidPattern(f"Unrecognized match type {name}")
    return make(argument)


def is_number(value: Any) -> bool:
    """True for what JSON calls a number; it is a Decimal where no float can hold it."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _text(argument: Any, name: str) -> str:
    if not isinstance(argument, str):
        raise InvalidPattern(f"{name} match pattern must be a string")
    return argument


def _on_text(test: Callable[[str], bool]) -> Test:
    return lambda value: isinstance(value, str) and test(value)


def _prefix(argument: Any) -> Test:
    if isinstance(argument, Mapping):
        folded = _folded(argument, "prefix")
        return _on_text(lambda value: value.casefold().startswith(folded))
    prefix = _text(argument, "prefix")
    return _on_text(lambda value: value.startswith(prefix))


def _suffix(argument: Any) -> Test:
    if isinstance(argument, Mapping):
        folded = _folded(argument, "suffix")
        return _on_text(lambda value: value.casefold().endswith(folded))
    suffix = _text(argument, "suffix")
    return _on_text(lambda value: value.endswith(suffix))


def _folded(argument: Mapping[str, Any], name: str) -> str:
    """Of `{"prefix": {"equals-ignore-case": text}}`, the text without case."""
    [(inner, text)] = single(argument)
    if inner != "equals-ignore-case":
        raise InvalidPattern(f"Unsupported {name} pattern: {inner}")
    return _text(text, "equals-ignore-case").casefold()


def _equals_ignore_case(argument: Any) -> Test:
    folded = _text(argument, "equals-ignore-case").casefold()
    return _on_text(lambda value: value.casefold() == folded)


def _wildcard(argument: Any) -> Test:
    return _on_text(_wildcard_expression(_text(argument, "wildcard")))


def _wildcard_expression(text: str) -> Callable[[str], bool]:
    """`*` is any text; `\\*` and `\\\\` are the characters themselves. No back-tracking beyond one star."""
    parts, part, index = [], "", 0
    while index < len(text):
        character = text[index]
        if character == "\\":
            escaped = text[index + 1 : index + 2]
            if escaped not in ("*", "\\"):
                raise InvalidPattern(f"Invalid escape character at pos {index}")
            part += escaped
            index += 1
        elif character == "*":
            if text[index + 1 : index + 2] == "*":
                raise InvalidPattern(f"Consecutive wildcard characters at pos {index + 1}")
            parts.append(part)
            part = ""
        else:
            part += character
        index += 1
    first, *middle = [*parts, part]
    return lambda value: _fits(value, first, middle)


def _fits(value: str, first: str, rest: Sequence[str]) -> bool:
    """True when `value` is the parts with anything between them. Each part is taken where it comes first."""
    if not rest:
        return value == first
    *middle, last = rest
    if not value.startswith(first) or len(value) < len(first) + len(last) or not value.endswith(last):
        return False
    at, end = len(first), len(value) - len(last)
    for part in middle:
        found = value.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return at <= end


def _numeric(argument: Any) -> Test:
    if not isinstance(argument, Sequence) or isinstance(argument, str) or not argument:
        raise InvalidPattern("Value of numeric must be an array.")
    terms = list(argument)
    name = terms[0]
    if name == "=":
        bound = _number(terms[1:2], "equals")
        if len(terms) > 2:
            raise InvalidPattern("Too many terms in numeric range expression")
        return equal_to(bound)
    if not isinstance(name, str) or name not in _RANGE:
        raise InvalidPattern(f"Unrecognized numeric range operator: {name}")
    bounds = [(_RANGE[name], _number(terms[1:2], name))]
    if len(terms) > 2:
        second = terms[2]
        if name[0] != ">" or not isinstance(second, str) or second not in ("<", "<="):
            raise InvalidPattern("Too many elements in numeric expression")
        bounds.append((_RANGE[second], _number(terms[3:4], second)))
        if len(terms) > 4:
            raise InvalidPattern("Too many terms in numeric range expression")
        if bounds[1][1] <= bounds[0][1]:
            raise InvalidPattern("Bottom must be less than top")
    return lambda value: is_number(value) and all(holds(value, bound) for holds, bound in bounds)


def _number(terms: Sequence[Any], name: str) -> Any:
    if not terms or not is_number(terms[0]):
        raise InvalidPattern(f"Value of {name} must be numeric")
    if isinstance(terms[0], Decimal):
        raise InvalidPattern(f"Cannot compare number : {terms[0]}")
    return terms[0]


def _cidr(argument: Any) -> Test:
    text = _text(argument, "cidr")
    if text.count("/") != 1:
        raise InvalidPattern("Malformed CIDR, one '/' required")
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise InvalidPattern(f"Malformed CIDR: {error}") from error

    def test(value: str) -> bool:
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            return False
        return address.version == network.version and address in network

    return _on_text(test)


def _anything_but(argument: Any) -> Test:
    if isinstance(argument, Mapping):
        [(name, inner)] = single(argument)
        if name not in _BUT:
            raise InvalidPattern(f"Unsupported anything-but pattern: {name}")
        tests = [operator(name, text) for text in _texts(name, inner)]
    else:
        values = argument if _is_list(argument) else [argument]
        kinds = {is_number(value) for value in values}
        if not values or len(kinds) > 1 or not all(is_number(value) or isinstance(value, str) for value in values):
            raise InvalidPattern(
                "Inside anything but list, either all values are number or string, mixed type is not supported"
            )
        tests = [equal_to(value) for value in values]
    return lambda value: not any(test(value) for test in tests)


def _texts(name: str, argument: Any) -> Iterable[str]:
    texts = argument if _is_list(argument) else [argument]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise InvalidPattern(f"{name} match pattern must be a string")
    if name in ("prefix", "suffix") and not all(texts):
        raise InvalidPattern("Null prefix/suffix not allowed")
    return texts


def single(argument: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The one member of an expression. Raises InvalidPattern when there is another number of them."""
    if len(argument) != 1:
        raise InvalidPattern("Only one key allowed in match expression")
    return list(argument.items())


def _is_list(argument: Any) -> bool:
    return isinstance(argument, Sequence) and not isinstance(argument, str)


_BUT = frozenset({"prefix", "suffix", "equals-ignore-case", "wildcard"})
_OPERATORS: Mapping[str, Callable[[Any], Test]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
    "numeric": _numeric,
    "cidr": _cidr,
    "anything-but": _anything_but,
}
