"""The SQL of messages.

A queue's messages lie in a bucket, in the order in which they came. `sqs_visible` is what a receive looks through: the
messages that can be received are those before now, so a long queue is no slower than a short one. A FIFO queue's
groups have a table of their own (`group_tables`). A long body has one too, so that a receive does not write it again.
"""

from collections.abc import Iterable, Sequence

from cloudlet.services.sqs import sequence as sequences
from cloudlet.services.sqs.message import Message
from cloudlet.store.base import Migration, Parameter, Reader, Row, Transaction

MESSAGES = Migration(
    2,
    (
        """CREATE TABLE sqs_messages (
            bucket BIGINT NOT NULL, sequence BIGINT NOT NULL, visible_ms BIGINT NOT NULL, receives BIGINT NOT NULL,
            first_ms BIGINT NOT NULL, received_ms BIGINT NOT NULL, grp TEXT NOT NULL, id TEXT NOT NULL,
            sender TEXT NOT NULL, body TEXT, details TEXT NOT NULL,
            PRIMARY KEY (bucket, sequence)) WITHOUT ROWID""",
        "CREATE INDEX sqs_visible ON sqs_messages (bucket, visible_ms, sequence)",
        "CREATE INDEX sqs_grouped ON sqs_messages (bucket, grp, sequence) WHERE grp <> ''",
        """CREATE TABLE sqs_bodies (
            bucket BIGINT NOT NULL, sequence BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (bucket, sequence))""",
    ),
)
_BODY = Message._fields.index("body")
INLINE_BODY_CHARACTERS = 1000
"""A longer body lies in `sqs_bodies`. https://www.sqlite.org/withoutrowid.html on the size of such rows"""

_COLUMNS = "sequence, visible_ms, receives, first_ms, received_ms, grp, id, sender, body, details"
_INSERT = f"INSERT INTO sqs_messages (bucket, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_IF_FREE = f"{_INSERT} ON CONFLICT (bucket, sequence) DO NOTHING"
_KEY = "bucket = ? AND sequence = ?"
_RECEIVED = (
    "UPDATE sqs_messages SET visible_ms = ?, receives = ?, first_ms = ?, received_ms = ?"
    " WHERE bucket = ? AND sequence = ?"
)


def insert(tx: Transaction, bucket: int, message: Message) -> int:
    """Add a message; the sequence that it really gets: a later one where another message has its own already, which
    takes a clock that was set back, or two nodes in one moment."""
    is_long = len(message.body) > INLINE_BODY_CHARACTERS
    sequence = message.sequence
    rest: list[Parameter] = list(message[1:])
    if is_long:
        rest[_BODY - 1] = None
    while not tx.execute(_INSERT_IF_FREE, (bucket, sequence, *rest)):
        sequence += 1
    if is_long:
        tx.execute("INSERT INTO sqs_bodies (bucket, sequence, body) VALUES (?, ?, ?)", (bucket, sequence, message.body))
    return sequence


def insert_all(tx: Transaction, bucket: int, messages: Sequence[Message]) -> list[int]:
    """Add messages, whose sequences go up; the sequences that they really get. At once, where nothing is in the way.

    Where others write beside this transaction, looking whether something is would conflict with them.
    """
    if (
        len(messages) == 1
        or tx.skip_locked
        or any(len(each.body) > INLINE_BODY_CHARACTERS for each in messages)
        or tx.one(
            "SELECT 1 FROM sqs_messages WHERE bucket = ? AND sequence BETWEEN ? AND ? LIMIT 1",
            (bucket, messages[0].sequence, messages[-1].sequence),
        )
    ):
        return [insert(tx, bucket, each) for each in messages]
    tx.execute_many(_INSERT, [(bucket, *each) for each in messages])
    return [each.sequence for each in messages]


def receivable(
    tx: Transaction, bucket: int, now_ms: int, floor: int, limit: int, *, except_groups: Sequence[str] = ()
) -> list[Message]:
    """Messages that can be received now and came after `floor`, those that could first before the others."""
    others = f" AND grp NOT IN ({', '.join('?' * len(except_groups))})" if except_groups else ""
    rows = tx.query(
        f"SELECT {_COLUMNS} FROM sqs_messages WHERE bucket = ? AND visible_ms <= ? AND sequence > ?{others}"
        f" ORDER BY visible_ms, sequence LIMIT ? {tx.skip_locked}",
        (bucket, now_ms, floor, *except_groups, limit),
    )
    return [_message(tx, bucket, row) for row in rows]


def of_group(reader: Reader, bucket: int, group: str, limit: int) -> list[Message]:
    """The first messages of a group, in their order."""
    rows = reader.query(
        f"SELECT {_COLUMNS} FROM sqs_messages WHERE bucket = ? AND grp = ? AND grp <> '' ORDER BY sequence LIMIT ?",
        (bucket, group, limit),
    )
    return [_message(reader, bucket, row) for row in rows]


def first_states(reader: Reader, bucket: int, group: str, limit: int) -> list[tuple[int, int, int]]:
    """(sequence, visible_ms, received_ms) of the first messages of a group: what its availability hangs on."""
    rows = reader.query(
        "SELECT sequence, visible_ms, received_ms FROM sqs_messages WHERE bucket = ? AND grp = ? AND grp <> ''"
        " ORDER BY sequence LIMIT ?",
        (bucket, group, limit),
    )
    return [(row[0], row[1], row[2]) for row in rows]


def find(reader: Reader, bucket: int, sequence: int) -> Message | None:
    """A message; its body is left out where it is a long one."""
    row = reader.one(f"SELECT {_COLUMNS} FROM sqs_messages WHERE {_KEY}", (bucket, sequence))
    return Message._make(row) if row is not None else None


def find_whole(reader: Reader, bucket: int, sequence: int) -> Message | None:
    """A message with its body."""
    row = reader.one(f"SELECT {_COLUMNS} FROM sqs_messages WHERE {_KEY}", (bucket, sequence))
    return _message(reader, bucket, row) if row is not None else None


def waiting(tx: Transaction, bucket: int, now_ms: int, last: int, limit: int) -> list[Message]:
    """Messages that nobody has, up to the sequence `last`, in the order in which they came."""
    rows = tx.query(
        f"SELECT {_COLUMNS} FROM sqs_messages WHERE bucket = ? AND sequence <= ? AND visible_ms <= ?"
        f" ORDER BY sequence LIMIT ? {tx.skip_locked}",
        (bucket, last, now_ms, limit),
    )
    return [_message(tx, bucket, row) for row in rows]


def first(reader: Reader, bucket: int) -> int:
    """The sequence of the message that came first; 0 for an empty queue."""
    row = reader.one("SELECT sequence FROM sqs_messages WHERE bucket = ? ORDER BY sequence LIMIT 1", (bucket,))
    return int(row[0]) if row is not None else 0


def last(reader: Reader, bucket: int) -> int:
    """The sequence of the message that came last; 0 for an empty queue."""
    row = reader.one("SELECT sequence FROM sqs_messages WHERE bucket = ? ORDER BY sequence DESC LIMIT 1", (bucket,))
    return int(row[0]) if row is not None else 0


def mark_received(tx: Transaction, bucket: int, messages: Iterable[Message]) -> None:
    """Keep that messages were received."""
    tx.execute_many(
        _RECEIVED,
        [(each.visible_ms, each.receives, each.first_ms, each.received_ms, bucket, each.sequence) for each in messages],
    )


def set_visible(tx: Transaction, bucket: int, sequence: int, visible_ms: int) -> None:
    """Change when a message can be received."""
    tx.execute(f"UPDATE sqs_messages SET visible_ms = ? WHERE {_KEY}", (visible_ms, bucket, sequence))


def delay_anew(tx: Transaction, bucket: int, floor: int, delay_ms: int) -> set[str]:
    """Let the messages after `floor` that nobody has received yet wait so long from when they came; their groups."""
    rows = tx.query(
        "SELECT sequence, grp FROM sqs_messages WHERE bucket = ? AND sequence > ? AND receives = 0", (bucket, floor)
    )
    visible = [(sequences.moment_ms(row[0]) + delay_ms, bucket, row[0]) for row in rows]
    tx.execute_many(f"UPDATE sqs_messages SET visible_ms = ? WHERE {_KEY}", visible)
    return {row[1] for row in rows}


def delete(tx: Transaction, bucket: int, sequence: int, receives: int) -> bool:
    """Take a message away, when it was received just so often; false when there is none such."""
    gone = tx.execute(f"DELETE FROM sqs_messages WHERE {_KEY} AND receives = ?", (bucket, sequence, receives))
    if gone:
        tx.execute(f"DELETE FROM sqs_bodies WHERE {_KEY}", (bucket, sequence))
    return gone > 0


def remove(tx: Transaction, bucket: int, sequences: Iterable[int]) -> None:
    """Take messages away."""
    keys = [(bucket, sequence) for sequence in sequences]
    tx.execute_many(f"DELETE FROM sqs_messages WHERE {_KEY}", keys)
    tx.execute_many(f"DELETE FROM sqs_bodies WHERE {_KEY}", keys)


def expired(reader: Reader, bucket: int, floor: int, limit: int) -> list[tuple[int, str]]:
    """(sequence, group) of messages that came at or before `floor`."""
    rows = reader.query(
        "SELECT sequence, grp FROM sqs_messages WHERE bucket = ? AND sequence <= ? ORDER BY sequence LIMIT ?",
        (bucket, floor, limit),
    )
    return [(row[0], row[1]) for row in rows]


def next_visible_ms(reader: Reader, bucket: int, now_ms: int) -> int | None:
    """When the next message can be received that cannot be now."""
    row = reader.one(
        "SELECT visible_ms FROM sqs_messages WHERE bucket = ? AND visible_ms > ? ORDER BY visible_ms LIMIT 1",
        (bucket, now_ms),
    )
    return int(row[0]) if row is not None else None


def count(reader: Reader, bucket: int) -> int:
    """How many messages there are in all."""
    row = reader.one("SELECT COUNT(*) FROM sqs_messages WHERE bucket = ?", (bucket,))
    return int(row[0]) if row is not None else 0


def visible_some(
    reader: Reader, bucket: int, after: tuple[int, int], until_ms: int, limit: int
) -> tuple[int, tuple[int, int]]:
    """How many of the next `limit` messages after `after` (visible_ms, sequence) are visible by `until_ms`, and the
    last of them: queues may be long, and nothing else runs while one query does."""
    row = reader.one(
        "SELECT COUNT(*) FROM (SELECT 1 FROM sqs_messages WHERE bucket = ?"
        " AND (visible_ms, sequence) > (?, ?) AND visible_ms <= ? ORDER BY visible_ms, sequence LIMIT ?) AS found",
        (bucket, *after, until_ms, limit),
    )
    counted = int(row[0]) if row is not None else 0
    if counted < limit:
        return counted, after
    last = reader.one(
        "SELECT visible_ms, sequence FROM sqs_messages WHERE bucket = ? AND (visible_ms, sequence) > (?, ?)"
        f" AND visible_ms <= ? ORDER BY visible_ms, sequence LIMIT 1 OFFSET {limit - 1}",
        (bucket, *after, until_ms),
    )
    return counted, (last[0], last[1]) if last is not None else after


def invisible_some(
    reader: Reader, bucket: int, after: tuple[int, int], limit: int
) -> tuple[int, int, tuple[int, int] | None]:
    """How many of the next `limit` messages after `after` (visible_ms, sequence) are in flight, how many are delayed,
    and the last of them, None once there are no more."""
    rows = reader.query(
        "SELECT visible_ms, sequence, received_ms FROM sqs_messages WHERE bucket = ?"
        " AND (visible_ms, sequence) > (?, ?) ORDER BY visible_ms, sequence LIMIT ?",
        (bucket, *after, limit),
    )
    in_flight = sum(row[2] > 0 for row in rows)
    last = (int(rows[-1][0]), int(rows[-1][1])) if len(rows) == limit else None
    return in_flight, len(rows) - in_flight, last


def groups_in_flight(reader: Reader, bucket: int, now_ms: int, limit: int) -> dict[str, int]:
    """How the messages in flight, or the last `limit` of them, spread over groups."""
    rows = reader.query(
        "SELECT grp, COUNT(*) FROM (SELECT grp FROM sqs_messages WHERE bucket = ? AND visible_ms > ?"
        " AND received_ms > 0 ORDER BY visible_ms DESC LIMIT ?) AS found WHERE grp <> '' GROUP BY grp",
        (bucket, now_ms, limit),
    )
    return {row[0]: int(row[1]) for row in rows}


def _message(reader: Reader, bucket: int, row: Row) -> Message:
    message = Message._make(row)
    if row[_BODY] is None:
        found = reader.one(f"SELECT body FROM sqs_bodies WHERE {_KEY}", (bucket, message.sequence))
        return message._replace(body=found[0] if found else "")
    return message
