"""The table of dead work that had nowhere to go: kept for a while, to be looked at, tried again or dropped by hand.

Bounded twice, by age and by number; what is beyond is dropped when further ones come. A payload that is large stays in
`delivery_payload`, as for work that is to be done.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cloudlet.delivery.delivery import Delivery
from cloudlet.store.base import Migration, Reader, Row, Transaction

KEPT = Migration(
    2,
    (
        """CREATE TABLE delivery_kept (
            id TEXT PRIMARY KEY, kind TEXT NOT NULL, target TEXT NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL,
            payload BLOB, attempts BIGINT NOT NULL, max_attempts BIGINT NOT NULL,
            created_ms BIGINT NOT NULL, died_ms BIGINT NOT NULL, reason TEXT NOT NULL, detail BLOB NOT NULL)""",
        "CREATE INDEX delivery_kept_by_age ON delivery_kept (died_ms, id)",
    ),
)
PRUNED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much dead work is kept."""

    count: int = 10_000
    age_s: float = 14 * 86400.0


def insert(
    tx: Transaction,
    delivery: Delivery,
    payload: bytes | None,
    attempts: int,
    died_ms: int,
    reason: str,
    detail: bytes,
) -> None:
    """Keep a piece of work that is dead; `payload` None when it lies in `delivery_payload`."""
    tx.execute(
        "INSERT INTO delivery_kept (id, kind, target, account, region, payload, attempts, max_attempts,"
        " created_ms, died_ms, reason, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO NOTHING",
        (
            delivery.id,
            delivery.kind,
            delivery.target,
            delivery.account,
            delivery.region,
            payload,
            attempts,
            delivery.max_attempts,
            delivery.created_ms,
            died_ms,
            reason,
            detail,
        ),
    )


def take(tx: Transaction, identifier: str) -> Row | None:
    """Remove one, but for a large payload: (kind, target, account, region, payload, max_attempts, created_ms)."""
    rows = tx.query(
        "DELETE FROM delivery_kept WHERE id = ?"
        " RETURNING kind, target, account, region, payload, max_attempts, created_ms",
        (identifier,),
    )
    return rows[0] if rows else None


def prune(tx: Transaction, bounds: Bounds, now_ms: int) -> None:
    """Drop what is too old or too much."""
    before_ms = now_ms - int(bounds.age_s * 1000)
    gone = tx.query("SELECT id FROM delivery_kept WHERE died_ms < ? LIMIT ?", (before_ms, PRUNED_AT_ONCE))
    gone += tx.query(
        "SELECT id FROM delivery_kept ORDER BY died_ms DESC, id DESC LIMIT ? OFFSET ?", (PRUNED_AT_ONCE, bounds.count)
    )
    drop(tx, [row[0] for row in gone])


def drop(tx: Transaction, identifiers: Sequence[str]) -> None:
    """Forget these for good."""
    for table in ("delivery_kept", "delivery_payload"):
        tx.execute_many(f"DELETE FROM {table} WHERE id = ?", [(identifier,) for identifier in identifiers])


def count(reader: Reader, kind: str, at_most: int) -> int:
    """How many of a kind are kept, counted up to `at_most`."""
    rows = reader.query(
        "SELECT COUNT(*) FROM (SELECT id FROM delivery_kept WHERE kind = ? LIMIT ?) AS counted", (kind, at_most)
    )
    return int(rows[0][0])
