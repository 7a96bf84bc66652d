"""The SQL of topics."""

from collections.abc import Mapping

import orjson

from cloudlet.services.sns.names import TopicKey
from cloudlet.services.sns.topic import Topic
from cloudlet.store.base import Migration, Reader, Row, Transaction

TOPICS = Migration(
    1,
    (
        """CREATE TABLE sns_topics (
            account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL, attributes TEXT NOT NULL,
            tags TEXT NOT NULL, data_protection TEXT NOT NULL, created_ms BIGINT NOT NULL,
            deleted_subscriptions BIGINT NOT NULL, sequence BIGINT NOT NULL,
            PRIMARY KEY (account, region, name))""",
        """CREATE TABLE sns_deduplication (
            topic TEXT NOT NULL, scope TEXT NOT NULL, deduplication TEXT NOT NULL, message TEXT NOT NULL,
            sequence BIGINT NOT NULL, expires_ms BIGINT NOT NULL, PRIMARY KEY (topic, scope, deduplication))""",
        "CREATE INDEX sns_deduplication_by_end ON sns_deduplication (expires_ms)",
    ),
)
_COLUMNS = "account, region, name, id, attributes, tags, data_protection, created_ms, deleted_subscriptions"
_KEY = "account = ? AND region = ? AND name = ?"
FORGOTTEN_AT_ONCE = 100


def find(reader: Reader, key: TopicKey) -> Topic | None:
    """The topic, or None."""
    row = reader.one(f"SELECT {_COLUMNS} FROM sns_topics WHERE {_KEY}", key)
    return _topic(row) if row is not None else None


def add(tx: Transaction, topic: Topic) -> None:
    """Add a topic whose name is free."""
    tx.execute(
        f"INSERT INTO sns_topics ({_COLUMNS}, sequence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
        (
            *topic.key,
            topic.id,
            _json(topic.attributes),
            _json(topic.tags),
            topic.data_protection,
            topic.created_ms,
            topic.deleted_subscriptions,
        ),
    )


def put(tx: Transaction, topic: Topic) -> None:
    """Keep what has changed of a topic."""
    tx.execute(
        f"UPDATE sns_topics SET attributes = ?, tags = ?, data_protection = ? WHERE {_KEY}",
        (_json(topic.attributes), _json(topic.tags), topic.data_protection, *topic.key),
    )


def delete(tx: Transaction, topic: Topic) -> None:
    """Take the topic away, with what is remembered of its messages."""
    tx.execute(f"DELETE FROM sns_topics WHERE {_KEY}", topic.key)
    tx.execute("DELETE FROM sns_deduplication WHERE topic = ?", (topic.id,))


def count_deleted_subscription(tx: Transaction, key: TopicKey) -> None:
    """One more subscription is gone."""
    tx.execute(f"UPDATE sns_topics SET deleted_subscriptions = deleted_subscriptions + 1 WHERE {_KEY}", key)


def next_sequence(tx: Transaction, key: TopicKey) -> int | None:
    """The number of the next message of a FIFO topic; None when the topic is gone. Publishers come one by one here."""
    rows = tx.query(f"UPDATE sns_topics SET sequence = sequence + 1 WHERE {_KEY} RETURNING sequence", key)
    return int(rows[0][0]) if rows else None


def page(reader: Reader, account: str, region: str, after: str, limit: int) -> list[TopicKey]:
    """Topics of an account in the order of their names."""
    rows = reader.query(
        "SELECT name FROM sns_topics WHERE account = ? AND region = ? AND name > ? ORDER BY name LIMIT ?",
        (account, region, after, limit),
    )
    return [TopicKey(account, region, row[0]) for row in rows]


def duplicate(reader: Reader, topic_id: str, scope: str, deduplication: str, now_ms: int) -> tuple[str, int] | None:
    """The message with this deduplication id and its sequence, while it is remembered."""
    row = reader.one(
        "SELECT message, sequence FROM sns_deduplication"
        " WHERE topic = ? AND scope = ? AND deduplication = ? AND expires_ms > ?",
        (topic_id, scope, deduplication, now_ms),
    )
    return (row[0], int(row[1])) if row is not None else None


def remember(
    tx: Transaction, topic_id: str, scope: str, deduplication: str, message: str, sequence: int, expires_ms: int
) -> None:
    """Remember a message by its deduplication id."""
    tx.execute(
        "INSERT INTO sns_deduplication (topic, scope, deduplication, message, sequence, expires_ms)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (topic, scope, deduplication)"
        " DO UPDATE SET message = excluded.message, sequence = excluded.sequence, expires_ms = excluded.expires_ms",
        (topic_id, scope, deduplication, message, sequence, expires_ms),
    )


def forget_old(tx: Transaction, now_ms: int) -> None:
    """Forget some deduplication ids whose time is over: more than a message adds, so that they cannot pile up."""
    tx.execute(
        "DELETE FROM sns_deduplication WHERE (topic, scope, deduplication) IN ("
        "SELECT topic, scope, deduplication FROM sns_deduplication WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ?)",
        (now_ms, FORGOTTEN_AT_ONCE),
    )


def _topic(row: Row) -> Topic:
    account, region, name, topic_id, attributes, tags, data_protection, created_ms, deleted = row
    return Topic(
        TopicKey(account, region, name),
        topic_id,
        orjson.loads(attributes),
        orjson.loads(tags),
        data_protection,
        created_ms,
        deleted,
    )


def _json(values: Mapping[str, str]) -> str:
    return orjson.dumps(dict(values)).decode()
