"""From an expression's tokens to its tree.

Loosest first: OR, AND, comparisons, + and -, * and /, unary -, ^ (which goes from right to left).
"""

from dataclasses import dataclass
from typing import Final

from cloudlet.services.cloudwatch.math.errors import MathError
from cloudlet.services.cloudwatch.math.scanner import Token, tokens

MAX_DEPTH: Final = 64
"""Brackets in brackets."""
_LEVELS: Final = (("OR",), ("AND",), ("==", "!=", "<", ">", "<=", ">="), ("+", "-"), ("*", "/"))


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A text in quotation marks."""

    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """The id of a metric or an expression, or a word such as REPEAT."""

    name: str


@dataclass(frozen=True, slots=True)
class Array:
    """`[m1, m2]`."""

    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Negation:
    """`-m1`."""

    operand: "Node"


@dataclass(frozen=True, slots=True)
class Operation:
    """`m1 + m2`."""

    operator: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Call:
    """`SUM(m1)`."""

    function: str
    arguments: tuple["Node", ...]


Node = Number | Text | Name | Array | Negation | Operation | Call


def parse(expression: str) -> Node:
    """The tree of an expression. Raises MathError."""
    return _Parser(tokens(expression)).whole()


class _Parser:
    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._position = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._level(0)
        if self._next.kind != "end":
            raise _unexpected(self._next)
        return node

    @property
    def _next(self) -> Token:
        return self._tokens[self._position]

    def _take(self) -> Token:
        token = self._next
        if token.kind != "end":
            self._position += 1
        return token

    def _accept(self, *signs: str) -> str:
        """The next token's text, taken, where it is one of these signs; else empty."""
        if self._next.kind == "sign" and self._next.text in signs:
            return self._take().text
        return ""

    def _expect(self, sign: str) -> None:
        if not self._accept(sign):
            raise _unexpected(self._next)

    def _level(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        node = self._level(level + 1)
        while operator := self._accept(*_LEVELS[level]):
            node = Operation(operator, node, self._level(level + 1))
        return node

    def _unary(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise MathError("The expression is nested too deeply")
        if self._accept("-"):
            node: Node = Negation(self._unary())
        elif self._accept("+"):
            node = self._unary()
        else:
            node = self._atom()
            if self._accept("^"):
                node = Operation("^", node, self._unary())
        self._depth -= 1
        return node

    def _atom(self) -> Node:
        token = self._take()
        if token.kind == "number":
            return Number(float(token.text))
        if token.kind == "text":
            return Text(token.text)
        if token.kind == "name":
            return Call(token.text, self._items(")")) if self._accept("(") else Name(token.text)
        if token.text == "(" and token.kind == "sign":
            node = self._level(0)
            self._expect(")")
            return node
        if token.text == "[" and token.kind == "sign":
            return Array(self._items("]"))
        raise _unexpected(token)

    def _items(self, end: str) -> tuple[Node, ...]:
        if self._accept(end):
            return ()
        items = [self._level(0)]
        while self._accept(","):
            items.append(self._level(0))
        self._expect(end)
        return tuple(items)


def _unexpected(token: Token) -> MathError:
    return MathError("Unexpected end of the expression" if token.kind == "end" else f"Unexpected '{token.text}'")
