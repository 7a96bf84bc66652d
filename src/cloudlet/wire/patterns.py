"""Regular expressions of the models, which are Java's, for Python's `re`.

The two differ in character classes (Unicode properties such as `\\p{L}`, unions, intersections, surrogate pairs), in
what `.` and `$` mean, and in a few escapes. AWS's servers want the whole text to match; a pattern that is anchored at
one end only was written for Smithy's searching (https://smithy.io/2.0/spec/constraint-traits.html#pattern-trait).

Some patterns take a time that grows exponentially with a text that does not match, so that one short request would stop
a node. `slow-patterns.json` has for each of them one that means the same and is fast, or null where there is none: such
a pattern lets every text pass. They were found by trying all patterns on texts of many repeated characters.
"""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import orjson

from cloudlet.wire import charsets
from cloudlet.wire.charsets import Ranges

Matcher = Callable[[str], object]

_ESCAPES: dict[str, Ranges] = {
    "d": charsets.chars("0-9"),
    "w": charsets.chars("a-zA-Z0-9_"),
    "s": charsets.chars(" \t\n\x0b\f\r"),
    "h": charsets.chars(" \t\xa0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000"),
    "v": charsets.chars("\n\x0b\f\r\x85\u2028\u2029"),
}
_CONTROLS = {"t": 9, "n": 10, "f": 12, "r": 13, "a": 7, "e": 27}
_NOT_A_LINE_END = r"[^\n\r\x85\u2028\u2029]"
_LINE_BREAK = r"(?:\r\n|[\n\x0b\f\r\x85\u2028\u2029])"
_OCTAL = re.compile(r"[0-3]?[0-7]{1,2}")
_INLINE_FLAGS = re.compile(r"\(\?([imsx]+)\)")


@cache
def matcher(pattern: str) -> Matcher:
    """The function that gives something true for texts that satisfy `pattern`.

    Raises re.error for a pattern that has no counterpart in Python.
    """
    compiled = re.compile(translate(pattern), re.ASCII)
    return compiled.search if pattern.startswith("^") or pattern.endswith("$") else compiled.fullmatch


def matcher_or_any(pattern: str) -> Matcher:
    """As `matcher`; a pattern that has no counterpart or is too slow lets every text pass."""
    fast = slow_patterns().get(pattern, pattern)
    try:
        return matcher(fast) if fast is not None else _any
    except re.error:
        return _any


def _any(_: str) -> bool:
    return True


@cache
def slow_patterns() -> dict[str, str | None]:
    """The patterns that are not used as they are, with what is used instead."""
    return dict(orjson.loads(Path(__file__).with_name("slow-patterns.json").read_bytes()))


def translate(pattern: str) -> str:
    """`pattern` as Python's `re` writes it. Raises re.error where that is not possible."""
    return _Translator(pattern).run()


class _Translator:
    """Goes through a pattern once, character by character."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0

    def run(self) -> str:
        out: list[str] = []
        flagged = [0]
        """Per open group: how many `(?i)` within it wait for its end, as Python wants `(?i:..)`."""
        while self._at < len(self._text):
            flags = _INLINE_FLAGS.match(self._text, self._at)
            char = self._take()
            if flags is not None:
                self._at = flags.end()
                flagged[-1] += 1
                out.append(f"(?{flags[1]}:")
            elif char == "(":
                flagged.append(0)
                out.append(char)
            elif char == ")":
                out.append(")" * (flagged.pop() + 1 if len(flagged) > 1 else 1))
            else:
                out.append(self._atom(char))
        return "".join(out) + ")" * flagged[0]

    def _atom(self, char: str) -> str:
        if char == "\\":
            return self._escape()
        if char == "[":
            return _class_text(self._class())
        if char == ".":
            return _NOT_A_LINE_END
        return r"(?=\n?\Z)" if char == "$" else char

    def _escape(self) -> str:
        """An escape outside a class, its backslash taken."""
        char = self._text[self._at : self._at + 1] or " "
        if char in ("z", "Z", "R", "Q"):
            self._at += 1
            if char == "Q":
                return re.escape(self._quoted())
            return _LINE_BREAK if char == "R" else r"\Z"
        if char in ("A", "b", "B") or char in "123456789":
            self._at += 1
            return "\\" + char
        item = self._escaped_item()
        return re.escape(chr(item)) if isinstance(item, int) else _class_text(item)

    def _escaped_item(self) -> int | Ranges:
        """A character or a set, its backslash taken."""
        char = self._take()
        if char in "pP":
            return self._property(negated=char == "P")
        if char.lower() in _ESCAPES:
            ranges = _ESCAPES[char.lower()]
            return charsets.complement(ranges) if char.isupper() else ranges
        if char in "ux":
            return self._code_point(4 if char == "u" else 2)
        if char == "0" and (octal := _OCTAL.match(self._text, self._at)) is not None:
            self._at = octal.end()
            return int(octal[0], 8)
        return _CONTROLS.get(char, ord(char))

    def _code_point(self, digits: int) -> int:
        if self._text.startswith("{", self._at):
            return self._hex(self._braced())
        code = self._hex(self._text[self._at : self._at + digits])
        self._at += digits
        low = re.compile(r"\\u([dD][c-fC-F][0-9a-fA-F]{2})").match(self._text, self._at)
        if 0xD800 <= code < 0xDC00 and low is not None:  # Java reads a pair of surrogates as one character
            self._at = low.end()
            return 0x10000 + ((code - 0xD800) << 10) + (int(low[1], 16) - 0xDC00)
        return code

    def _hex(self, text: str) -> int:
        try:
            return int(text, 16)
        except ValueError as error:
            raise re.error("not a code point", self._text, self._at) from error

    def _property(self, *, negated: bool) -> Ranges:
        name = self._braced() if self._text.startswith("{", self._at) else self._take()
        try:
            ranges = charsets.property_named(name)
        except KeyError as error:
            raise re.error(f"unknown property {name}", self._text, self._at) from error
        return charsets.complement(ranges) if negated else ranges

    def _class(self) -> Ranges:
        """A character class, its opening bracket taken. Classes within it are joined; `&&` keeps what is in both."""
        negated = self._text.startswith("^", self._at)
        self._at += negated
        result: Ranges | None = None
        pieces: list[tuple[int, int]] = []
        first = True
        while (char := self._take()) != "]" or first:
            if char == "&" and self._text.startswith("&", self._at):
                self._at += 1
                part = charsets.ranges_of(pieces)
                result, pieces = part if result is None else charsets.intersection(result, part), []
                continue
            first = False
            pieces += self._class_item(char)
        part = charsets.ranges_of(pieces)
        result = part if result is None else charsets.intersection(result, part)
        return charsets.complement(result) if negated else result

    def _class_item(self, char: str) -> Ranges:
        if char == "[":
            return self._class()
        item = self._escaped_item() if char == "\\" else ord(char)
        if not isinstance(item, int):
            return item
        # A hyphen is a range only between two characters.
        follows = self._text[self._at : self._at + 2]
        if len(follows) < 2 or follows[0] != "-" or follows[1] in "]":
            return ((item, item),)
        mark = self._at
        self._at += 1
        other = self._take()
        high = self._escaped_item() if other == "\\" else ord(other)
        if other == "[" or not isinstance(high, int):
            self._at = mark
            return ((item, item),)
        if high < item:
            raise re.error("bad character range", self._text, mark)
        return ((item, high),)

    def _quoted(self) -> str:
        end = self._text.find("\\E", self._at)
        literal = self._text[self._at : end if end >= 0 else len(self._text)]
        self._at += len(literal) + (2 if end >= 0 else 0)
        return literal

    def _braced(self) -> str:
        end = self._text.find("}", self._at)
        if end < 0:
            raise re.error("missing brace", self._text, self._at)
        body = self._text[self._at + 1 : end]
        self._at = end + 1
        return body

    def _take(self) -> str:
        if self._at >= len(self._text):
            raise re.error("pattern ends too early", self._text, self._at)
        char = self._text[self._at]
        self._at += 1
        return char


@cache
def _class_text(ranges: Ranges) -> str:
    if not ranges:
        return r"(?!)"
    if ranges == charsets.EVERYTHING:
        return r"[\s\S]"
    if ranges[0][0] == 0 and ranges[-1][1] == charsets.EVERYTHING[0][1]:
        return f"[^{_body(charsets.complement(ranges))}]"
    return f"[{_body(ranges)}]"


def _body(ranges: Ranges) -> str:
    return "".join(_char(low) if low == high else f"{_char(low)}-{_char(high)}" for low, high in ranges)


def _char(code: int) -> str:
    char = chr(code)
    return char if char.isascii() and char.isalnum() else f"\\U{code:08x}"
