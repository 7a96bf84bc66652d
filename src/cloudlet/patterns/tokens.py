"""JSON as a list of tokens, each with how far a reader has come that reads no more than it must.

That place is part of AWS's error messages. Jackson, which counts it there, stops after the first quote of a string, and
has begun with a member's value when it gives the member's name.

Duplicate names and the order of members are kept, which `json` and `orjson` do not tell.
"""

import json
import re
from typing import Final, NamedTuple, NoReturn

from cloudlet.patterns.errors import InvalidJson, place_of

MAX_DEPTH: Final = 100
"""Objects and arrays in each other; patterns of people have a handful."""
_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_WORD = re.compile(r"[A-Za-z0-9_$]+")
_LITERALS = ("true", "false", "null")
_VALUE = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"


class Token(NamedTuple):
    """`kind`: one of `{ } [ ]`, `name`, `string`, `number`, `true`, `false`, `null`, and after the last one `end`."""

    kind: str
    text: str
    end: int
    """How far the reader has come."""
    last: int = 0
    """The end of the token itself."""


def check_json(text: str) -> None:
    """Raises InvalidJson unless the text is one JSON value."""
    _, error = tokens_of(text)
    if error is not None:
        raise error


def tokens_of(text: str) -> tuple[list[Token], InvalidJson | None]:
    """The tokens of one JSON value; when it is none, those up to the error, and the error."""
    scanner = _Scanner(text)
    try:
        scanner.scan()
    except InvalidJson as error:
        return scanner.tokens(), error
    return scanner.tokens(), None


class _Scanner:
    """Reads once through a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._tokens: list[Token] = []
        self._open: list[str] = []

    def scan(self) -> None:
        self._skip()
        self._value()
        while self._open:
            self._skip()
            if self._open[-1] == "{":
                self._member()
            else:
                self._element()
        self._skip()
        if self._at < len(self._text):
            self._unexpected("end of the document")

    def tokens(self) -> list[Token]:
        """What has been read. A name's place is that of the token which follows it."""
        end = Token("end", "", self._at)
        following = [*self._tokens, end][1:]
        tokens = [
            token._replace(end=after.end) if token.kind == "name" else token
            for token, after in zip(self._tokens, following, strict=True)
        ]
        return [*tokens, end]

    def _member(self) -> None:
        is_first = self._tokens[-1].kind == "{"
        if self._peek() == "}":
            self._close("}")
            return
        if not is_first:
            self._comma("Object")
        if self._peek() != '"':
            self._unexpected("double-quote to start field name")
        self._string("name")
        self._skip()
        if self._peek() != ":":
            self._unexpected("a colon to separate field name and value")
        self._at += 1
        self._skip()
        self._value()

    def _element(self) -> None:
        is_first = self._tokens[-1].kind == "["
        if self._peek() == "]":
            self._close("]")
            return
        if not is_first:
            self._comma("Array")
        self._value()

    def _comma(self, inside: str) -> None:
        if self._peek() in ("}", "]"):
            self._mismatched()
        if self._peek() != ",":
            self._unexpected(f"comma to separate {inside} entries")
        self._at += 1
        self._skip()

    def _close(self, bracket: str) -> None:
        self._open.pop()
        self._at += 1
        self._add(bracket, bracket)

    def _value(self) -> None:
        character = self._peek()
        if character in ("{", "["):
            if len(self._open) == MAX_DEPTH:
                self._fail(f"Document nesting depth ({MAX_DEPTH + 1}) exceeds the maximum allowed ({MAX_DEPTH})")
            self._open.append(character)
            self._at += 1
            self._add(character, character)
        elif character == '"':
            self._string("string")
        elif character == "-" or character.isdecimal():
            self._number()
        else:
            self._literal()

    def _string(self, kind: str) -> None:
        match = _STRING.match(self._text, self._at)
        if match is None:
            self._at = len(self._text)
            self._fail("Unexpected end-of-input: was expecting closing quote for a string value")
        self._tokens.append(Token(kind, json.loads(match[0]), self._at + 1, match.end()))
        self._at = match.end()

    def _number(self) -> None:
        match = _NUMBER.match(self._text, self._at)
        if match is None:
            self._unexpected("a number")
        self._at = match.end()
        self._add("number", match[0])

    def _literal(self) -> None:
        match = _WORD.match(self._text, self._at)
        if match is None:
            self._unexpected("a valid value " + _VALUE)
        self._at = match.end()
        if match[0] not in _LITERALS:
            self._fail(f"Unrecognized token '{match[0]}': was expecting {_VALUE}")
        self._add(match[0], match[0])

    def _add(self, kind: str, text: str) -> None:
        self._tokens.append(Token(kind, text, self._at, self._at))

    def _skip(self) -> None:
        match = _SPACE.match(self._text, self._at)
        self._at = match.end() if match else self._at

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _mismatched(self) -> NoReturn:
        expected = "}" if self._open[-1] == "{" else "]"
        kind = "Object" if self._open[-1] == "{" else "Array"
        self._fail(f"Unexpected close marker '{self._peek()}': expected '{expected}' (for {kind})")

    def _unexpected(self, expected: str) -> NoReturn:
        character = self._peek()
        if not character:
            self._fail(f"Unexpected end-of-input: was expecting {expected}")
        self._fail(f"Unexpected character ('{character}' (code {ord(character)})): was expecting {expected}")

    def _fail(self, message: str) -> NoReturn:
        raise InvalidJson(message, *place_of(self._text, self._at))
