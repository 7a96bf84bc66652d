"""From an expression's text to its tokens."""

import re
from typing import NamedTuple

from cloudlet.services.cloudwatch.math.errors import MathError

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'|(?P<sign>==|!=|<=|>=|&&|\|\||[-+*/^()\[\],<>]))"
)
_SPELLINGS = {"&&": "AND", "||": "OR"}


class Token(NamedTuple):
    """One token."""

    kind: str
    """`number`, `name`, `text`, `sign` or `end`."""
    text: str


def tokens(expression: str) -> list[Token]:
    """The tokens, the last of which is the end. Raises MathError."""
    found = []
    position, length = 0, len(expression.rstrip())
    while position < length:
        match = _TOKEN.match(expression, position)
        if match is None:
            raise MathError(f"Unexpected character '{expression[position:].lstrip()[:1]}'")
        kind = str(match.lastgroup)
        text = match[kind]
        if kind in ("double", "single"):
            kind = "text"
        elif text in ("AND", "OR", *_SPELLINGS):
            kind, text = "sign", _SPELLINGS.get(text, text)
        found.append(Token(kind, text))
        position = match.end()
    return [*found, Token("end", "")]
