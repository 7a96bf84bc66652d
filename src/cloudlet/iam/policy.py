"""Policy documents, parsed once into what the evaluator walks.

Parsing is generous where the grammar allows two spellings (a string or a list, one statement or many) and strict about
the rest; what may be put into IAM at all is `cloudlet.iam.policy_grammar`'s matter.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import orjson

from cloudlet.errors import CloudletError

Effect = Literal["Allow", "Deny"]


class PolicyError(CloudletError):
    """A policy document that has not the form of one; the message is for developers, never for clients."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One key of a condition block, under its operator."""

    operator: str
    """Without its set prefix and its IfExists suffix: `StringEquals`."""
    key: str
    """In lower case: keys are compared without regard to it."""
    values: tuple[str, ...]
    over: Literal["", "ForAllValues", "ForAnyValue"] = ""
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. Of each pair (`actions` and `not_actions` and so on) at most one is not None."""

    effect: Effect
    sid: str = ""
    principals: tuple[tuple[str, str], ...] | None = None
    """(type, value): ("AWS", "arn:..."), ("Service", "lambda.amazonaws.com"); anybody is ("*", "*")."""
    not_principals: tuple[tuple[str, str], ...] | None = None
    actions: tuple[str, ...] | None = None
    not_actions: tuple[str, ...] | None = None
    resources: tuple[str, ...] | None = None
    not_resources: tuple[str, ...] | None = None
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A policy document."""

    statements: tuple[Statement, ...]
    version: str = "2008-10-17"


@lru_cache(maxsize=1024)
def parse(text: str) -> Document:
    """The document in `text`, parsed once as long as it is in use. Raises PolicyError."""
    try:
        value = orjson.loads(text)
    except ValueError as error:
        raise PolicyError("no JSON") from error
    if not isinstance(value, dict):
        raise PolicyError("no object")
    statements = value.get("Statement")
    version = value.get("Version", "2008-10-17")
    return Document(tuple(_statement(statement) for statement in _list(statements)), str(version))


def _statement(value: Any) -> Statement:
    if not isinstance(value, dict) or value.get("Effect") not in ("Allow", "Deny"):
        raise PolicyError("a statement without an effect")
    return Statement(
        value["Effect"],
        str(value.get("Sid", "")),
        _principals(value.get("Principal")),
        _principals(value.get("NotPrincipal")),
        _strings(value.get("Action")),
        _strings(value.get("NotAction")),
        _strings(value.get("Resource")),
        _strings(value.get("NotResource")),
        tuple(_conditions(value.get("Condition", {}))),
    )


def _principals(value: Any) -> tuple[tuple[str, str], ...] | None:
    if value is None:
        return None
    if value == "*":
        return (("*", "*"),)
    if not isinstance(value, dict):
        raise PolicyError("principals are no object")
    return tuple((kind, name) for kind, names in value.items() for name in _strings(names) or ())


def _conditions(block: Any) -> list[Condition]:
    if not isinstance(block, dict):
        raise PolicyError("conditions are no object")
    conditions = []
    for full_operator, keys in block.items():
        prefix, _, operator = full_operator.rpartition(":")
        if not isinstance(keys, dict) or (keys and prefix not in ("", "ForAllValues", "ForAnyValue")):
            raise PolicyError(f"no condition: {full_operator}")
        if_exists = operator.endswith("IfExists")
        operator = operator.removesuffix("IfExists")
        for key, values in keys.items():
            texts = tuple(_text(value) for value in _list(values))
            conditions.append(Condition(operator, key.lower(), texts, prefix, if_exists))
    return conditions


def _strings(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    values = _list(value)
    if not all(isinstance(item, str) for item in values):
        raise PolicyError("no string")
    return tuple(values)


def _text(value: Any) -> str:
    """A condition's value as a string: JSON's numbers and booleans are allowed there."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return orjson.dumps(value).decode()
    raise PolicyError("a value that is no string, number or boolean")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
