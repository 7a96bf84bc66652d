"""Pages of lists: `Marker`, `MaxItems`, `NextMarker`."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import orjson

from cloudlet.services.lambda_.errors import InvalidParameterValue
from cloudlet.services.lambda_.limits import PAGE_ITEMS
from cloudlet.store.base import Row


def page_items(params: dict[str, Any]) -> int:
    """How many items the caller gets at most."""
    return min(params.get("MaxItems") or PAGE_ITEMS, PAGE_ITEMS)


def read_marker(params: dict[str, Any], start: Sequence[Any]) -> list[Any]:
    """The key after which the page begins: that of the marker, or `start`. Raises InvalidParameterValue."""
    marker = params.get("Marker")
    if not marker:
        return list(start)
    try:
        key = orjson.loads(base64.urlsafe_b64decode(marker))
    except (binascii.Error, ValueError):
        key = None
    if not isinstance(key, list) or [type(part) for part in key] != [type(part) for part in start]:
        raise InvalidParameterValue("Invalid Marker")
    return key


def next_marker(rows: Sequence[Row], items: int, *columns: int) -> str | None:
    """The marker after the first `items` of `rows`, which holds one row more when there is another page."""
    if len(rows) <= items:
        return None
    last = rows[items - 1]
    return write_marker([last[column] for column in columns])


def write_marker(key: Sequence[Any]) -> str:
    """The marker of a page that begins after `key`."""
    return base64.urlsafe_b64encode(orjson.dumps(list(key))).decode()
