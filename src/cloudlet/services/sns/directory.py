"""The topics that this node knows, with their subscriptions, so that a message need not read them from the store."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cloudlet.services.row_cache import RowCache
from cloudlet.services.sns import subscription_tables, topic_tables
from cloudlet.services.sns.names import TopicKey
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic import Topic
from cloudlet.store.base import Reader, Store, Transaction

CHANNEL: Final = "sns-topics"
"""Carries `account/region/name` of a topic that has changed, or whose subscriptions have."""
MAX_KEPT: Final = 40_000
"""Subscriptions of all topics that are kept, each topic counted as TOPIC of them."""
TOPIC: Final = 20
MAX_KEPT_SUBSCRIPTIONS: Final = 10_000
"""Topics with more are read anew for each message."""
_AT_ONCE = 1_000


def changed(tx: Transaction, key: TopicKey) -> None:
    """Tell every node that what it knows of a topic is old."""
    tx.notify(CHANNEL, "/".join(key))


@dataclass(frozen=True, slots=True)
class Known:
    """A topic with its confirmed subscriptions."""

    topic: Topic
    subscriptions: Sequence[Subscription]


class Directory(RowCache[TopicKey, Known]):
    """Finds topics."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, CHANNEL, MAX_KEPT, _read, lambda text: TopicKey(*text.split("/", 2)), _is_kept, _size)


def _is_kept(known: Known) -> bool:
    return len(known.subscriptions) <= MAX_KEPT_SUBSCRIPTIONS


def _size(known: Known) -> int:
    return TOPIC + len(known.subscriptions)


def _read(reader: Reader, key: TopicKey) -> Known | None:
    topic = topic_tables.find(reader, key)
    if topic is None:
        return None
    found: list[Subscription] = []
    after = ""
    while page := subscription_tables.of_topic(reader, key, after, _AT_ONCE):
        found += (each for each in page if each.is_confirmed)
        after = page[-1].key.id
    return Known(topic, found)
