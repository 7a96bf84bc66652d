"""FIFO topics: the messages of a group reach each subscriber one after the other, in the order of their numbers.

A subscriber has a line of messages for each group. Only the first of a line is at work in the delivery engine; the
transaction that ends it - taken, or given to the dead-letter queue - puts the next one to work. So nothing overtakes a
message that is being tried again, and lines do not wait for each other.

    publish(tx) --> line (subscription, group): 7 8 9
                                                |--> sns-fifo: 7 --done, also(tx)--> 8 ...
"""

import logging
from collections.abc import Iterable
from functools import partial
from typing import Any, Final

import orjson

from cloudlet.delivery.delivery import Delivery, Done, Outcome, Retry
from cloudlet.delivery.engine import Engine
from cloudlet.services.base import Platform
from cloudlet.services.sns.deliveries import MAX_AGE_S, Deliveries, after, detail_of, error_attributes
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.names import SubscriptionKey, TopicKey
from cloudlet.services.sns.retries import retry_policy
from cloudlet.services.sns.sending import NotSent, Sending
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic_metrics import DELIVERED, NOT_REDRIVEN, REDRIVEN, TopicMetrics
from cloudlet.store.base import Migration, Reader, Transaction

logger = logging.getLogger(__name__)

KIND: Final = "sns-fifo"
DEAD_LETTER_TRIES: Final = 8
"""After so many a message is lost to its dead-letter queue, and its line goes on."""
LINES = Migration(
    4,
    (
        """CREATE TABLE sns_lines (
            account TEXT NOT NULL, region TEXT NOT NULL, topic TEXT NOT NULL, subscription TEXT NOT NULL,
            grp TEXT NOT NULL, sequence BIGINT NOT NULL, message BLOB NOT NULL, protocol TEXT NOT NULL,
            PRIMARY KEY (account, region, topic, subscription, grp, sequence))""",
    ),
)
_LINE = "account = ? AND region = ? AND topic = ? AND subscription = ? AND grp = ?"


class Ordering:
    """Keeps the lines, and is the handler of what is first in each."""

    def __init__(
        self, platform: Platform, engine: Engine, deliveries: Deliveries, sending: Sending, metrics: TopicMetrics
    ) -> None:
        self._metrics = metrics
        self._store = platform.store
        self._engine = engine
        self._deliveries = deliveries
        self._sending = sending
        engine.register(KIND, self, concurrency=256, target_concurrency=1)

    def publish(self, tx: Transaction, subscriptions: Iterable[Subscription], message: Message) -> None:
        """Put a message at the end of each subscriber's line."""
        encoded = message.encode()
        for subscription in subscriptions:
            key = (*message.topic, subscription.key.id, message.group)
            tx.execute(
                "INSERT INTO sns_lines (account, region, topic, subscription, grp, sequence, message, protocol)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (account, region, topic, subscription, grp, sequence) DO NOTHING",
                (*key, message.sequence, encoded, subscription.protocol),
            )
            if not self._engine.has_work(tx, KIND, _target(subscription.key, message.group)):
                # The line was empty; or somebody has dropped by hand what was at work, or it is kept as dead.
                self._begin_first(tx, subscription.key, message.group)

    def _begin(self, tx: Transaction, key: SubscriptionKey, group: str, sequence: int, protocol: str) -> None:
        self._engine.enqueue(
            tx,
            KIND,
            key.topic.account,
            key.topic.region,
            orjson.dumps([*key.topic, key.id, group, sequence]),
            target=_target(key, group),
            max_attempts=retry_policy(protocol, {}, {}).retries + 1,
            max_age_s=MAX_AGE_S,
        )

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Send the first of a line."""
        key, group, sequence = _named(delivery)
        message = await self._store.read(partial(_message, key=key, group=group, sequence=sequence))
        if message is None:
            return Done()
        subscription, known = await self._deliveries.find(key.arn, message)
        if subscription is None or known is None:
            return Done(partial(remove_line, key=key, group=group))
        try:
            envelopes = await self._sending.envelopes(known.topic, message)
            await self._sending.send(known.topic, subscription, message, envelopes)
        except NotSent as error:
            return after(error, delivery, known.topic, subscription)
        self._metrics.add(key.topic, DELIVERED)
        return Done(partial(self._go_on, key, group, sequence))

    async def dead(self, delivery: Delivery) -> Outcome:
        """Put it into the dead-letter queue; the line goes on."""
        key, group, sequence = _named(delivery)
        message = await self._store.read(partial(_message, key=key, group=group, sequence=sequence))
        if message is None:
            return Done()
        subscription, known = await self._deliveries.find(key.arn, message)
        if subscription is not None and not delivery.deferrals:
            self._deliveries.count_dead(subscription, message)
        if subscription is not None and known is not None and subscription.dead_letter_arn:
            errors: Any = error_attributes(subscription, delivery.detail, delivery.id)
            envelopes = await self._sending.envelopes(known.topic, message)
            try:
                await self._sending.to_dead_letters(subscription, message, envelopes, errors)
                self._metrics.add(key.topic, REDRIVEN)
            except NotSent as error:
                if not delivery.deferrals:
                    self._metrics.add(key.topic, NOT_REDRIVEN)
                if not error.is_permanent and delivery.deferrals < DEAD_LETTER_TRIES:
                    return Retry(detail=detail_of(error))
                logger.warning("the dead-letter queue of %s takes nothing: %s", key.arn, error)
        elif subscription is not None:
            logger.warning("message %s could not be delivered to %s: %s", message.id, key.arn, delivery.detail.decode())
        return Done(partial(self._go_on, key, group, sequence))

    def _go_on(self, key: SubscriptionKey, group: str, sequence: int, tx: Transaction) -> None:
        line = (*key.topic, key.id, group)
        tx.execute(f"DELETE FROM sns_lines WHERE {_LINE} AND sequence = ?", (*line, sequence))
        self._begin_first(tx, key, group)

    def _begin_first(self, tx: Transaction, key: SubscriptionKey, group: str) -> None:
        """Put the first of a line to work, if there is one."""
        line = (*key.topic, key.id, group)
        row = tx.one(f"SELECT sequence, protocol FROM sns_lines WHERE {_LINE} ORDER BY sequence LIMIT 1", line)
        if row is not None:
            self._begin(tx, key, group, int(row[0]), row[1])


def _target(key: SubscriptionKey, group: str) -> str:
    return f"{key.arn}/{group}"


def remove_line(tx: Transaction, key: SubscriptionKey, group: str) -> None:
    """Forget what waits of a group."""
    tx.execute(f"DELETE FROM sns_lines WHERE {_LINE}", (*key.topic, key.id, group))


def remove_subscription(tx: Transaction, key: SubscriptionKey) -> None:
    """Forget what waits for a subscriber who is gone."""
    tx.execute(
        "DELETE FROM sns_lines WHERE account = ? AND region = ? AND topic = ? AND subscription = ?",
        (*key.topic, key.id),
    )


def remove_topic(tx: Transaction, topic: TopicKey) -> None:
    """Forget what waits for all subscribers of a topic."""
    tx.execute("DELETE FROM sns_lines WHERE account = ? AND region = ? AND topic = ?", topic)


def _named(delivery: Delivery) -> tuple[SubscriptionKey, str, int]:
    account, region, topic, subscription, group, sequence = orjson.loads(delivery.payload)
    return SubscriptionKey(TopicKey(account, region, topic), subscription), group, sequence


def _message(reader: Reader, key: SubscriptionKey, group: str, sequence: int) -> Message | None:
    row = reader.one(
        f"SELECT message FROM sns_lines WHERE {_LINE} AND sequence = ?", (*key.topic, key.id, group, sequence)
    )
    return Message.decode(bytes(row[0])) if row is not None else None
