"""Patterns for text in columns: `[ip, user, ..., status = 4* && status != 404, bytes > 1000]`."""

from collections.abc import Sequence
from typing import NamedTuple

from cloudlet.services.logs.filter_pattern.comparisons import OPERATORS, comparison, is_number
from cloudlet.services.logs.filter_pattern.errors import PatternError
from cloudlet.services.logs.filter_pattern.expressions import Condition, Tokens, parse_expression
from cloudlet.services.logs.filter_pattern.scanner import TERM_CHARACTERS, VALUE_CHARACTERS, Scanner, Token

ELLIPSIS = "..."
NAME_CHARACTERS = TERM_CHARACTERS | {"-"}
CLOSING = {'"': '"', "[": "]"}


class Column(NamedTuple):
    """One place of a pattern. An empty name gets its number, ELLIPSIS stands for any number of columns."""

    name: str
    condition: Condition | None


class Fields:
    """A compiled pattern. Columns are separated by blanks; brackets and quotation marks hold one together."""

    def __init__(self, pattern: str) -> None:
        columns = _parse(pattern)
        names = [column.name for column in columns]
        for name in names:
            if name and names.count(name) > 1:
                raise PatternError(f"Duplicate field '{name}'")
        self._split = names.index(ELLIPSIS) if ELLIPSIS in names else None
        self._columns = columns

    def extract(self, message: str) -> dict[str, str] | None:
        """The columns by name, `$` in front; None when the message does not match."""
        if self._split is None:
            values = _head_and_rest(message, len(self._columns))
            columns: Sequence[Column] = self._columns
        else:
            values = _all(message)
            missing = len(values) - len(self._columns) + 1
            if missing < 0:
                return None
            unnamed = [Column("", None)] * missing
            columns = [*self._columns[: self._split], *unnamed, *self._columns[self._split + 1 :]]
        if len(values) != len(columns):
            return None
        for column, value in zip(columns, values, strict=True):
            if column.condition is not None and not column.condition(value):
                return None
        return {
            f"${column.name or number}": value
            for number, (column, value) in enumerate(zip(columns, values, strict=True), 1)
        }


def _head_and_rest(message: str, count: int) -> list[str]:
    """`count` columns, of which the last takes all that is left."""
    values: list[str] = []
    at = 0
    while len(values) < count - 1:
        value, at = _column(message, at)
        if value is None:
            return values
        values.append(value)
    rest = message[at:].strip()
    value, end = _column(rest, 0)
    if value is not None:
        values.append(value if end == len(rest) else rest)
    return values


def _all(message: str) -> list[str]:
    values: list[str] = []
    value, at = _column(message, 0)
    while value is not None:
        values.append(value)
        value, at = _column(message, at)
    return values


def _column(message: str, at: int) -> tuple[str | None, int]:
    """The column at or after `at`, and where the next may begin."""
    while at < len(message) and message[at].isspace():
        at += 1
    if at == len(message):
        return None, at
    if closing := CLOSING.get(message[at]):
        end = message.find(closing, at + 1)
        if end > 0:
            return message[at + 1 : end], end + 1
    end = at
    while end < len(message) and not message[end].isspace():
        end += 1
    return message[at:end], end


def _parse(pattern: str) -> list[Column]:
    groups: list[list[Token]] = [[]]
    for token in _tokens(Scanner(pattern)):
        if token.value == "," and token.kind == "symbol":
            groups.append([])
        else:
            groups[-1].append(token)
    if groups == [[]]:
        return [Column(ELLIPSIS, None)]
    return [_parse_column(group) for group in groups]


def _tokens(scanner: Scanner) -> list[Token]:
    found: list[Token] = []
    while scanner.skip_blanks():
        if scanner.here == '"':
            found.append(scanner.quoted())
        elif scanner.here == "%":
            found.append(scanner.regex())
        elif scanner.here in VALUE_CHARACTERS:
            found.append(scanner.word(VALUE_CHARACTERS))
        else:
            found.append(scanner.symbol())
    return found


def _parse_column(group: Sequence[Token]) -> Column:
    if not group:
        return Column("", None)
    if len(group) == 1 and group[0].kind == "word":
        name = group[0].value
        return Column(name if name == ELLIPSIS else _name(group[0]), None)
    names: set[str] = set()

    def condition(tokens: Tokens) -> Condition:
        names.add(_name(tokens.next()))
        operator = tokens.next()
        if operator.kind != "symbol" or operator.value not in OPERATORS:
            raise PatternError
        tests = comparison(operator.value, tokens.next())
        return lambda value: tests.of_number(value) if is_number(value) else tests.of_text(value)

    tokens = Tokens(group)
    parsed = parse_expression(tokens, condition)
    if not tokens.is_done or len(names) != 1:
        raise PatternError
    return Column(names.pop(), parsed)


def _name(token: Token) -> str:
    if token.kind != "word" or not NAME_CHARACTERS.issuperset(token.value):
        raise PatternError
    return token.value
