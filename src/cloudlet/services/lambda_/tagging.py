"""Tags of functions.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import orjson

from cloudlet.services.lambda_ import limits, tables
from cloudlet.services.lambda_.errors import InvalidParameterValue
from cloudlet.services.lambda_.names import FunctionRef
from cloudlet.services.lambda_.version import find
from cloudlet.store.base import Reader, Transaction


def check(tags: Mapping[str, str]) -> None:
    """Raises InvalidParameterValue for tags that a function cannot have."""
    if len(tags) > limits.TAGS:
        raise InvalidParameterValue("Number of tags exceeds resource tag limit.")
    if any(key.lower().startswith("aws:") for key in tags):
        raise InvalidParameterValue("Tag keys starting with 'aws:' are reserved for system use.")


def read(reader: Reader, ref: FunctionRef) -> dict[str, str]:
    """Raises ResourceNotFound."""
    row = tables.function(reader, ref)
    if row is None:
        raise ref.not_found()
    tags: dict[str, str] = orjson.loads(row[1])
    return tags


def change(tx: Transaction, ref: FunctionRef, add: Mapping[str, str], remove: Iterable[str], revision_id: str) -> None:
    """Add and remove tags; the function has another revision then. Raises ResourceNotFound, InvalidParameterValue."""
    tags = {**read(tx, ref), **add}
    for key in remove:
        tags.pop(key, None)
    check(tags)
    tables.set_tags(tx, ref, orjson.dumps(tags).decode())
    replace(find(tx, ref), revision_id=revision_id).put(tx)
