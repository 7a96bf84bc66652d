"""Tags of IAM's entities. https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html"""

from collections.abc import Iterable, Mapping
from typing import Any

from cloudlet.iam import entity_table
from cloudlet.services.iam.errors import InvalidInput, LimitExceeded
from cloudlet.services.iam.limits import TAGS_PER_ENTITY
from cloudlet.store.base import Transaction


def read_tags(kind: str, tags: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The names and values of a request's tags for an entity of this kind. Raises InvalidInput."""
    pairs = [(tag["Key"], tag["Value"]) for tag in tags]
    if len({entity_table.tag_key(kind, name) for name, _ in pairs}) != len(pairs):
        caseless = entity_table.tag_key(kind, "A") == "a"
        hint = " Please note that Tag keys are case insensitive." if caseless else ""
        raise InvalidInput(f"Duplicate tag keys found.{hint}")
    if reserved := [name for name, _ in pairs if name.lower().startswith("aws:")]:
        raise InvalidInput(f"Tag keys that start with aws: are reserved: {', '.join(reserved)}")
    return pairs


def put(tx: Transaction, account: str, kind: str, key: str, tags: list[tuple[str, str]]) -> None:
    """Tag an entity. Raises LimitExceeded when it has more tags then than it may have."""
    entity_table.put_tags(tx, account, kind, key, tags)
    if len(entity_table.tags(tx, account, kind, key, limit=TAGS_PER_ENTITY + 1)) > TAGS_PER_ENTITY:
        raise LimitExceeded("The number of tags has reached the maximum limit.")
