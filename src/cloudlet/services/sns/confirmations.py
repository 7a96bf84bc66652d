"""Endpoints that are not ours have to say that they want a topic's messages.

A token is sent to the endpoint; who brings it back has read what was sent there. The same token, sent to an endpoint
whose subscription somebody without credentials has ended, brings the subscription back.

https://docs.aws.amazon.com/sns/latest/dg/SendMessageToHttp.confirm.html
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

import orjson

from cloudlet.clock import now_ms
from cloudlet.delivery.delivery import Delivery, Done, Keep, Outcome, Retry
from cloudlet.delivery.engine import Engine
from cloudlet.services.base import Platform
from cloudlet.services.sns import subscription_limits, subscription_tables, topic_tables
from cloudlet.services.sns.deliveries import MAX_AGE_S, after, policy_of
from cloudlet.services.sns.directory import Directory
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.names import SubscriptionKey, TopicKey, subscription_key
from cloudlet.services.sns.sending import NotNow, NotSent, Sending
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic import Topic
from cloudlet.store.base import Migration, Transaction

KIND: Final = "sns-confirmation"
EXPIRY: Final = "sns-expiry"
TOKEN_DIGITS: Final = 288
VALID_MS: Final = 2 * 86_400 * 1000
"""A token is good for two days."""
TOKENS = Migration(
    5,
    (
        """CREATE TABLE sns_tokens (
            account TEXT NOT NULL, region TEXT NOT NULL, topic TEXT NOT NULL, token TEXT NOT NULL,
            id TEXT NOT NULL, subscription TEXT NOT NULL, expires_ms BIGINT NOT NULL,
            PRIMARY KEY (account, region, topic, token))""",
        "CREATE INDEX sns_tokens_by_end ON sns_tokens (expires_ms)",
    ),
)
SUBSCRIBE: Final = "SubscriptionConfirmation"
UNSUBSCRIBE: Final = "UnsubscribeConfirmation"
_TEXTS: Final[Mapping[str, str]] = {
    SUBSCRIBE: "You have chosen to subscribe to the topic {topic}.\n"
    "To confirm the subscription, visit the SubscribeURL included in this message.",
    UNSUBSCRIBE: "You have chosen to deactivate subscription {subscription}.\n"
    "To cancel this operation and restore the subscription, visit the SubscribeURL included in this message.",
}
FORGOTTEN_AT_ONCE: Final = 100


class Confirmations:
    """Makes tokens, and is the handler of the messages that carry them."""

    def __init__(self, platform: Platform, engine: Engine, directory: Directory, sending: Sending) -> None:
        self._platform = platform
        self._engine = engine
        self._directory = directory
        self._sending = sending
        engine.register(KIND, self, concurrency=32, target_concurrency=4)
        engine.register(EXPIRY, Expiry(platform))

    def ask(self, tx: Transaction, topic: Topic, subscription: Subscription, kind: str, endpoint: str) -> None:
        """Have a token sent to a subscription's endpoint. `endpoint`: the node's, for the link."""
        moment_ms = now_ms(self._platform.clock)
        token = self._platform.ids.hex(TOKEN_DIGITS)
        key = subscription.key
        text = _TEXTS[kind].format(topic=key.topic.arn, subscription=key.arn)
        message = Message(
            self._platform.ids.uuid(), key.topic, topic.id, text, moment_ms, endpoint=endpoint, kind=kind, token=token
        )
        encoded = _encode(subscription)
        tx.execute(
            "DELETE FROM sns_tokens WHERE (account, region, topic, token) IN (SELECT account, region, topic, token"
            " FROM sns_tokens WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ?)",
            (moment_ms, FORGOTTEN_AT_ONCE),
        )
        tx.execute(
            "INSERT INTO sns_tokens (account, region, topic, token, id, subscription, expires_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*key.topic, token, key.id, encoded.decode(), moment_ms + VALID_MS),
        )
        policy = policy_of(topic, subscription)
        self._engine.enqueue(
            tx,
            KIND,
            key.topic.account,
            key.topic.region,
            encoded + b"\n" + message.encode(),
            target=key.arn,
            max_attempts=policy.retries + 1,
            max_age_s=MAX_AGE_S,
        )
        if kind == SUBSCRIBE:
            name = key.arn.encode()
            self._engine.enqueue(
                tx, EXPIRY, key.topic.account, key.topic.region, name, delay_s=VALID_MS / 1000, max_age_s=MAX_AGE_S
            )

    def confirm(
        self, tx: Transaction, key: TopicKey, token: str, *, is_authenticated: bool, is_protected: bool
    ) -> Subscription | None:
        """Confirm the subscription that a token is for; None for a token that is none."""
        moment_ms = now_ms(self._platform.clock)
        row = tx.one(
            "SELECT subscription FROM sns_tokens"
            " WHERE account = ? AND region = ? AND topic = ? AND token = ? AND expires_ms > ?",
            (*key, token, moment_ms),
        )
        if row is None:
            return None
        ended = decode(row[0].encode())
        current = subscription_tables.of_endpoint(tx, key, ended.protocol, ended.endpoint)
        # Who confirms again cannot take away what the first one has asked for.
        before = current if current is not None and current.is_confirmed else ended
        confirmed = replace(
            current or ended,
            is_confirmed=True,
            was_authenticated=is_authenticated or before.was_authenticated,
            needs_authentication=is_protected or before.needs_authentication,
        )
        if current is None:
            topic = topic_tables.find(tx, key)
            if topic is None:
                return None
            subscription_limits.check_new(tx, topic, ended.protocol, ended.attributes)
            subscription_tables.add(tx, confirmed)
        else:
            subscription_tables.put(tx, confirmed)
        return confirmed

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Send a token once."""
        subscription, message = _decoded(delivery)
        known = await self._directory.find(message.topic)
        if known is None or known.topic.id != message.topic_id:
            return Done()
        try:
            envelopes = await self._sending.envelopes(known.topic, message)
            await self._sending.send(known.topic, subscription, message, envelopes)
        except NotNow as error:
            return Retry(error.after_s, counted=False)
        except NotSent as error:
            return after(error, delivery, known.topic, subscription)
        return Done()

    async def dead(self, delivery: Delivery) -> Outcome:  # noqa: ARG002 - what every handler is given
        """For people to look at."""
        return Keep()


class Expiry:
    """Takes away subscriptions that nobody has confirmed while a token was good."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Once the time of a token is over."""
        return Done(partial(self._expire, subscription_key(delivery.payload.decode())))

    async def dead(self, delivery: Delivery) -> Outcome:  # noqa: ARG002 - what every handler is given
        """For people to look at."""
        return Keep()

    def _expire(self, key: SubscriptionKey, tx: Transaction) -> None:
        found = subscription_tables.find(tx, key)
        good = tx.one(
            "SELECT 1 FROM sns_tokens"
            " WHERE account = ? AND region = ? AND topic = ? AND id = ? AND expires_ms > ? LIMIT 1",
            (*key.topic, key.id, now_ms(self._platform.clock)),
        )
        if found is not None and not found.is_confirmed and good is None:
            subscription_tables.delete(tx, key)


def remove_topic(tx: Transaction, topic: TopicKey) -> None:
    """A topic's tokens are good for nothing any more."""
    tx.execute("DELETE FROM sns_tokens WHERE account = ? AND region = ? AND topic = ?", topic)


def remove_subscription(tx: Transaction, key: SubscriptionKey) -> None:
    """Tokens of a subscription that somebody with the right to do so has ended do not bring it back."""
    tx.execute("DELETE FROM sns_tokens WHERE account = ? AND region = ? AND topic = ? AND id = ?", (*key.topic, key.id))


def is_token(text: str) -> bool:
    """True for a text that has the form of a token."""
    return len(text) == TOKEN_DIGITS and all(digit in "0123456789abcdef" for digit in text)


def _encode(subscription: Subscription) -> bytes:
    key = subscription.key
    return orjson.dumps(
        {
            "topic": list(key.topic),
            "id": key.id,
            "owner": subscription.owner,
            "protocol": subscription.protocol,
            "endpoint": subscription.endpoint,
            "attributes": dict(subscription.attributes),
            "principal": subscription.principal,
            "created_ms": subscription.created_ms,
        }
    )


def decode(encoded: bytes) -> Subscription:
    """The subscription that a token is for, as it was; not confirmed."""
    values: dict[str, Any] = orjson.loads(encoded)
    key = SubscriptionKey(TopicKey(*values.pop("topic")), values.pop("id"))
    return Subscription(key, **values, is_confirmed=False, was_authenticated=False, needs_authentication=False)


def _decoded(delivery: Delivery) -> tuple[Subscription, Message]:
    encoded, _, message = delivery.payload.partition(b"\n")
    return decode(encoded), Message.decode(message)
