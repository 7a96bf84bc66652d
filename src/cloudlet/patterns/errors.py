"""What is wrong with a pattern, and where.

AWS reads patterns with Jackson, whose messages end with the place; clients see them, so ours have the same form.
"""

from cloudlet.errors import CloudletError

MAX_QUOTED_CHARACTERS = 500
"""So much of a text is quoted in a message."""


class InvalidPattern(CloudletError):
    """The text is JSON, but no pattern. Its message ends with the place, where there is one to tell."""


class InvalidJson(InvalidPattern):
    """The text is not JSON. `line` and `column` count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


def place_of(text: str, end: int) -> tuple[int, int]:
    """The line and the column, from 1, of the character at `end`."""
    before = text[:end]
    return before.count("\n") + 1, end - (before.rfind("\n") + 1) + 1


def error_at(message: str, text: str, end: int) -> InvalidPattern:
    """The error that is found when `text` has been read up to `end`."""
    line, column = place_of(text, end)
    quoted = f'"{text[:MAX_QUOTED_CHARACTERS]}"'
    if len(text) > MAX_QUOTED_CHARACTERS:
        quoted += f"[truncated {len(text) - MAX_QUOTED_CHARACTERS} chars]"
    return InvalidPattern(f"{message}\n at [Source: (String){quoted}; line: {line}, column: {column}]")
