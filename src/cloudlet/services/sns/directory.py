"""The topics that this node knows, with their subscriptions, so that a message need not read them from the store.

What is kept is dropped as soon as any node changes it: the store tells, this node before the change is answered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cloudlet.services.sns import subscription_tables, topic_tables
from cloudlet.services.sns.names import TopicKey
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic import Topic
from cloudlet.store.base import Reader, Store, Transaction

CHANNEL: Final = "sns-topics"
"""Carries `account/region/name` of a topic that has changed, or whose subscriptions have."""
MAX_KNOWN: Final = 2_000
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


class Directory:
    """Finds topics."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[TopicKey, Known] = {}
        self._changes = 0
        self._end = store.listen(CHANNEL, self._changed)

    def close(self) -> None:
        """Listen no more."""
        self._end()

    def forget(self) -> None:
        """The store has been emptied, or changes were missed."""
        self._changes += 1
        self._known.clear()

    async def find(self, key: TopicKey) -> Known | None:
        """The topic, or None."""
        known = self._known.get(key)
        if known is not None:
            return known
        changes = self._changes
        known = await self._store.read(lambda reader: _read(reader, key))
        if known is not None and changes == self._changes and len(known.subscriptions) <= MAX_KEPT_SUBSCRIPTIONS:
            if len(self._known) >= MAX_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[key] = known
        return known

    def _changed(self, payload: str) -> None:
        if not payload:
            self.forget()
            return
        self._changes += 1
        self._known.pop(TopicKey(*payload.split("/", 2)), None)


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
