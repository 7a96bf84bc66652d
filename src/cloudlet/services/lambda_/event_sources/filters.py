"""Which messages a function gets: those that one of its mapping's filters matches. The others are taken away.

A message's body is matched as what it holds where that is JSON, and as a text where not. A pattern that wants fields of
the body is for bodies that are JSON, one that wants the body itself for those that are not.
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs-filtering.html
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import orjson

from cloudlet.patterns import InvalidPattern, Pattern
from cloudlet.services.lambda_.errors import InvalidParameterValue

MUCH: Final = 50_000
"""Tests of values that take some milliseconds."""
RecordT = TypeVar("RecordT", bound=Mapping[str, Any])
MAX_FILTERS = 10
"""https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html"""


def check(criteria: Mapping[str, Any]) -> None:
    """Raises InvalidParameterValue for filters that nothing can be matched with."""
    filters = criteria.get("Filters") or ()
    if len(filters) > MAX_FILTERS:
        raise InvalidParameterValue(f"An event source mapping has at most {MAX_FILTERS} filters.")
    for each in filters:
        try:
            Pattern.parse(each.get("Pattern") or "")
        except InvalidPattern as error:
            raise InvalidParameterValue("Invalid filter pattern definition.") from error


class Matcher:
    """Asks the filters of a mapping; without any, it takes every record."""

    def __init__(self, criteria: Mapping[str, Any] | None) -> None:
        self._patterns = [Pattern.parse(each["Pattern"]) for each in (criteria or {}).get("Filters") or ()]
        self._cost = sum(pattern.cost for pattern in self._patterns)

    def __call__(self, record: Mapping[str, Any]) -> bool:
        """True for a record that the function wants."""
        if not self._patterns:
            return True
        event = {**record, "body": _content(record["body"])}
        return any(pattern.matches(event) for pattern in self._patterns)

    async def chosen(self, records: Sequence[RecordT]) -> list[RecordT]:
        """The records that the function wants. Filters and records that were made for each other are much work, which
        must not hold up the node: that is done in a thread."""
        if self._cost * sum(record["body"].count(",") + 1 for record in records) <= MUCH:
            return [each for each in records if self(each)]
        return await asyncio.to_thread(lambda: [each for each in records if self(each)])


def _content(body: str) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body
