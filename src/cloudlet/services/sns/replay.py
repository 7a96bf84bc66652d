"""Replay: a subscriber gets archived messages of a FIFO topic again, at the place in its lines where they belong.

A page of the archive at a time is put into the subscriber's lines, in the transaction that also notes how far the
replay has come. A replay that is begun anew, or stopped, is known by its policy.

https://docs.aws.amazon.com/sns/latest/dg/message-archiving-and-replay-subscriber.html
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import orjson

from cloudlet.clock import now_ms
from cloudlet.delivery.delivery import Delivery, Done, Keep, Outcome
from cloudlet.delivery.engine import Engine
from cloudlet.services.base import Platform
from cloudlet.services.sns import archive, replay_policy, subscription_tables, topic_tables
from cloudlet.services.sns.choosing import Chooser
from cloudlet.services.sns.deliveries import FANOUT_ATTEMPTS, MAX_AGE_S
from cloudlet.services.sns.directory import changed
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.names import SubscriptionKey, subscription_key
from cloudlet.services.sns.ordering import Ordering
from cloudlet.services.sns.subscription import Subscription
from cloudlet.store.base import Reader, Transaction

KIND: Final = "sns-replay"
AT_ONCE: Final = 100
PENDING: Final = "Pending"
IN_PROGRESS: Final = "In progress"
COMPLETED: Final = "Completed"


class Replay:
    """Begins replays, and is the handler of their steps."""

    def __init__(self, platform: Platform, engine: Engine, ordering: Ordering, chooser: Chooser) -> None:
        self._chooser = chooser
        self._platform = platform
        self._engine = engine
        self._ordering = ordering
        engine.register(KIND, self, concurrency=16, target_concurrency=1)

    def begin(self, tx: Transaction, subscription: Subscription) -> None:
        """Replay by the subscription's policy, from its starting point on."""
        self._go_on(tx, subscription.key, subscription.attributes["ReplayPolicy"], 0, now_ms(self._platform.clock))

    async def deliver(self, delivery: Delivery) -> Outcome:
        """One page."""
        arn, policy, after, begun_ms = orjson.loads(delivery.payload)
        key = subscription_key(arn)
        found = await self._platform.store.read(partial(_page, key=key, policy=policy, after=after, begun_ms=begun_ms))
        if found is None:
            return Done()
        subscription, messages = found
        wanted = {each.sequence for each in messages if (await self._chooser.chosen([subscription], each))[0]}
        return Done(partial(self._put, key, policy, begun_ms, messages, wanted))

    async def dead(self, delivery: Delivery) -> Outcome:  # noqa: ARG002 - what every handler is given
        """For people to look at."""
        return Keep()

    def _put(
        self,
        key: SubscriptionKey,
        policy: str,
        begun_ms: int,
        messages: Sequence[Message],
        wanted: Collection[int],
        tx: Transaction,
    ) -> None:
        subscription = subscription_tables.find(tx, key)
        if subscription is None or subscription.attributes.get("ReplayPolicy") != policy:
            return
        for message in messages:
            if message.sequence in wanted:
                self._ordering.publish(tx, [subscription], replace(message, replayed=True))
        is_over = len(messages) < AT_ONCE
        if not is_over:
            self._go_on(tx, key, policy, messages[-1].sequence, begun_ms)
        status = COMPLETED if is_over else IN_PROGRESS
        if subscription.attributes.get("ReplayStatus") != status:
            attributes = {**subscription.attributes, "ReplayStatus": status}
            subscription_tables.put(tx, replace(subscription, attributes=attributes))
            changed(tx, key.topic)

    def _go_on(self, tx: Transaction, key: SubscriptionKey, policy: str, after: int, begun_ms: int) -> None:
        self._engine.enqueue(
            tx,
            KIND,
            key.topic.account,
            key.topic.region,
            orjson.dumps([key.arn, policy, after, begun_ms]),
            target=key.arn,
            max_attempts=FANOUT_ATTEMPTS,
            max_age_s=MAX_AGE_S,
        )


def _page(
    reader: Reader, key: SubscriptionKey, policy: str, after: int, begun_ms: int
) -> tuple[Subscription, list[Message]] | None:
    """The subscription and its next messages; None when the replay is not wanted any more.

    What is published later comes by itself.
    """
    subscription, topic = subscription_tables.find(reader, key), topic_tables.find(reader, key.topic)
    if subscription is None or topic is None or subscription.attributes.get("ReplayPolicy") != policy:
        return None
    span = replay_policy.check(policy, "ReplayPolicy")
    until_ms = begun_ms if span.until_ms is None else min(span.until_ms, begun_ms)
    from_ms = max(span.from_ms, begun_ms - topic.archive_days * archive.DAY_MS)
    return subscription, archive.page(reader, key.topic, after, from_ms, until_ms, AT_ONCE)
