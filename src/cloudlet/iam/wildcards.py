"""`*` and `?` of the policy language, compiled once for each pattern."""

import re
from collections.abc import Callable
from functools import lru_cache

LITERAL_STAR = "\ue000"
LITERAL_QUESTION_MARK = "\ue001"
"""What a pattern has in place of `${*}` and `${?}`: the characters themselves, not wildcards."""
_LITERALS = str.maketrans({LITERAL_STAR: "*", LITERAL_QUESTION_MARK: "?"})


def plain(text: str) -> str:
    """A pattern's text, where it is compared as it is."""
    return text.translate(_LITERALS)


@lru_cache(maxsize=8192)
def glob(pattern: str) -> Callable[[str], bool]:
    """A function that tells whether a text matches `pattern`; `*` stands for any text, `?` for one character."""
    if pattern == "*":
        return lambda _text: True
    if "*" not in pattern and "?" not in pattern:
        return plain(pattern).__eq__
    if "?" not in pattern and pattern.find("*") == len(pattern) - 1:
        prefix = plain(pattern[:-1])
        return lambda text: text.startswith(prefix)
    return _segments(pattern)


def _segments(pattern: str) -> Callable[[str], bool]:
    """Leftmost matching of the parts between stars: linear in the text for each part, whatever the pattern."""
    parts = re.split(r"\*+", pattern)
    first, *rest = [re.compile(_expression(part), re.DOTALL) for part in parts]
    if not rest:
        return lambda text: first.fullmatch(text) is not None
    *middle, last = rest
    last_length = len(parts[-1])

    def match(text: str) -> bool:
        found = first.match(text)
        if found is None:
            return False
        position = found.end()
        for part in middle:
            found = part.search(text, position)
            if found is None:
                return False
            position = found.end()
        start = len(text) - last_length
        return start >= position and last.fullmatch(text, start) is not None

    return match


def _expression(part: str) -> str:
    return "".join("." if character == "?" else re.escape(plain(character)) for character in part)
