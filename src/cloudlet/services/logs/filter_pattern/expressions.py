"""Conditions joined with `&&` and `||`, which JSON and space-delimited patterns share."""

from collections.abc import Callable, Sequence
from typing import Any

from cloudlet.services.logs.filter_pattern.errors import PatternError
from cloudlet.services.logs.filter_pattern.scanner import MAXIMUM_DEPTH, Token

Condition = Callable[[Any], bool]


class Tokens:
    """A cursor over tokens."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def is_done(self) -> bool:
        """True once all tokens are taken."""
        return self._at >= len(self._tokens)

    def peek(self) -> Token | None:
        """The next token, not taken; None at the end."""
        return None if self.is_done else self._tokens[self._at]

    def next(self) -> Token:
        """Take one token. Raises PatternError at the end."""
        if self.is_done:
            raise PatternError
        self._at += 1
        return self._tokens[self._at - 1]

    def take(self, symbol: str) -> bool:
        """Take the token when it is this symbol."""
        if self.is_done or self._tokens[self._at][:2] != ("symbol", symbol):
            return False
        self._at += 1
        return True


def parse_expression(tokens: Tokens, parse_condition: Callable[[Tokens], Condition], depth: int = 0) -> Condition:
    """`a && b || c`: parentheses bind closer than `&&`, and `&&` closer than `||`. Raises PatternError."""
    if depth > MAXIMUM_DEPTH:
        raise PatternError

    def operand() -> Condition:
        if not tokens.take("("):
            return parse_condition(tokens)
        inner = parse_expression(tokens, parse_condition, depth + 1)
        if not tokens.take(")"):
            raise PatternError
        return inner

    def conjunction() -> Condition:
        parts = [operand()]
        while tokens.take("&&"):
            parts.append(operand())
        return parts[0] if len(parts) == 1 else lambda subject: all(part(subject) for part in parts)

    choices = [conjunction()]
    while tokens.take("||"):
        choices.append(conjunction())
    return choices[0] if len(choices) == 1 else lambda subject: any(choice(subject) for choice in choices)
