"""The SQL of queues."""

from collections.abc import Mapping

import orjson

from cloudlet.services.sqs.names import QueueKey
from cloudlet.services.sqs.queue import Queue
from cloudlet.store.base import Migration, Reader, Row, Transaction

QUEUES = Migration(
    1,
    (
        """CREATE TABLE sqs_queues (
            account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, id BIGINT NOT NULL, bucket BIGINT NOT NULL,
            attributes TEXT NOT NULL, tags TEXT NOT NULL, created_ms BIGINT NOT NULL, modified_ms BIGINT NOT NULL,
            purged_ms BIGINT NOT NULL, dead_letter_target TEXT NOT NULL,
            PRIMARY KEY (account, region, name))""",
        """CREATE INDEX sqs_queues_by_dead_letter_target ON sqs_queues (dead_letter_target, name)
            WHERE dead_letter_target <> ''""",
        """CREATE TABLE sqs_deleted (
            account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, deleted_ms BIGINT NOT NULL,
            PRIMARY KEY (account, region, name))""",
        "CREATE TABLE sqs_trash (bucket BIGINT PRIMARY KEY)",
    ),
)
_COLUMNS = "account, region, name, id, bucket, attributes, tags, created_ms, modified_ms, purged_ms"
_KEY = "account = ? AND region = ? AND name = ?"


def find(reader: Reader, key: QueueKey) -> Queue | None:
    """The queue, or None."""
    row = reader.one(f"SELECT {_COLUMNS} FROM sqs_queues WHERE {_KEY}", key)
    return _queue(row) if row is not None else None


def add(tx: Transaction, queue: Queue) -> bool:
    """Add a queue; false when there is one of its name."""
    added = tx.execute(
        f"INSERT INTO sqs_queues ({_COLUMNS}, dead_letter_target) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (account, region, name) DO NOTHING",
        (
            *queue.key,
            queue.id,
            queue.bucket,
            _json(queue.attributes),
            _json(queue.tags),
            queue.created_ms,
            queue.modified_ms,
            queue.purged_ms,
            _target(queue),
        ),
    )
    return added > 0


def put(tx: Transaction, queue: Queue) -> None:
    """Keep what has changed of a queue."""
    tx.execute(
        "UPDATE sqs_queues SET bucket = ?, attributes = ?, tags = ?, modified_ms = ?, purged_ms = ?,"
        f" dead_letter_target = ? WHERE {_KEY}",
        (
            queue.bucket,
            _json(queue.attributes),
            _json(queue.tags),
            queue.modified_ms,
            queue.purged_ms,
            _target(queue),
            *queue.key,
        ),
    )


def delete(tx: Transaction, queue: Queue, now_ms: int) -> None:
    """Take the queue away, and remember when."""
    tx.execute(f"DELETE FROM sqs_queues WHERE {_KEY}", queue.key)
    tx.execute(
        "INSERT INTO sqs_deleted (account, region, name, deleted_ms) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (account, region, name) DO UPDATE SET deleted_ms = excluded.deleted_ms",
        (*queue.key, now_ms),
    )


def deleted_ms(reader: Reader, key: QueueKey) -> int | None:
    """When a queue of this name was deleted last, as far as that is remembered."""
    row = reader.one(f"SELECT deleted_ms FROM sqs_deleted WHERE {_KEY}", key)
    return int(row[0]) if row is not None else None


def first_deleted_ms(reader: Reader) -> int | None:
    """The first deletion that is remembered."""
    row = reader.one("SELECT MIN(deleted_ms) FROM sqs_deleted")
    return int(row[0]) if row is not None and row[0] is not None else None


def forget_deleted(tx: Transaction, before_ms: int) -> None:
    """Forget deletions from before a moment."""
    tx.execute("DELETE FROM sqs_deleted WHERE deleted_ms < ?", (before_ms,))


def names(reader: Reader, account: str, region: str, prefix: str, after: str, limit: int) -> list[str]:
    """Names in their order, those that begin with `prefix` and come after `after`."""
    pattern = prefix.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    rows = reader.query(
        "SELECT name FROM sqs_queues WHERE account = ? AND region = ? AND name > ? AND name LIKE ? ESCAPE '\\'"
        " ORDER BY name LIMIT ?",
        (account, region, after, pattern, limit),
    )
    return [row[0] for row in rows]


def sources(reader: Reader, target_arn: str, after: str, limit: int) -> list[str]:
    """The names of the queues that have this dead-letter queue, in their order."""
    rows = reader.query(
        "SELECT name FROM sqs_queues WHERE dead_letter_target = ? AND name > ? ORDER BY name LIMIT ?",
        (target_arn, after, limit),
    )
    return [row[0] for row in rows]


def page(reader: Reader, after: QueueKey, limit: int) -> list[Queue]:
    """Queues of all accounts, in the order of their keys."""
    rows = reader.query(
        f"SELECT {_COLUMNS} FROM sqs_queues WHERE (account, region, name) > (?, ?, ?)"
        " ORDER BY account, region, name LIMIT ?",
        (*after, limit),
    )
    return [_queue(row) for row in rows]


def add_trash(tx: Transaction, bucket: int) -> None:
    """Have the messages of a bucket swept."""
    tx.execute("INSERT INTO sqs_trash (bucket) VALUES (?)", (bucket,))


def trash(reader: Reader) -> int | None:
    """A bucket whose messages are to be swept."""
    row = reader.one("SELECT bucket FROM sqs_trash LIMIT 1")
    return int(row[0]) if row is not None else None


def remove_trash(tx: Transaction, bucket: int) -> None:
    """The bucket is empty."""
    tx.execute("DELETE FROM sqs_trash WHERE bucket = ?", (bucket,))


def _queue(row: Row) -> Queue:
    account, region, name, queue_id, bucket, attributes, tags, created_ms, modified_ms, purged_ms = row
    return Queue(
        QueueKey(account, region, name),
        queue_id,
        bucket,
        orjson.loads(attributes),
        orjson.loads(tags),
        created_ms,
        modified_ms,
        purged_ms,
    )


def _json(values: Mapping[str, str]) -> str:
    return orjson.dumps(dict(values)).decode()


def _target(queue: Queue) -> str:
    return queue.redrive_policy.target.arn if queue.redrive_policy else ""
