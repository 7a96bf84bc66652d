"""The archive of a FIFO topic: its messages, for as many days as the topic's archive policy says.

https://docs.aws.amazon.com/sns/latest/dg/fifo-message-archiving-replay.html
"""

from typing import Final

from cloudlet.services.sns.message import Message
from cloudlet.services.sns.names import TopicKey
from cloudlet.services.sns.topic import Topic
from cloudlet.store.base import Migration, Reader, Transaction

ARCHIVE: Final = Migration(
    6,
    (
        """CREATE TABLE sns_archive (
            account TEXT NOT NULL, region TEXT NOT NULL, topic TEXT NOT NULL, sequence BIGINT NOT NULL,
            published_ms BIGINT NOT NULL, message BLOB NOT NULL,
            PRIMARY KEY (account, region, topic, sequence))""",
        "CREATE INDEX sns_archive_by_age ON sns_archive (account, region, topic, published_ms)",
    ),
)
FORGOTTEN_AT_ONCE: Final = 100
DISORDER_MS: Final = 5 * 60 * 1000
"""Messages are numbered in their order but for such a time: they get their moment before their number, on any node."""
_LAST: Final = (1 << 63) - 1
DAY_MS: Final = 86_400_000
_TOPIC: Final = "account = ? AND region = ? AND topic = ?"


def keep(tx: Transaction, topic: Topic, message: Message) -> None:
    """Archive a message, and forget some of those that are too old: more than one, so that they cannot pile up."""
    tx.execute(
        "INSERT INTO sns_archive (account, region, topic, sequence, published_ms, message) VALUES (?, ?, ?, ?, ?, ?)",
        (*topic.key, message.sequence, message.published_ms, message.encode()),
    )
    before_ms = message.published_ms - topic.archive_days * DAY_MS
    tx.execute(
        f"DELETE FROM sns_archive WHERE {_TOPIC} AND sequence IN ("
        f"SELECT sequence FROM sns_archive WHERE {_TOPIC} AND published_ms < ? ORDER BY published_ms LIMIT ?)",
        (*topic.key, *topic.key, before_ms, FORGOTTEN_AT_ONCE),
    )


def page(reader: Reader, key: TopicKey, after: int, from_ms: int, until_ms: int, limit: int) -> list[Message]:
    """Messages of a time, in their order, those after a sequence number."""
    first, last = _around(reader, key, from_ms, until_ms)
    rows = reader.query(
        f"SELECT message FROM sns_archive WHERE {_TOPIC} AND sequence > ? AND sequence < ?"
        " AND published_ms >= ? AND published_ms <= ? ORDER BY sequence LIMIT ?",
        (*key, max(after, first), last, from_ms, until_ms, limit),
    )
    return [Message.decode(bytes(row[0])) for row in rows]


def _around(reader: Reader, key: TopicKey, from_ms: int, until_ms: int) -> tuple[int, int]:
    """Sequence numbers before and after all messages of a time, so that the rest of the archive is not looked at."""
    before = reader.one(
        f"SELECT sequence FROM sns_archive WHERE {_TOPIC} AND published_ms < ? ORDER BY published_ms DESC LIMIT 1",
        (*key, from_ms - DISORDER_MS),
    )
    behind = reader.one(
        f"SELECT sequence FROM sns_archive WHERE {_TOPIC} AND published_ms > ? ORDER BY published_ms LIMIT 1",
        (*key, until_ms + DISORDER_MS),
    )
    return int(before[0]) if before is not None else 0, int(behind[0]) if behind is not None else _LAST


def beginning_ms(reader: Reader, topic: Topic, now_ms: int) -> int | None:
    """When the oldest message that is kept was published; None when there is none."""
    floor_ms = now_ms - topic.archive_days * DAY_MS
    row = reader.one(
        f"SELECT published_ms FROM sns_archive WHERE {_TOPIC} AND published_ms >= ? ORDER BY published_ms LIMIT 1",
        (*topic.key, floor_ms),
    )
    return int(row[0]) if row is not None else None


def remove(tx: Transaction, key: TopicKey) -> None:
    """Forget all messages of a topic."""
    tx.execute(f"DELETE FROM sns_archive WHERE {_TOPIC}", key)
