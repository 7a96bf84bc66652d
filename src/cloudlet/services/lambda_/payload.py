"""An invocation's payload: it must be JSON, and AWS says of other things what its parser (Jackson) says.

`check` is on every invocation's path: a fast parser decides. Only what that one refuses is read again here, to find the
words. What Jackson would have taken nevertheless (half a surrogate pair, a number out of range) passes.
"""

import string

import orjson

from cloudlet.services.lambda_.errors import InvalidRequestContent

_SOURCE = "Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)"
_VALUES = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
_SPACE = frozenset(b" \t\r\n")
_DIGITS = frozenset(string.digits.encode())
_IDENTIFIER = frozenset((string.ascii_letters + string.digits + "_$").encode())
_ESCAPES = frozenset(b'"\\/bfnrt')
_OPENINGS = frozenset(b"{[")
_WORDS = {word[0]: word for word in (b"null", b"true", b"false")}
_EXPONENT = frozenset(b"eE")
_SIGNS = frozenset(b"+-")
_END = -1


def check(payload: bytes) -> None:
    """Raises InvalidRequestContent when `payload` is not JSON. Nothing at all passes: AWS takes it for `{}`."""
    if not payload or payload == b"{}":
        return
    try:
        orjson.loads(payload)
    except ValueError:
        try:
            _Scanner(payload).document()
        except _Malformed as error:
            raise InvalidRequestContent(
                f"Could not parse request body into json: Could not parse payload into json: {error}"
            ) from None


class _Malformed(Exception):
    pass


class _Scanner:
    """Reads a document up to its first error, in Jackson's order and with Jackson's count of columns."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        """The next byte."""
        self._line = 1
        self._line_start = 0
        self._open: list[tuple[int, str]] = []
        """Kind and place of each object or array that is not closed yet."""
        self._is_first = False
        """True while the innermost object or array has no entry yet."""

    def document(self) -> None:
        """Read the whole. Raises _Malformed."""
        self._value(self._next())
        while self._open:
            self._entry()
        if (after := self._next()) != _END:
            raise self._unexpected(after, "Expected space separating root-level values")

    # Bytes and places

    def _next(self) -> int:
        """The next byte that is no white space, consumed; _END at the end."""
        while self._at < len(self._data):
            byte = self._data[self._at]
            self._at += 1
            if byte not in _SPACE:
                return byte
            if byte == ord("\n"):
                self._line += 1
                self._line_start = self._at
        return _END

    def _place(self, back: int = 0) -> str:
        return f"[{_SOURCE}; line: {self._line}, column: {self._at - back - self._line_start + 1}]"

    def _error(self, message: str, back: int = 0) -> _Malformed:
        return _Malformed(f"{message}\n at {self._place(back)}")

    def _unexpected(self, byte: int, message: str) -> _Malformed:
        return self._error(f"Unexpected character ({_shown(byte)}): {message}", back=1)

    def _ended(self, message: str) -> _Malformed:
        return self._error(f"Unexpected end-of-input{message}")

    # Structure

    def _value(self, byte: int) -> None:
        """Read a value that begins with `byte`; of an object or an array, only its opening."""
        if byte == _END:
            raise self._no_value()
        if byte in _OPENINGS:
            self._open.append((byte, self._place(back=1)))
            self._is_first = True
        elif byte == ord('"'):
            self._string()
        elif byte in _DIGITS or byte == ord("-"):
            self._number(byte)
        elif byte in _WORDS:
            self._token(_WORDS[byte])
        elif byte in _IDENTIFIER:
            raise self._unrecognized(self._at - 1)
        else:
            raise self._unexpected(byte, f"expected a valid value {_VALUES}")

    def _no_value(self) -> _Malformed:
        if not self._open:
            return self._error("No content to map due to end-of-input")
        kind, place = self._open[-1]
        name = "Object" if kind == ord("{") else "Array"
        return self._ended(f": expected close marker for {name} (start marker at {place})")

    def _entry(self) -> None:
        """Read one entry of the innermost object or array, or its end."""
        kind, _ = self._open[-1]
        closing, name = (ord("}"), "Object") if kind == ord("{") else (ord("]"), "Array")
        is_first, self._is_first = self._is_first, False
        byte = self._next()
        if byte == closing:
            self._open.pop()
            return
        if byte == _END:
            raise self._no_value()
        if not is_first:
            if byte != ord(","):
                raise self._unexpected(byte, f"was expecting comma to separate {name} entries")
            byte = self._next()
        if kind == ord("{"):
            self._field(byte)
            byte = self._next()
        self._value(byte)

    def _field(self, byte: int) -> None:
        if byte == _END:
            raise self._no_value()
        if byte != ord('"'):
            raise self._unexpected(byte, "was expecting double-quote to start field name")
        self._string()
        colon = self._next()
        if colon == _END:
            raise self._no_value()
        if colon != ord(":"):
            raise self._unexpected(colon, "was expecting a colon to separate field name and value")

    # Scalars

    def _string(self) -> None:
        while self._at < len(self._data):
            byte = self._data[self._at]
            self._at += 1
            if byte == ord('"'):
                return
            if byte == ord("\\"):
                self._escape()
            elif byte < 0x20:
                raise self._error(
                    f"Illegal unquoted character ({_shown(byte)}): has to be escaped using backslash "
                    "to be included in string value",
                    back=1,
                )
            elif byte >= 0x80:
                self._character(byte)
        raise self._ended(": was expecting closing quote for a string value")

    def _escape(self) -> None:
        if self._at >= len(self._data):
            raise self._ended(" in character escape sequence")
        byte = self._data[self._at]
        self._at += 1
        if byte == ord("u"):
            for _ in range(4):
                if self._at >= len(self._data):
                    raise self._ended(" in character escape sequence")
                digit = self._data[self._at]
                self._at += 1
                if chr(digit) not in string.hexdigits:
                    raise self._unexpected(digit, "expected a hex-digit for character escape sequence")
        elif byte not in _ESCAPES:
            raise self._error(f"Unrecognized character escape {_shown(byte)}", back=1)

    def _character(self, first: int) -> None:
        """The rest of a character of several bytes."""
        more = 1 if first & 0xE0 == 0xC0 else 2 if first & 0xF0 == 0xE0 else 3 if first & 0xF8 == 0xF0 else 0
        if not more:
            raise self._error(f"Invalid UTF-8 start byte 0x{first:x}")
        for _ in range(more):
            if self._at >= len(self._data):
                raise self._ended("")
            byte = self._data[self._at]
            self._at += 1
            if byte & 0xC0 != 0x80:
                raise self._error(f"Invalid UTF-8 middle byte 0x{byte:x}")

    def _token(self, word: bytes) -> None:
        start = self._at - 1
        for expected in word[1:]:
            if self._at >= len(self._data) or self._data[self._at] != expected:
                raise self._unrecognized(start)
            self._at += 1
        if self._at < len(self._data) and self._data[self._at] in _IDENTIFIER:
            raise self._unrecognized(start)

    def _unrecognized(self, start: int) -> _Malformed:
        while self._at < len(self._data):
            byte = self._data[self._at]
            if byte >= 0x80:
                self._at += 1
                try:
                    self._character(byte)
                except _Malformed as error:
                    return error
            elif byte in _IDENTIFIER:
                self._at += 1
            else:
                break
        word = self._data[start : self._at].decode(errors="replace")
        return self._error(f"Unrecognized token '{word}': was expecting {_VALUES}")

    def _number(self, first: int) -> None:
        if first == ord("-"):
            first = self._digit("expected digit (0-9) to follow minus sign, for valid numeric value")
        if first == ord("0") and self._peek() in _DIGITS:
            self._at += 1
            raise self._error("Invalid numeric value: Leading zeroes not allowed", back=1)
        self._digits()
        if self._peek() == ord("."):
            self._at += 1
            self._digit("Decimal point not followed by a digit")
            self._digits()
        if self._peek() in _EXPONENT:
            self._at += 1
            if self._peek() in _SIGNS:
                self._at += 1
            self._digit("Exponent indicator not followed by a digit")
            self._digits()
        if not self._open and (after := self._peek()) != _END and after not in _SPACE:
            self._at += 1
            raise self._unexpected(after, "Expected space separating root-level values")

    def _peek(self) -> int:
        return self._data[self._at] if self._at < len(self._data) else _END

    def _digits(self) -> None:
        while self._peek() in _DIGITS:
            self._at += 1

    def _digit(self, message: str) -> int:
        byte = self._peek()
        if byte == _END:
            raise self._ended("")
        self._at += 1
        if byte not in _DIGITS:
            raise self._unexpected(byte, message)
        return byte


def _shown(byte: int) -> str:
    if byte < 0x20 or 0x7F <= byte <= 0x9F:
        return f"(CTRL-CHAR, code {byte})"
    return f"'{chr(byte)}' (code {byte})"
