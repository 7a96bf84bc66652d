"""A policy document as text: where its statements stand in it, and the condition keys that they name.

Positions are those of IAM's simulator: where its reader of JSON stood before it took the statement, and after it. So a
statement starts after the `[`, or after the statement before it; a lone one, without a list, after its own `{`.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_Statement.html
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cloudlet.iam.policy import PolicyError

_SPACE = re.compile(r"[ \t\r\n]*")
_VARIABLE = re.compile(r"\$\{([^}]+)\}")
_WITH_VARIABLES = "2012-10-17"
_decode = json.JSONDecoder().raw_decode


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a text, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class StatementText:
    """One statement of a document."""

    start: Position
    end: Position
    resource_keys: tuple[str, ...]
    """The keys that its resources name as policy variables, as they are written."""
    condition_keys: tuple[str, ...]
    """The keys of its conditions, and the variables in their values."""


@lru_cache(maxsize=1024)
def statement_texts(document: str) -> tuple[StatementText, ...]:
    """The statements of a document, in their order. Raises PolicyError."""
    try:
        return tuple(_statement_texts(document))
    except (ValueError, IndexError, RecursionError) as error:
        raise PolicyError("no JSON") from error


def context_keys(documents: Iterable[str]) -> list[str]:
    """All condition keys that these documents name, each once, spelled as where it comes first. Raises PolicyError."""
    found: dict[str, str] = {}
    for document in documents:
        for statement in statement_texts(document):
            for key in (*statement.resource_keys, *statement.condition_keys):
                found.setdefault(key.lower(), key)
    return list(found.values())


def _statement_texts(document: str) -> Iterator[StatementText]:
    has_variables = _has_variables(document)
    for start, end, value in _spans(document):
        yield StatementText(
            _position(document, start),
            _position(document, end),
            tuple(_unique(_resource_keys(value))) if has_variables else (),
            tuple(_unique(_condition_keys(value, has_variables))),
        )


def _has_variables(document: str) -> bool:
    value = json.loads(document)
    return isinstance(value, dict) and value.get("Version") == _WITH_VARIABLES


def _spans(document: str) -> Iterator[tuple[int, int, Any]]:
    """Where each statement starts and ends, and its value."""
    at = _statement_value(document)
    if document[at] != "[":
        value, end = _decode(document, at)
        yield at + 1, end, value
        return
    start = at + 1
    at = _skip(document, start)
    while document[at] != "]":
        value, end = _decode(document, at)
        yield start, end, value
        start, at = end, _skip(document, end)
        if document[at] == ",":
            at = _skip(document, at + 1)


def _statement_value(document: str) -> int:
    """Where the value of the document's Statement begins; the last one, as parsers of JSON take it."""
    at = _skip(document, _skip(document, 0) + 1)
    found = -1
    while document[at] == '"':
        name, at = _decode(document, at)
        at = _skip(document, _skip(document, at) + 1)
        if name == "Statement":
            found = at
        _, at = _decode(document, at)
        at = _skip(document, at)
        if document[at] == ",":
            at = _skip(document, at + 1)
    if found < 0:
        raise PolicyError("no statement")
    return found


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _position(text: str, at: int) -> Position:
    return Position(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))


def _resource_keys(statement: Any) -> Iterator[str]:
    if isinstance(statement, dict):
        for element in ("Resource", "NotResource"):
            yield from _variables(statement.get(element))


def _condition_keys(statement: Any, has_variables: bool) -> Iterator[str]:
    block = statement.get("Condition") if isinstance(statement, dict) else None
    for keys in block.values() if isinstance(block, dict) else ():
        for key, values in keys.items() if isinstance(keys, dict) else ():
            yield key
            if has_variables:
                yield from _variables(values)


def _variables(value: Any) -> Iterator[str]:
    for text in value if isinstance(value, list) else [value]:
        for inner in _VARIABLE.findall(text) if isinstance(text, str) else ():
            if inner not in ("*", "?", "$"):
                yield inner.partition(",")[0].strip()


def _unique(keys: Iterable[str]) -> list[str]:
    return list({key.lower(): key for key in keys}.values())
