"""The SQL of FIFO queues: message groups, deduplication, and receive attempts.

A group has a row while it has messages. `free_ms` is when its first message can be received: 0 for now; while messages
of it are in flight, when the last of their visibility timeouts ends. A receive takes the free group whose first message
came first.
"""

from cloudlet.store.base import Migration, Reader, Transaction

GROUPS = Migration(
    3,
    (
        """CREATE TABLE sqs_groups (
            bucket BIGINT NOT NULL, grp TEXT NOT NULL, free_ms BIGINT NOT NULL, first BIGINT NOT NULL,
            last BIGINT NOT NULL, PRIMARY KEY (bucket, grp)) WITHOUT ROWID""",
        "CREATE INDEX sqs_groups_free ON sqs_groups (bucket, free_ms, first)",
        """CREATE TABLE sqs_deduplication (
            queue BIGINT NOT NULL, scope TEXT NOT NULL, deduplication TEXT NOT NULL, id TEXT NOT NULL,
            sequence BIGINT NOT NULL, expires_ms BIGINT NOT NULL,
            PRIMARY KEY (queue, scope, deduplication)) WITHOUT ROWID""",
        "CREATE INDEX sqs_deduplication_by_end ON sqs_deduplication (expires_ms)",
        """CREATE TABLE sqs_attempts (
            queue BIGINT NOT NULL, attempt TEXT NOT NULL, received TEXT NOT NULL, expires_ms BIGINT NOT NULL,
            PRIMARY KEY (queue, attempt)) WITHOUT ROWID""",
        "CREATE INDEX sqs_attempts_by_end ON sqs_attempts (expires_ms)",
    ),
)


def join(tx: Transaction, bucket: int, group: str, sequence: int, free_ms: int) -> int:
    """A message joins a group, which is made if need be. The sequence that the message gets: after all before it."""
    rows = tx.query(
        "INSERT INTO sqs_groups (bucket, grp, free_ms, first, last) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (bucket, grp) DO UPDATE SET last ="
        " CASE WHEN excluded.last > sqs_groups.last THEN excluded.last ELSE sqs_groups.last + 1 END RETURNING last",
        (bucket, group, free_ms, sequence, sequence),
    )
    return int(rows[0][0])


def set_last(tx: Transaction, bucket: int, group: str, sequence: int) -> None:
    """The group's last message has got this sequence."""
    tx.execute("UPDATE sqs_groups SET last = ? WHERE bucket = ? AND grp = ?", (sequence, bucket, group))


def free_again(tx: Transaction, bucket: int, now_ms: int, limit: int) -> None:
    """Free groups whose visibility timeouts or delays are over."""
    rows = tx.query(
        "SELECT grp FROM sqs_groups WHERE bucket = ? AND free_ms > 0 AND free_ms <= ? ORDER BY free_ms, first"
        f" LIMIT ? {tx.skip_locked}",
        (bucket, now_ms, limit),
    )
    tx.execute_many(
        "UPDATE sqs_groups SET free_ms = 0 WHERE bucket = ? AND grp = ?", [(bucket, row[0]) for row in rows]
    )


def free(tx: Transaction, bucket: int, limit: int) -> list[str]:
    """Groups of which messages can be received, the one whose first message came first before the others."""
    rows = tx.query(
        f"SELECT grp FROM sqs_groups WHERE bucket = ? AND free_ms = 0 ORDER BY first LIMIT ? {tx.skip_locked}",
        (bucket, limit),
    )
    return [row[0] for row in rows]


def put(tx: Transaction, bucket: int, group: str, free_ms: int, first: int) -> None:
    """Keep what has changed of a group."""
    tx.execute(
        "UPDATE sqs_groups SET free_ms = ?, first = ? WHERE bucket = ? AND grp = ?", (free_ms, first, bucket, group)
    )


def remove(tx: Transaction, bucket: int, group: str) -> None:
    """A group has no messages any more."""
    tx.execute("DELETE FROM sqs_groups WHERE bucket = ? AND grp = ?", (bucket, group))


def sweep(tx: Transaction, bucket: int, limit: int) -> int:
    """Remove some groups of a bucket that is given up; how many."""
    rows = tx.query("SELECT grp FROM sqs_groups WHERE bucket = ? LIMIT ?", (bucket, limit))
    for row in rows:
        remove(tx, bucket, row[0])
    return len(rows)


def next_free_ms(reader: Reader, bucket: int) -> int | None:
    """When the next group becomes free."""
    row = reader.one(
        "SELECT free_ms FROM sqs_groups WHERE bucket = ? AND free_ms > 0 ORDER BY free_ms LIMIT 1", (bucket,)
    )
    return int(row[0]) if row is not None else None


def duplicate(reader: Reader, queue: int, scope: str, deduplication: str, now_ms: int) -> tuple[str, int] | None:
    """The id and the sequence of a message that was sent with this deduplication id within the last minutes."""
    row = reader.one(
        "SELECT id, sequence FROM sqs_deduplication WHERE queue = ? AND scope = ? AND deduplication = ?"
        " AND expires_ms > ?",
        (queue, scope, deduplication, now_ms),
    )
    return (row[0], int(row[1])) if row is not None else None


def remember(
    tx: Transaction, queue: int, scope: str, deduplication: str, message_id: str, sequence: int, expires_ms: int
) -> None:
    """Keep what a later message with this deduplication id is a duplicate of."""
    tx.execute(
        "INSERT INTO sqs_deduplication (queue, scope, deduplication, id, sequence, expires_ms)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (queue, scope, deduplication)"
        " DO UPDATE SET id = excluded.id, sequence = excluded.sequence, expires_ms = excluded.expires_ms",
        (queue, scope, deduplication, message_id, sequence, expires_ms),
    )


def attempt(reader: Reader, queue: int, attempt_id: str, now_ms: int) -> str | None:
    """What a receive with this attempt id gave, within the last minutes."""
    row = reader.one(
        "SELECT received FROM sqs_attempts WHERE queue = ? AND attempt = ? AND expires_ms > ?",
        (queue, attempt_id, now_ms),
    )
    return str(row[0]) if row is not None else None


def remember_attempt(tx: Transaction, queue: int, attempt_id: str, received: str, expires_ms: int) -> None:
    """Keep what a receive gave."""
    tx.execute(
        "INSERT INTO sqs_attempts (queue, attempt, received, expires_ms) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (queue, attempt) DO UPDATE SET received = excluded.received, expires_ms = excluded.expires_ms",
        (queue, attempt_id, received, expires_ms),
    )


def first_ends(reader: Reader) -> list[int]:
    """When the first deduplication id and the first attempt are over, as far as there are any."""
    found = [reader.one(f"SELECT MIN(expires_ms) FROM {table}") for table in ("sqs_deduplication", "sqs_attempts")]
    return [int(row[0]) for row in found if row is not None and row[0] is not None]


def forget_old(tx: Transaction, now_ms: int, limit: int) -> bool:
    """Forget some deduplication ids and attempts whose time is over, `limit` of each; false once there are no more."""
    counts = [
        tx.execute(
            f"DELETE FROM {table} WHERE ({key}) IN"
            f" (SELECT {key} FROM {table} WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ?)",
            (now_ms, limit),
        )
        for table, key in (("sqs_deduplication", "queue, scope, deduplication"), ("sqs_attempts", "queue, attempt"))
    ]
    return max(counts) == limit
