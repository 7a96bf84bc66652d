"""Tags of event source mappings."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import orjson

from cloudlet.services.lambda_ import tagging
from cloudlet.services.lambda_.event_sources import mapping as mappings
from cloudlet.services.lambda_.names import EventSourceKey
from cloudlet.store.base import Reader, Transaction


def read(reader: Reader, key: EventSourceKey) -> dict[str, str]:
    """Raises ResourceNotFound."""
    tags: dict[str, str] = orjson.loads(mappings.get(reader, key).tags)
    return tags


def change(tx: Transaction, key: EventSourceKey, add: Mapping[str, str], remove: Iterable[str]) -> None:
    """Add and remove tags. Raises ResourceNotFound, InvalidParameterValue."""
    tags = {**read(tx, key), **add}
    for name in remove:
        tags.pop(name, None)
    tagging.check(tags)
    mappings.put(tx, replace(mappings.get(tx, key), tags=orjson.dumps(tags).decode()))
