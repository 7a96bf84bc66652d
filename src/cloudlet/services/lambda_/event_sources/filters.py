"""Which messages a function gets: those that one of its mapping's filters matches. The others are taken away.

A message's body is matched as what it holds where that is JSON, and as a text where not. A pattern that wants fields of
the body is for bodies that are JSON, one that wants the body itself for those that are not.
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs-filtering.html
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from cloudlet.patterns import InvalidPattern, Pattern
from cloudlet.services.lambda_.errors import InvalidParameterValue

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


def matcher(criteria: Mapping[str, Any] | None) -> Callable[[Mapping[str, Any]], bool]:
    """True for the records that the function wants."""
    patterns = [Pattern.parse(each["Pattern"]) for each in (criteria or {}).get("Filters") or ()]
    if not patterns:
        return lambda _record: True

    def matches(record: Mapping[str, Any]) -> bool:
        event = {**record, "body": _content(record["body"])}
        return any(pattern.matches(event) for pattern in patterns)

    return matches


def _content(body: str) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body
