"""Filter patterns: which log events a filter lets through, and what it reads from them.

A pattern in braces is for JSON, one in brackets for columns, and any other for text. What no documentation says was
measured on the service: numbers are compared as numbers but with a value in quotation marks as they are written, a
condition on a missing value or on `null` is false whatever the operator, the last column of a pattern without `...`
takes the rest of the line.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

from collections.abc import Callable, Mapping
from functools import lru_cache

from cloudlet.services.logs.filter_pattern.errors import PatternError
from cloudlet.services.logs.filter_pattern.fields import Fields
from cloudlet.services.logs.filter_pattern.selectors import compile_selectors
from cloudlet.services.logs.filter_pattern.terms import compile_terms

__all__ = ["Pattern", "PatternError", "compile_pattern"]

CACHED_PATTERNS = 256


class Pattern:
    """A compiled pattern."""

    def __init__(self, test: Callable[[str], bool], fields: Fields | None = None) -> None:
        self.matches = test
        """`matches(message)`: true when the message passes."""
        self._fields = fields

    def extract(self, message: str) -> Mapping[str, str] | None:
        """What the pattern reads from a message: its columns; None when the message does not match."""
        if self._fields is not None:
            return self._fields.extract(message)
        return {} if self.matches(message) else None


@lru_cache(CACHED_PATTERNS)
def compile_pattern(pattern: str) -> Pattern:
    """The compiled form of `pattern`; a blank one lets everything through. Raises PatternError."""
    text = pattern.strip()
    if not text:
        return Pattern(lambda _: True)
    for opening, closing in ("{}", "[]"):
        if text[0] == opening and (len(text) < 2 or text[-1] != closing):
            raise PatternError(f"If a filter pattern starts with '{opening}' it must end with '{closing}'")
    if text[0] == "{":
        return Pattern(compile_selectors(text[1:-1]))
    if text[0] == "[":
        fields = Fields(text[1:-1])
        return Pattern(lambda message: fields.extract(message) is not None, fields)
    return Pattern(compile_terms(text))
