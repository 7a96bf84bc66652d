"""The SQL of message move tasks."""

from typing import NamedTuple

from cloudlet.services.sqs.names import QueueKey
from cloudlet.store.base import Migration, Reader, Row, Transaction

MOVES = Migration(
    4,
    (
        """CREATE TABLE sqs_moves (
            account TEXT NOT NULL, region TEXT NOT NULL, source TEXT NOT NULL, started_ms BIGINT NOT NULL,
            handle TEXT NOT NULL, destination TEXT NOT NULL, rate BIGINT NOT NULL, status TEXT NOT NULL,
            total BIGINT NOT NULL, moved BIGINT NOT NULL, last BIGINT NOT NULL, reason TEXT NOT NULL,
            PRIMARY KEY (account, region, source, started_ms, handle))""",
        "CREATE INDEX sqs_moves_running ON sqs_moves (handle) WHERE status IN ('RUNNING', 'CANCELLING')",
        "CREATE UNIQUE INDEX sqs_moves_by_handle ON sqs_moves (handle)",
    ),
)
MAX_LISTED = 10
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListMessageMoveTasks.html"""
RUNNING, CANCELLING, CANCELLED, COMPLETED, FAILED = "RUNNING", "CANCELLING", "CANCELLED", "COMPLETED", "FAILED"
_COLUMNS = "account, region, source, started_ms, handle, destination, rate, status, total, moved, last, reason"
_ACTIVE = "status IN ('RUNNING', 'CANCELLING')"


class MoveTask(NamedTuple):
    """One row of sqs_moves."""

    source: QueueKey
    started_ms: int
    handle: str
    destination: str
    """The ARN of the queue that the messages go to; empty for those that they came from."""
    rate: int
    """Messages a second; 0 for as many as go."""
    status: str
    total: int
    moved: int
    last: int
    """The sequence of the last message that was there when the task began: later ones stay."""
    reason: str


def add(tx: Transaction, task: MoveTask) -> None:
    """Begin a task. Of the queue's former ones the latest are kept, as many as are ever shown."""
    former = "account = ? AND region = ? AND source = ?"
    tx.execute(
        f"DELETE FROM sqs_moves WHERE {former} AND NOT ({_ACTIVE}) AND handle NOT IN"
        f" (SELECT handle FROM sqs_moves WHERE {former} ORDER BY started_ms DESC, handle LIMIT ?)",
        (*task.source, *task.source, MAX_LISTED - 1),
    )
    tx.execute(
        f"INSERT INTO sqs_moves ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*task.source, *task[1:])
    )


def put(tx: Transaction, task: MoveTask) -> None:
    """Keep how far a task has come."""
    tx.execute(
        "UPDATE sqs_moves SET status = ?, moved = ?, reason = ? WHERE handle = ?",
        (task.status, task.moved, task.reason, task.handle),
    )


def find(reader: Reader, handle: str) -> MoveTask | None:
    """The task with this handle."""
    row = reader.one(f"SELECT {_COLUMNS} FROM sqs_moves WHERE handle = ?", (handle,))
    return _task(row) if row is not None else None


def active(reader: Reader) -> list[MoveTask]:
    """Tasks that have not ended, of all accounts."""
    return [_task(row) for row in reader.query(f"SELECT {_COLUMNS} FROM sqs_moves WHERE {_ACTIVE} ORDER BY handle")]


def active_of(reader: Reader, source: QueueKey) -> MoveTask | None:
    """The task of a queue that has not ended."""
    row = reader.one(
        f"SELECT {_COLUMNS} FROM sqs_moves WHERE account = ? AND region = ? AND source = ? AND {_ACTIVE}", source
    )
    return _task(row) if row is not None else None


def count_active(reader: Reader, account: str, region: str) -> int:
    """How many tasks of an account have not ended."""
    row = reader.one(
        f"SELECT COUNT(*) FROM sqs_moves WHERE account = ? AND region = ? AND {_ACTIVE}", (account, region)
    )
    return int(row[0]) if row is not None else 0


def latest(reader: Reader, source: QueueKey, limit: int) -> list[MoveTask]:
    """A queue's tasks, the latest first."""
    rows = reader.query(
        f"SELECT {_COLUMNS} FROM sqs_moves WHERE account = ? AND region = ? AND source = ?"
        " ORDER BY started_ms DESC, handle LIMIT ?",
        (*source, limit),
    )
    return [_task(row) for row in rows]


def forget(tx: Transaction, source: QueueKey) -> None:
    """The queue is gone."""
    tx.execute("DELETE FROM sqs_moves WHERE account = ? AND region = ? AND source = ?", source)


def _task(row: Row) -> MoveTask:
    return MoveTask(QueueKey(*row[:3]), *row[3:])
