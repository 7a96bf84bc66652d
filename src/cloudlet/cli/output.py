"""What a person sees: results on the standard output, everything else on the standard error output.

Colour only on a terminal, and never with NO_COLOR (https://no-color.org).
"""

import os
import sys
from collections.abc import Sequence


class CommandError(Exception):
    """A command cannot do its work; the text says why and `hint` what to do about it."""

    def __init__(self, message: str, hint: str = "", exit_code: int = 1) -> None:
        super().__init__(message)
        self.hint = hint
        self.exit_code = exit_code


def styled(text: str, code: str, *, error_output: bool = False) -> str:
    """`text` in the ANSI style `code` (`31` red, `1` bold ...) where the output shows colours."""
    stream = sys.stderr if error_output else sys.stdout
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty():
        return text
    return f"\x1b[{code}m{text}\x1b[0m"


def say(text: str) -> None:
    """A remark for the person: progress, what to do next."""
    print(text, file=sys.stderr, flush=True)


def complain(message: str, hint: str = "") -> None:
    """An error, and what to do about it."""
    say(f"{styled('Error:', '1;31', error_output=True)} {message}")
    if hint:
        say(hint)


def plain(error: OSError) -> str:
    """An error of the operating system, as a sentence."""
    if error.strerror is None:
        return str(error)
    return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns: a rich table on a terminal, plain columns elsewhere."""
    if sys.stdout.isatty():
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        pretty = Table(*headings, box=box.SIMPLE_HEAD, pad_edge=False)
        for row in rows:
            pretty.add_row(*(Text(cell) for cell in row))
        Console().print(pretty)
        return
    widths = [max(len(row[column]) for row in [headings, *rows]) for column in range(len(headings))]
    for row in [headings, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
