"""Characters of a filter pattern, read once from left to right."""

from typing import Literal, NamedTuple

from cloudlet.services.logs.filter_pattern.errors import PatternError, invalid_term

TokenKind = Literal["word", "quoted", "regex", "symbol", "selector", "index", "wildcard"]

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
ALPHANUMERIC = frozenset(LETTERS + "0123456789")
TERM_CHARACTERS = ALPHANUMERIC | {"_"}
VALUE_CHARACTERS = TERM_CHARACTERS | frozenset(".*+-/@")
"""What a value without quotation marks may be made of."""
REGEX_CHARACTERS = ALPHANUMERIC | frozenset(" :_#=@/;,-^$?[]{}|\\*+.")
BLANKS = frozenset(" \t\r\n")
MAXIMUM_REGEXES = 2
MAXIMUM_DEPTH = 50
"""How deep parentheses may nest."""


class Token(NamedTuple):
    """A piece of a pattern. `value` is what it stands for, `text` how it was written."""

    kind: TokenKind
    value: str
    text: str


class Scanner:
    """A position in a pattern. Errors quote from the start of the token up to the character that does not fit."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.regexes = 0

    @property
    def here(self) -> str:
        """The character at the position; empty at the end."""
        return self.text[self.at : self.at + 1]

    def skip_blanks(self) -> bool:
        """Go to the next character that is no blank; false when there is none."""
        while self.here and self.here in BLANKS:
            self.at += 1
        return bool(self.here)

    def word(self, characters: frozenset[str]) -> Token:
        """The longest run of `characters`, at least one."""
        start = self.at
        while self.here and self.here in characters:
            self.at += 1
        if self.at == start:
            raise invalid_term(self.here)
        return Token("word", self.text[start : self.at], self.text[start : self.at])

    def quoted(self) -> Token:
        """What stands between quotation marks; a backslash keeps the next mark or backslash."""
        start, value = self.at, []
        self.at += 1
        while self.here != '"':
            if not self.here:
                raise invalid_term(self.text[start:])
            if self.here == "\\" and self.text[self.at + 1 : self.at + 2] in ('"', "\\"):
                self.at += 1
            value.append(self.here)
            self.at += 1
        self.at += 1
        return Token("quoted", "".join(value), self.text[start : self.at])

    def regex(self) -> Token:
        """What stands between percent signs."""
        start = self.at
        self.at += 1
        while self.here != "%":
            if self.here not in REGEX_CHARACTERS:
                raise invalid_term(self.text[start : self.at + 1])
            self.at += 1
        self.at += 1
        self.regexes += 1
        if self.regexes > MAXIMUM_REGEXES:
            raise PatternError("Your input has exceeded the maximum of 2 regular expressions per filter pattern.")
        return Token("regex", self.text[start + 1 : self.at - 1], self.text[start : self.at])

    def symbol(self) -> Token:
        """A parenthesis, a comma or an operator."""
        start = self.at
        two = self.text[start : start + 2]
        if two in ("&&", "||", "!=", "<=", ">="):
            self.at += 2
        elif self.here in "(),=<>":
            self.at += 1
        elif self.here in "&|!":
            raise invalid_term(two)
        else:
            raise invalid_term(self.here)
        return Token("symbol", self.text[start : self.at], self.text[start : self.at])
