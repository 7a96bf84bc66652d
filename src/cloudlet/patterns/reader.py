"""Goes through the tokens of a pattern."""

from collections.abc import Sequence
from typing import NoReturn

from cloudlet.patterns.errors import error_at
from cloudlet.patterns.tokens import Token, tokens_of


class Reader:
    """One token after the other; raises errors that name the place where it is."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens, self._error = tokens_of(text)
        self._next = 0

    def next(self) -> Token:
        """The next token; at the end, always the last one. Raises InvalidJson where the JSON ends."""
        if self._next >= len(self._tokens) - 1 and self._error is not None:
            raise self._error
        token = self._tokens[min(self._next, len(self._tokens) - 1)]
        self._next += 1
        return token

    def ahead(self) -> Sequence[Token]:
        """What is to come."""
        return self._tokens[self._next :]

    def expect_end(self, kind: str, message: str) -> None:
        """Raises InvalidPattern when the next token is not of this kind."""
        if self.next().kind != kind:
            self.fail(message)

    def fail(self, message: str, *, in_list: bool = False) -> NoReturn:
        """Raises InvalidPattern for the token that was read last. `in_list`: AWS tells the place twice."""
        self._fail_at(message, self._last.end, in_list)

    def fail_after(self, message: str, *, in_list: bool = False) -> NoReturn:
        """Raises InvalidPattern for the token that was read last, of which all has been looked at."""
        self._fail_at(message, self._last.last, in_list)

    def _fail_at(self, message: str, end: int, in_list: bool) -> NoReturn:
        error = error_at(message, self.text, end)
        raise error_at(str(error), self.text, end) if in_list else error

    @property
    def _last(self) -> Token:
        return self._tokens[min(self._next, len(self._tokens)) - 1]
