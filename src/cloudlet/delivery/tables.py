"""The table of work to do.

The rows lie in the order in which they are claimed: by kind and target, then by when they are due. A key that does not
start with the account is the exception: the engine serves all accounts. `due_ms` goes by the platform's clock,
`lease_until_ms` by the host's, for time that is moved forward must not end a lease. A large payload has a table of its
own, so that a claim does not write it again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cloudlet.delivery import kept_tables
from cloudlet.delivery.delivery import Delivery
from cloudlet.delivery.kept_tables import KEPT
from cloudlet.store.base import Migration, Reader, Row, Transaction

COMPONENT = "delivery"
MIGRATIONS = (
    Migration(
        1,
        (
            """CREATE TABLE delivery (
                kind TEXT NOT NULL, target TEXT NOT NULL, due_ms BIGINT NOT NULL, id TEXT NOT NULL,
                account TEXT NOT NULL, region TEXT NOT NULL, payload BLOB,
                attempts BIGINT NOT NULL, deferrals BIGINT NOT NULL, max_attempts BIGINT NOT NULL,
                created_ms BIGINT NOT NULL, expires_ms BIGINT NOT NULL, reason TEXT NOT NULL, detail BLOB NOT NULL,
                owner TEXT NOT NULL, lease_until_ms BIGINT NOT NULL,
                PRIMARY KEY (kind, target, due_ms, id)
            ) WITHOUT ROWID""",
            "CREATE TABLE delivery_payload (id TEXT PRIMARY KEY, payload BLOB NOT NULL)",
            "CREATE INDEX delivery_owner ON delivery (owner) WHERE owner <> ''",
        ),
    ),
    KEPT,
)

CHANNEL = "delivery"
"""Carries `due_ms kind target` of a row that was written."""
INLINE_PAYLOAD_BYTES = 1000
"""A larger payload lies in `delivery_payload`. https://www.sqlite.org/withoutrowid.html on the size of such rows"""

_KEY = "kind = ? AND target = ? AND due_ms = ? AND id = ?"
_COLUMNS = (
    "id, kind, account, region, target, payload, attempts, deferrals, max_attempts, created_ms, expires_ms, reason,"
    " detail, due_ms"
)


@dataclass(frozen=True, slots=True, eq=False)
class Claimed:
    """A piece of work that this engine has a lease on, and where its row is. Each claim is one of its own."""

    delivery: Delivery
    due_ms: int
    has_large_payload: bool

    @property
    def key(self) -> tuple[str, str, int, str]:
        """The row's key."""
        return (self.delivery.kind, self.delivery.target, self.due_ms, self.delivery.id)


@dataclass(frozen=True, slots=True)
class Change:
    """A claimed row that is done (`due_ms` None), or put off until `due_ms`."""

    claimed: Claimed
    due_ms: int | None = None
    attempts: int = 0
    deferrals: int = 0
    expires_ms: int = 0
    reason: str = ""
    detail: bytes = b""
    keep: bool = False
    """It goes to those that are kept; `due_ms` is when it died."""


def insert(tx: Transaction, delivery: Delivery, due_ms: int) -> None:
    """Add a piece of work."""
    is_large = len(delivery.payload) > INLINE_PAYLOAD_BYTES
    tx.execute(
        "INSERT INTO delivery (kind, target, due_ms, id, account, region, payload, attempts, deferrals, max_attempts,"
        " created_ms, expires_ms, reason, detail, owner, lease_until_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?, ?, '', ?, '', 0)",
        (
            delivery.kind,
            delivery.target,
            due_ms,
            delivery.id,
            delivery.account,
            delivery.region,
            None if is_large else delivery.payload,
            delivery.max_attempts,
            delivery.created_ms,
            delivery.expires_ms,
            b"",
        ),
    )
    if is_large:
        tx.execute("INSERT INTO delivery_payload (id, payload) VALUES (?, ?)", (delivery.id, delivery.payload))


def claim(
    tx: Transaction, kind: str, target: str, limit: int, now_ms: int, owner: str, lease_until_ms: int
) -> list[Claimed]:
    """Take a lease on at most `limit` rows that are due, those due first before the others."""
    rows = tx.query(
        f"SELECT {_COLUMNS} FROM delivery WHERE kind = ? AND target = ? AND due_ms <= ? AND owner = ''"
        f" ORDER BY due_ms, id LIMIT ? {tx.skip_locked}",
        (kind, target, now_ms, limit),
    )
    claimed = [_claimed(tx, row) for row in rows]
    tx.execute_many(
        "UPDATE delivery SET owner = ?, lease_until_ms = ?,"
        f" attempts = attempts + CASE WHEN reason = '' THEN 1 ELSE 0 END WHERE {_KEY}",
        [(owner, lease_until_ms, *row.key) for row in claimed],
    )
    return claimed


def next_due_ms(reader: Reader, kind: str, target: str) -> int | None:
    """When the first row of a target that nobody has a lease on is due."""
    row = reader.one(
        "SELECT due_ms FROM delivery WHERE kind = ? AND target = ? AND owner = '' ORDER BY due_ms LIMIT 1",
        (kind, target),
    )
    return None if row is None else int(row[0])


def has_work(reader: Reader, kind: str, target: str) -> bool:
    """True while there is any row for a target, whoever works on it."""
    return reader.one("SELECT 1 FROM delivery WHERE kind = ? AND target = ? LIMIT 1", (kind, target)) is not None


def targets(reader: Reader) -> Iterable[tuple[str, str, int]]:
    """Each kind and target that has rows, and when its first one is due. Looks at one row of each target."""
    kind, target = "", ""
    while row := reader.one(
        "SELECT kind, target, due_ms FROM delivery WHERE (kind, target) > (?, ?) ORDER BY kind, target, due_ms LIMIT 1",
        (kind, target),
    ):
        kind, target = row[0], row[1]
        yield kind, target, int(row[2])


def apply(tx: Transaction, changes: Sequence[Change], owner: str) -> None:
    """Forget the rows that are done and put off the others, where `owner` still has them."""
    done = [change.claimed for change in changes if change.due_ms is None]
    small = [(*row.key, owner) for row in done if not row.has_large_payload]
    tx.execute_many(f"DELETE FROM delivery WHERE {_KEY} AND owner = ?", small)
    for row in done:
        if row.has_large_payload:
            forget(tx, row, owner)
    for change in changes:
        if change.keep:
            _keep(tx, change, owner)
    tx.execute_many(
        "UPDATE delivery SET owner = '', lease_until_ms = 0, due_ms = ?, attempts = ?, deferrals = ?, expires_ms = ?,"
        f" reason = ?, detail = ? WHERE {_KEY} AND owner = ?",
        [
            (
                change.due_ms,
                change.attempts,
                change.deferrals,
                change.expires_ms,
                change.reason,
                change.detail,
                *change.claimed.key,
                owner,
            )
            for change in changes
            if change.due_ms is not None and not change.keep
        ],
    )


def _keep(tx: Transaction, change: Change, owner: str) -> None:
    """Move a row to those that are kept; a large payload stays where it is."""
    row = change.claimed
    if not tx.execute(f"DELETE FROM delivery WHERE {_KEY} AND owner = ?", (*row.key, owner)):
        return
    delivery = row.delivery
    kept_tables.insert(
        tx,
        delivery,
        None if row.has_large_payload else delivery.payload,
        change.attempts,
        change.due_ms or 0,
        change.reason,
        change.detail,
    )


def forget(tx: Transaction, row: Claimed, owner: str) -> bool:
    """Forget a row; False when `owner` has lost its lease, and with it the right to say that it is done."""
    if not tx.execute(f"DELETE FROM delivery WHERE {_KEY} AND owner = ?", (*row.key, owner)):
        return False
    if row.has_large_payload:
        tx.execute("DELETE FROM delivery_payload WHERE id = ?", (row.delivery.id,))
    return True


def renew(tx: Transaction, rows: Iterable[Claimed], owner: str, lease_until_ms: int) -> None:
    """Keep the leases on `rows`."""
    tx.execute_many(
        f"UPDATE delivery SET lease_until_ms = ? WHERE {_KEY} AND owner = ?",
        [(lease_until_ms, *row.key, owner) for row in rows],
    )


def release(tx: Transaction, owner: str) -> int:
    """End the leases of an engine that is gone. Attempts that were under way stay counted."""
    return tx.execute("UPDATE delivery SET owner = '', lease_until_ms = 0 WHERE owner <> '' AND owner = ?", (owner,))


def release_expired(tx: Transaction, wall_ms: int) -> int:
    """End the leases of engines that do not renew them any more."""
    return tx.execute(
        "UPDATE delivery SET owner = '', lease_until_ms = 0 WHERE owner <> '' AND lease_until_ms <= ?", (wall_ms,)
    )


def count(reader: Reader, kind: str, at_most: int) -> tuple[int, int]:
    """How many rows of a kind are there, counted up to `at_most`, and how many of them are dead letters."""
    rows = reader.query(
        "SELECT COUNT(*), SUM(CASE WHEN reason <> '' THEN 1 ELSE 0 END)"
        " FROM (SELECT reason FROM delivery WHERE kind = ? LIMIT ?) AS counted",
        (kind, at_most),
    )
    return int(rows[0][0]), int(rows[0][1] or 0)


def _claimed(reader: Reader, row: Row) -> Claimed:
    identifier, kind, account, region, target, payload, attempts, deferrals = row[:8]
    max_attempts, created_ms, expires_ms, reason, detail, due_ms = row[8:]
    is_large = payload is None
    if is_large:
        found = reader.one("SELECT payload FROM delivery_payload WHERE id = ?", (identifier,))
        payload = found[0] if found else b""
    delivery = Delivery(
        id=identifier,
        kind=kind,
        account=account,
        region=region,
        target=target,
        payload=payload,
        attempt=attempts + (0 if reason else 1),
        deferrals=deferrals,
        max_attempts=max_attempts,
        created_ms=created_ms,
        expires_ms=expires_ms,
        reason=reason,
        detail=detail,
    )
    return Claimed(delivery, due_ms, is_large)
