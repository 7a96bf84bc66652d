"""The SQL of subscriptions."""

from collections.abc import Mapping, Sequence

import orjson

from cloudlet.services.sns.names import SubscriptionKey, TopicKey
from cloudlet.services.sns.subscription import Subscription
from cloudlet.store.base import Migration, Reader, Row, Transaction

SUBSCRIPTIONS = Migration(
    2,
    (
        """CREATE TABLE sns_subscriptions (
            account TEXT NOT NULL, region TEXT NOT NULL, topic TEXT NOT NULL, id TEXT NOT NULL, owner TEXT NOT NULL,
            protocol TEXT NOT NULL, endpoint TEXT NOT NULL, attributes TEXT NOT NULL, principal TEXT NOT NULL,
            confirmed BIGINT NOT NULL, authenticated BIGINT NOT NULL, protected BIGINT NOT NULL,
            created_ms BIGINT NOT NULL,
            PRIMARY KEY (account, region, topic, id))""",
        """CREATE UNIQUE INDEX sns_subscriptions_by_endpoint
            ON sns_subscriptions (account, region, topic, protocol, endpoint)""",
        "CREATE INDEX sns_subscriptions_by_owner ON sns_subscriptions (owner, region, account, topic, id)",
    ),
)
FILTERED = Migration(
    7,
    (
        "ALTER TABLE sns_subscriptions ADD COLUMN filtered BIGINT NOT NULL DEFAULT 0",
        """UPDATE sns_subscriptions SET filtered = 1
            WHERE attributes LIKE '%"FilterPolicy":%' ESCAPE '!'
            AND attributes NOT LIKE '%"FilterPolicy":"{}"%' ESCAPE '!'""",
        "CREATE INDEX sns_subscriptions_filtered ON sns_subscriptions (account, region, topic) WHERE filtered = 1",
    ),
)
_COLUMNS = (
    "account, region, topic, id, owner, protocol, endpoint, attributes, principal, confirmed, authenticated,"
    " protected, created_ms"
)
_TOPIC = "account = ? AND region = ? AND topic = ?"


def find(reader: Reader, key: SubscriptionKey) -> Subscription | None:
    """The subscription, or None."""
    row = reader.one(f"SELECT {_COLUMNS} FROM sns_subscriptions WHERE {_TOPIC} AND id = ?", (*key.topic, key.id))
    return _subscription(row) if row is not None else None


def of_endpoint(reader: Reader, topic: TopicKey, protocol: str, endpoint: str) -> Subscription | None:
    """The subscription of an endpoint, of which a topic has one at most."""
    row = reader.one(
        f"SELECT {_COLUMNS} FROM sns_subscriptions WHERE {_TOPIC} AND protocol = ? AND endpoint = ?",
        (*topic, protocol, endpoint),
    )
    return _subscription(row) if row is not None else None


def add(tx: Transaction, subscription: Subscription) -> None:
    """Add a subscription."""
    tx.execute(
        f"INSERT INTO sns_subscriptions ({_COLUMNS}, filtered) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *subscription.key.topic,
            subscription.key.id,
            subscription.owner,
            subscription.protocol,
            subscription.endpoint,
            _json(subscription.attributes),
            subscription.principal,
            *_state(subscription),
            subscription.created_ms,
            int(subscription.is_filtered),
        ),
    )


def put(tx: Transaction, subscription: Subscription) -> None:
    """Keep what has changed of a subscription."""
    key = subscription.key
    tx.execute(
        "UPDATE sns_subscriptions SET attributes = ?, confirmed = ?, authenticated = ?, protected = ?, filtered = ?"
        f" WHERE {_TOPIC} AND id = ?",
        (
            _json(subscription.attributes),
            *_state(subscription),
            int(subscription.is_filtered),
            *key.topic,
            key.id,
        ),
    )


def delete(tx: Transaction, key: SubscriptionKey) -> bool:
    """Take it away; false when it was not there."""
    return tx.execute(f"DELETE FROM sns_subscriptions WHERE {_TOPIC} AND id = ?", (*key.topic, key.id)) > 0


def delete_of_topic(tx: Transaction, topic: TopicKey) -> None:
    """Take all of a topic's away."""
    tx.execute(f"DELETE FROM sns_subscriptions WHERE {_TOPIC}", topic)


def of_topic(reader: Reader, topic: TopicKey, after: str, limit: int) -> list[Subscription]:
    """A topic's subscriptions, in the order of their ids."""
    rows = reader.query(
        f"SELECT {_COLUMNS} FROM sns_subscriptions WHERE {_TOPIC} AND id > ? ORDER BY id LIMIT ?",
        (*topic, after, limit),
    )
    return [_subscription(row) for row in rows]


def of_owner(reader: Reader, owner: str, region: str, after: Sequence[str], limit: int) -> list[Subscription]:
    """An account's subscriptions to whoever's topics. `after`: (account, topic, id) of the one before."""
    rows = reader.query(
        f"SELECT {_COLUMNS} FROM sns_subscriptions WHERE owner = ? AND region = ? AND (account, topic, id) > (?, ?, ?)"
        " ORDER BY account, topic, id LIMIT ?",
        (owner, region, *after, limit),
    )
    return [_subscription(row) for row in rows]


def counts(reader: Reader, topic: TopicKey) -> tuple[int, int]:
    """How many are confirmed, and how many are not."""
    row = reader.one(f"SELECT COUNT(*), SUM(confirmed) FROM sns_subscriptions WHERE {_TOPIC}", topic)
    total, confirmed = (row[0], int(row[1] or 0)) if row is not None else (0, 0)
    return confirmed, int(total) - confirmed


def filters(reader: Reader, topic: TopicKey) -> tuple[int, int]:
    """How many filter policies there are, of a topic and of all topics of its account and region."""
    row = reader.one(
        "SELECT COUNT(*), SUM(CASE WHEN topic = ? THEN 1 ELSE 0 END) FROM sns_subscriptions"
        " WHERE account = ? AND region = ? AND filtered = 1",
        (topic.name, topic.account, topic.region),
    )
    total, of_topic = (row[0], row[1] or 0) if row is not None else (0, 0)
    return int(of_topic), int(total)


def protocols(reader: Reader, topic: TopicKey) -> set[str]:
    """The protocols of a topic's subscriptions."""
    rows = reader.query(f"SELECT DISTINCT protocol FROM sns_subscriptions WHERE {_TOPIC}", topic)
    return {row[0] for row in rows}


def _state(subscription: Subscription) -> tuple[int, int, int]:
    flags = (subscription.is_confirmed, subscription.was_authenticated, subscription.needs_authentication)
    confirmed, authenticated, protected = map(int, flags)
    return confirmed, authenticated, protected


def _subscription(row: Row) -> Subscription:
    account, region, topic, identifier, owner, protocol, endpoint, attributes, principal, *state, created_ms = row
    confirmed, authenticated, protected = state
    return Subscription(
        SubscriptionKey(TopicKey(account, region, topic), identifier),
        owner,
        protocol,
        endpoint,
        orjson.loads(attributes),
        principal,
        bool(confirmed),
        bool(authenticated),
        bool(protected),
        created_ms,
    )


def _json(values: Mapping[str, str]) -> str:
    return orjson.dumps(dict(values)).decode()
