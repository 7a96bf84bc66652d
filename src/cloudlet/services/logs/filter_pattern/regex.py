"""Regular expressions between percent signs, matched in time linear in the text whatever the expression.

The service's subset has no groups: an expression is alternatives of characters, classes and repetitions, with `^` and
`$` at their ends. So each alternative is a chain of positions, and all of them together are one automaton of which a
set of positions is one integer:

    %ab*c|x{2}%     a -> b* -> c -> (end)      x -> x -> (end)
                    0    1     2    3          4    5    6

`search` runs it as a deterministic automaton whose states are made when they are first reached and forgotten when there
are too many. A backtracking matcher (Python's `re`) was rejected: `%.*.*.*.*x%` takes it hours on a long line.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html#regex-expressions
"""

from collections.abc import Sequence
from typing import NamedTuple

from cloudlet.services.logs.filter_pattern.errors import PatternError

MAXIMUM_POSITIONS = 2_000
"""How long an expression may be once its counted repetitions are written out."""
MAXIMUM_STATES = 500
"""How many states are kept at a time."""

OTHER = 128
"""The symbol for every character that is not ASCII."""
EVERYTHING = frozenset(range(OTHER + 1))
DIGITS = frozenset(b"0123456789")
SPACES = frozenset(b" \t\n\r\f\v")
WORDS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
CLASSES = {
    "d": DIGITS, "D": EVERYTHING - DIGITS, "s": SPACES, "S": EVERYTHING - SPACES, "w": WORDS, "W": EVERYTHING - WORDS,
}  # fmt: skip
OPERATORS = "^$?[]{}|\\*+."

Symbols = frozenset[int]


class Item(NamedTuple):
    """A set of symbols and how often one of them stands there; `most` is None for any number."""

    symbols: Symbols
    least: int
    most: int | None


class Alternative(NamedTuple):
    """What stands between two bars."""

    items: Sequence[Item]
    from_start: bool
    to_end: bool


class _Parser:
    def __init__(self, expression: str) -> None:
        self._text = expression
        self._at = 0

    def alternatives(self) -> list[Alternative]:
        found = [self._alternative()]
        while self._take("|"):
            found.append(self._alternative())
        return found

    def _alternative(self) -> Alternative:
        from_start = self._take("^")
        items: list[Item] = []
        while self._at < len(self._text) and self._text[self._at] not in "|$":
            items.append(self._item())
        to_end = self._take("$")
        if self._at < len(self._text) and self._text[self._at] != "|":
            raise _uncompilable()
        return Alternative(items, from_start, to_end)

    def _item(self) -> Item:
        symbols = self._symbols()
        if self._take("*"):
            return Item(symbols, 0, None)
        if self._take("+"):
            return Item(symbols, 1, None)
        if self._take("?"):
            return Item(symbols, 0, 1)
        if self._take("{"):
            return Item(symbols, *self._bounds())
        return Item(symbols, 1, 1)

    def _bounds(self) -> tuple[int, int | None]:
        """`m}`, `m,n}`, `m,}` or `,n}`, with blanks as the documentation writes them."""
        end = self._text.find("}", self._at)
        least, comma, most = self._text[self._at : max(end, self._at)].partition(",")
        self._at = end + 1
        numbers = [part.strip() for part in (least, most) if part.strip()]
        if end < 0 or not numbers or not all(part.isdecimal() and len(part) <= 4 for part in numbers):
            raise _uncompilable()
        lower = int(least) if least.strip() else 0
        upper = int(most) if most.strip() else None if comma else lower
        if upper is not None and upper < lower:
            raise _uncompilable()
        return lower, upper

    def _symbols(self) -> Symbols:
        character = self._next()
        if character == ".":
            return EVERYTHING
        if character == "[":
            return self._class()
        if character == "\\":
            return self._escape()
        if character in OPERATORS:
            raise _uncompilable()
        return frozenset((ord(character),))

    def _class(self) -> Symbols:
        is_negated = self._take("^")
        members: set[int] = set()
        while not self._take("]"):
            lower = self._member()
            if len(lower) == 1 and self._text[self._at : self._at + 1] == "-" and self._text[self._at + 1 :][:1] != "]":
                self._at += 1
                upper = self._member()
                if len(upper) != 1 or min(upper) < min(lower):
                    raise _uncompilable()
                members.update(range(min(lower), min(upper) + 1))
            else:
                members |= lower
        if not members:
            raise _uncompilable()
        return EVERYTHING - members if is_negated else frozenset(members)

    def _member(self) -> Symbols:
        character = self._next()
        return self._escape() if character == "\\" else frozenset((ord(character),))

    def _escape(self) -> Symbols:
        character = self._next()
        if character in CLASSES:
            return CLASSES[character]
        if character == "x":
            digits = self._next() + self._next()
            if any(digit not in "0123456789abcdefABCDEF" for digit in digits) or int(digits, 16) >= OTHER:
                raise _uncompilable()
            return frozenset((int(digits, 16),))
        if character.isalnum():
            raise _uncompilable()
        return frozenset((ord(character),))

    def _next(self) -> str:
        if self._at >= len(self._text):
            raise _uncompilable()
        self._at += 1
        return self._text[self._at - 1]

    def _take(self, character: str) -> bool:
        if self._text[self._at : self._at + 1] != character:
            return False
        self._at += 1
        return True


def _uncompilable() -> PatternError:
    return PatternError("Failed to compile regular expression.")


class Regex:
    """One compiled expression. Raises PatternError for one that the service refuses."""

    def __init__(self, expression: str) -> None:
        alternatives = _Parser(expression).alternatives()
        self._symbol_masks = [0] * (OTHER + 1)
        self._optional = self._repeated = self._ends = self._ends_at_end = 0
        floating = anchored = 0
        position = 0
        for alternative in alternatives:
            start = 1 << position
            position = self._add(alternative, position)
            if alternative.from_start:
                anchored |= start
            else:
                floating |= start
        self._floating = self._closed(floating)
        self._start = self._closed(anchored) | self._floating
        self._states: dict[int, list[int | None]] = {}

    def _add(self, alternative: Alternative, position: int) -> int:
        """Lay out one alternative from `position` on; the first position after it."""
        for symbols, least, most in alternative.items:
            copies = max(least, 1) if most is None else most
            if position + copies > MAXIMUM_POSITIONS:
                raise _uncompilable()
            for copy in range(copies):
                bit = 1 << position
                for symbol in symbols:
                    self._symbol_masks[symbol] |= bit
                if copy >= least:
                    self._optional |= bit
                position += 1
            if most is None:
                self._repeated |= 1 << (position - 1)
        if alternative.to_end:
            self._ends_at_end |= 1 << position
        else:
            self._ends |= 1 << position
        return position + 1

    def _closed(self, state: int) -> int:
        """`state` and all positions that are reached from it over what is optional."""
        while True:
            more = state | (state & self._optional) << 1
            if more == state:
                return state
            state = more

    def _step(self, state: int, symbol: int) -> int:
        matched = state & self._symbol_masks[symbol]
        return self._closed(matched << 1 | matched & self._repeated) | self._floating

    def _successors(self, state: int) -> list[int | None]:
        if len(self._states) >= MAXIMUM_STATES:
            self._states.clear()
        return self._states.setdefault(state, [None] * (OTHER + 1))

    def search(self, text: str) -> bool:
        """True when the expression matches somewhere in `text`. `$` also stands before a line feed that ends it."""
        state, ends = self._start, self._ends
        if state & ends:
            return True
        last = len(text) - 1 if text.endswith("\n") else -1
        successors = self._states.get(state) or self._successors(state)
        for index, character in enumerate(text):
            if index == last and state & self._ends_at_end:
                return True
            symbol = code if (code := ord(character)) < OTHER else OTHER
            following = successors[symbol]
            if following is None:
                following = successors[symbol] = self._step(state, symbol)
            if following & ends:
                return True
            if following != state:
                state = following
                successors = self._states.get(state) or self._successors(state)
        return bool(state & self._ends_at_end)
