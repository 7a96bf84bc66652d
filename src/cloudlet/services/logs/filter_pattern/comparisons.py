"""Comparing a value of a log event with a value of a pattern."""

from collections.abc import Callable
from typing import NamedTuple

from cloudlet.services.logs.filter_pattern.errors import PatternError, invalid_term
from cloudlet.services.logs.filter_pattern.regex import Regex
from cloudlet.services.logs.filter_pattern.scanner import Token

TextTest = Callable[[str], bool]
NumberTest = Callable[[str], bool]

EQUALITY = ("=", "!=")
ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}
OPERATORS = (*EQUALITY, *ORDER)


class Comparison(NamedTuple):
    """What an operator and a value ask: `of_text` of a text, `of_number` of a number as it was written."""

    of_text: TextTest
    of_number: NumberTest


def comparison(operator: str, value: Token) -> Comparison:
    """The tests for `operator value`. Raises PatternError."""
    number = is_number(value.text) if value.kind == "word" else False
    if operator in ORDER:
        if not number:
            raise invalid_term(value.text, is_lexical=False)
        compare, bound = ORDER[operator], float(value.value)
        return Comparison(lambda _: False, lambda text: compare(float(text), bound))
    if value.kind not in ("word", "quoted", "regex") or (value.kind, value.value) == ("word", "null"):
        raise PatternError
    of_text = Regex(value.value).search if value.kind == "regex" else wildcard(value.value)
    of_number: NumberTest = numerically_equal(value.value) if number else of_text
    if operator == "=":
        return Comparison(of_text, of_number)
    return Comparison(lambda text: not of_text(text), lambda text: not of_number(text))


def wildcard(pattern: str) -> TextTest:
    """An asterisk at the start or the end stands for any text; elsewhere it is itself."""
    core = pattern.strip("*")
    if pattern and not core:
        return lambda _: True
    match pattern.startswith("*"), pattern.endswith("*"):
        case True, True:
            return lambda text: core in text
        case True, False:
            return lambda text: text.endswith(core)
        case False, True:
            return lambda text: text.startswith(core)
    return lambda text: text == pattern


def is_number(text: str) -> bool:
    """An integer or decimal with an optional sign, perhaps in scientific notation."""
    mantissa, exponent_mark, exponent = text.lower().partition("e")
    digits = mantissa[1:] if mantissa[:1] in ("+", "-") else mantissa
    whole, point, fraction = digits.partition(".")
    if not (whole + fraction).isdecimal() or not (whole + fraction).isascii() or (point and not whole + fraction):
        return False
    power = exponent[1:] if exponent[:1] in ("+", "-") else exponent
    return not exponent_mark or (power.isdecimal() and power.isascii())


def numerically_equal(value: str) -> NumberTest:
    """Equal as whole numbers where both are, so that long identifiers are not rounded; else as floating point."""

    def test(text: str) -> bool:
        try:
            return int(text) == int(value)
        except ValueError:
            return float(text) == float(value)

    return test
