r"""From a topic to its subscribers, in the delivery engine.

    Publish --> sns-fanout: the message, once --> queues and functions at once, all together
                                              \-> sns-delivery: for each endpoint beyond the platform, and each that
                                                  could not take it: tried again, then its dead-letter queue

What a message's fan-out leaves to do is written in the transaction that forgets it. A node that is killed in between
begins the fan-out again: at least once, as SNS promises for standard topics. FIFO topics have `ordering`.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import orjson

from cloudlet.delivery.delivery import Delivery, Done, Fail, Keep, Outcome, Retry
from cloudlet.delivery.engine import Engine
from cloudlet.services.sns.choosing import Chooser
from cloudlet.services.sns.directory import Directory, Known
from cloudlet.services.sns.envelope import Envelopes
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.names import subscription_key
from cloudlet.services.sns.retries import RetryPolicy, retry_policy
from cloudlet.services.sns.sending import NotNow, NotSent, Sending
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic import Topic
from cloudlet.services.sns.topic_metrics import DELIVERED, FAILED, NOT_REDRIVEN, REDRIVEN, TopicMetrics
from cloudlet.store.base import Transaction

logger = logging.getLogger(__name__)

FANOUT: Final = "sns-fanout"
DELIVERY: Final = "sns-delivery"
FANOUT_ATTEMPTS: Final = 1_000_000
"""A fan-out fails only by an error of this program or of the store: it is tried until it is too old."""
MAX_AGE_S: Final = 30 * 86_400.0
"""More than any retry policy takes."""
AT_ONCE: Final = 64
"""Queues and functions that one message goes to at the same time."""
_PLATFORM = ("sqs", "lambda")


class Deliveries:
    """The handler of both kinds of work."""

    def __init__(
        self, engine: Engine, directory: Directory, sending: Sending, chooser: Chooser, metrics: TopicMetrics
    ) -> None:
        self._chooser = chooser
        self._metrics = metrics
        self._engine = engine
        self._directory = directory
        self._sending = sending
        engine.register(FANOUT, Fanout(self), concurrency=64, target_concurrency=32)
        engine.register(DELIVERY, self, concurrency=128, target_concurrency=8)

    def publish(self, tx: Transaction, message: Message) -> None:
        """Accept a message of a standard topic."""
        self._engine.enqueue(
            tx,
            FANOUT,
            message.topic.account,
            message.topic.region,
            message.encode(),
            target=message.topic.arn,
            max_attempts=FANOUT_ATTEMPTS,
            max_age_s=MAX_AGE_S,
        )

    def enqueue(self, tx: Transaction, known: Known, subscription: Subscription, message: Message) -> None:
        """Have a message delivered to one subscriber."""
        policy = policy_of(known.topic, subscription)
        self._engine.enqueue(
            tx,
            DELIVERY,
            message.topic.account,
            message.topic.region,
            subscription.arn.encode() + b"\n" + message.encode(),
            target=subscription.arn,
            max_attempts=policy.retries + 1,
            max_age_s=MAX_AGE_S,
        )

    async def fan_out(self, message: Message) -> Outcome:
        """Give a message to all who want it, or have it delivered to them."""
        known = await self._directory.find(message.topic)
        if known is None or known.topic.id != message.topic_id:
            return Done()
        wanting, rejections = await self._chooser.chosen(known.subscriptions, message)
        self._metrics.filtered(message.topic, rejections)
        later = [each for each in wanting if each.protocol not in _PLATFORM]
        direct = [each for each in wanting if each.protocol in _PLATFORM]
        if direct:
            envelopes = await self._sending.envelopes(known.topic, message)
            later += await self._send_all(known.topic, direct, message, envelopes)
        return Done(partial(self._enqueue_all, known, later, message)) if later else Done()

    async def _send_all(
        self, topic: Topic, subscriptions: Sequence[Subscription], message: Message, envelopes: Envelopes
    ) -> list[Subscription]:
        """Send to all, many at a time; those that could not take it."""
        failed: list[Subscription] = []

        async def send(subscription: Subscription) -> None:
            try:
                await self._sending.send(topic, subscription, message, envelopes)
            except NotSent:
                failed.append(subscription)
            except Exception:  # of this one alone: else all others would get the message again
                logger.exception("message %s could not be sent to %s", message.id, subscription.arn)
                failed.append(subscription)

        for begin in range(0, len(subscriptions), AT_ONCE):
            async with asyncio.TaskGroup() as tasks:
                for each in subscriptions[begin : begin + AT_ONCE]:
                    tasks.create_task(send(each))
        self._metrics.add(topic.key, DELIVERED, len(subscriptions) - len(failed))
        return failed

    def _enqueue_all(
        self, known: Known, subscriptions: Sequence[Subscription], message: Message, tx: Transaction
    ) -> None:
        for subscription in subscriptions:
            self.enqueue(tx, known, subscription, message)

    # -- one subscriber

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Send it once."""
        subscription, known, message = await self._found(delivery)
        if subscription is None or known is None:
            return Done()
        try:
            envelopes = await self._sending.envelopes(known.topic, message)
            await self._sending.send(known.topic, subscription, message, envelopes)
        except NotNow as error:
            return Retry(error.after_s, counted=False)
        except NotSent as error:
            if subscription.protocol in ("http", "https"):
                self._metrics.add(message.topic, FAILED)
            return after(error, delivery, known.topic, subscription)
        self._metrics.add(message.topic, DELIVERED)
        return Done()

    async def dead(self, delivery: Delivery) -> Outcome:
        """Put it into the dead-letter queue; keep it for people where there is none."""
        subscription, known, message = await self._found(delivery)
        if subscription is None or known is None:
            return Done()
        if not delivery.deferrals:
            self.count_dead(subscription, message)
        if not subscription.dead_letter_arn:
            return Keep()
        envelopes = await self._sending.envelopes(known.topic, message)
        try:
            errors = error_attributes(subscription, delivery.detail, delivery.id)
            await self._sending.to_dead_letters(subscription, message, envelopes, errors)
        except NotSent as error:
            if not delivery.deferrals:
                self._metrics.add(message.topic, NOT_REDRIVEN)
            logger.warning("the dead-letter queue of %s takes nothing: %s", subscription.arn, error)
            return Retry(detail=detail_of(error))
        self._metrics.add(message.topic, REDRIVEN)
        return Done()

    def count_dead(self, subscription: Subscription, message: Message) -> None:
        """A message is given up. Of endpoints on the web every attempt that failed was counted already."""
        if subscription.protocol not in ("http", "https"):
            self._metrics.add(message.topic, FAILED)

    async def _found(self, delivery: Delivery) -> tuple[Subscription | None, Known | None, Message]:
        arn, _, encoded = delivery.payload.partition(b"\n")
        message = Message.decode(encoded)
        subscription, known = await self.find(arn.decode(), message)
        return subscription, known, message

    async def find(self, arn: str, message: Message) -> tuple[Subscription | None, Known | None]:
        """A subscription by its ARN, with its topic; None when either is gone."""
        key = subscription_key(arn)
        known = await self._directory.find(key.topic)
        if known is None or known.topic.id != message.topic_id:
            return None, None
        return next((each for each in known.subscriptions if each.key == key), None), known


class Fanout:
    """The handler of messages that are to be fanned out."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Once."""
        return await self._deliveries.fan_out(Message.decode(delivery.payload))

    async def dead(self, delivery: Delivery) -> Outcome:  # noqa: ARG002 - what every handler is given
        """For people to look at."""
        return Keep()


def policy_of(topic: Topic, subscription: Subscription) -> RetryPolicy:
    """How often a subscriber is tried, and when."""
    return retry_policy(subscription.protocol, topic.delivery_policy, subscription.delivery_policy)


def after(error: NotSent, delivery: Delivery, topic: Topic, subscription: Subscription) -> Fail | Retry:
    """What follows where a subscriber has not taken a message."""
    detail = detail_of(error)
    if error.is_permanent:
        return Fail(detail)
    return Retry(policy_of(topic, subscription).delay_s(delivery.attempt), detail=detail)


def detail_of(error: NotSent) -> bytes:
    """What an attempt leaves of its error, in the row."""
    return orjson.dumps({"code": error.code, "message": str(error)})


def error_attributes(subscription: Subscription, detail: bytes, request_id: str) -> Mapping[str, Any]:
    """What a dead letter says of the last attempt at an endpoint that gives codes."""
    if subscription.protocol == "sqs":
        return {}
    try:
        error = orjson.loads(detail)
        values = {"ErrorCode": error["code"], "ErrorMessage": error["message"], "RequestID": request_id}
    except (orjson.JSONDecodeError, LookupError, TypeError):
        values = {"ErrorMessage": detail.decode(errors="replace"), "RequestID": request_id}
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items() if value}
