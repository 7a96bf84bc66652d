"""Arithmetic, comparison and logical operators."""

from collections.abc import Mapping

from cloudlet.services.cloudwatch.math.series import Pointwise


def _power(a: float, b: float) -> float:
    result = a**b
    if isinstance(result, complex):
        raise ArithmeticError("not a real number")
    return float(result)


OPERATORS: Mapping[str, Pointwise] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "^": _power,
    "==": lambda a, b: float(a == b),
    "!=": lambda a, b: float(a != b),
    "<": lambda a, b: float(a < b),
    ">": lambda a, b: float(a > b),
    "<=": lambda a, b: float(a <= b),
    ">=": lambda a, b: float(a >= b),
    "AND": lambda a, b: float(bool(a) and bool(b)),
    "OR": lambda a, b: float(bool(a) or bool(b)),
}
"""What each does to two values."""
