"""What people do with work: look at it, try it again now, drop it."""

from dataclasses import dataclass

from cloudlet.clock import Clock, now_ms
from cloudlet.delivery import kept_tables, tables
from cloudlet.store.base import Reader, Row, Store, Transaction

RETRIED_AGE_MS = 6 * 3600 * 1000
"""What was dead and is tried again gets this time to be done."""
MAX_LISTED = 1000
MAX_TEXT = 2000
"""Of an error or a payload, characters that are shown."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A piece of work as people see it. Times are milliseconds of the platform's clock."""

    id: str
    kind: str
    account: str
    region: str
    target: str
    state: str
    """waiting, running or dead."""
    attempts: int
    max_attempts: int
    created_ms: int
    due_ms: int
    """When it is tried next; for what is dead: when it died."""
    reason: str
    """Why it is dead, also while its letter is still on its way."""
    error: str


class ByHand:
    """Looks and changes. What an engine is working on at the moment is left alone."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def list(self, state: str = "", kind: str = "", limit: int = MAX_LISTED) -> list[Listed]:
        """At most `limit` pieces of work, those that are due first and those that died last before the others."""
        limit = max(0, min(limit, MAX_LISTED))

        def read(reader: Reader) -> list[Listed]:
            found: list[Listed] = []
            if state != "dead":
                found += [_waiting(row) for row in _rows(reader, state, kind, limit)]
            if state in ("", "dead"):
                found += [_kept(row) for row in _kept_rows(reader, kind, limit)]
            return found[:limit]

        return await self._store.read(read)

    async def payload(self, identifier: str) -> bytes | None:
        """What it is about; None when there is no such work."""

        def read(reader: Reader) -> bytes | None:
            for table in ("delivery_payload", "delivery_kept", "delivery"):
                row = reader.one(f"SELECT payload FROM {table} WHERE id = ?", (identifier,))
                if row is not None and row[0] is not None:
                    return bytes(row[0])
            return None

        return await self._store.read(read)

    async def retry(self, identifier: str) -> bool:
        """Try it again now; dead work gets all its attempts anew. False when there is none, or it is running."""

        def retry(tx: Transaction) -> bool:
            now = now_ms(self._clock)
            row = kept_tables.take(tx, identifier)
            if row is not None:
                kind, target, *_ = row
                _revive(tx, identifier, row, now)
            else:
                waiting = tx.query(
                    "UPDATE delivery SET due_ms = ? WHERE id = ? AND owner = '' RETURNING kind, target",
                    (now, identifier),
                )
                if not waiting:
                    return False
                kind, target = waiting[0]
            tx.notify(tables.CHANNEL, f"{now} {kind} {target}")
            return True

        return await self._store.transact(retry)

    async def drop(self, identifier: str) -> bool:
        """Forget it for good. False when there is none, or it is running."""

        def drop(tx: Transaction) -> bool:
            if kept_tables.take(tx, identifier) is None and not tx.execute(
                "DELETE FROM delivery WHERE id = ? AND owner = ''", (identifier,)
            ):
                return False
            kept_tables.drop(tx, [identifier])
            return True

        return await self._store.transact(drop)


def _revive(tx: Transaction, identifier: str, row: Row, now: int) -> None:
    kind, target, account, region, payload, max_attempts, created_ms = row
    tx.execute(
        "INSERT INTO delivery (kind, target, due_ms, id, account, region, payload, attempts, deferrals, max_attempts,"
        " created_ms, expires_ms, reason, detail, owner, lease_until_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?, ?, '', ?, '', 0)",
        (
            kind,
            target,
            now,
            identifier,
            account,
            region,
            payload,
            max_attempts,
            created_ms,
            now + RETRIED_AGE_MS,
            b"",
        ),
    )


def _rows(reader: Reader, state: str, kind: str, limit: int) -> list[Row]:
    which = {"waiting": " AND owner = ''", "running": " AND owner <> ''"}.get(state, "")
    return reader.query(
        "SELECT id, kind, account, region, target, attempts, max_attempts, created_ms, due_ms, reason, detail, owner"
        f" FROM delivery WHERE (kind = ? OR ? = ''){which} ORDER BY due_ms, id LIMIT ?",
        (kind, kind, limit),
    )


def _kept_rows(reader: Reader, kind: str, limit: int) -> list[Row]:
    return reader.query(
        "SELECT id, kind, account, region, target, attempts, max_attempts, created_ms, died_ms, reason, detail"
        " FROM delivery_kept WHERE (kind = ? OR ? = '') ORDER BY died_ms DESC, id DESC LIMIT ?",
        (kind, kind, limit),
    )


def _waiting(row: Row) -> Listed:
    *shown, detail, owner = row
    identifier, kind, account, region, target, attempts, max_attempts, created_ms, due_ms, reason = shown
    state = "running" if owner else "waiting"
    return Listed(
        identifier, kind, account, region, target, state, attempts, max_attempts, created_ms, due_ms, reason,
        _text(detail),
    )  # fmt: skip


def _kept(row: Row) -> Listed:
    identifier, kind, account, region, target, attempts, max_attempts, created_ms, died_ms, reason, detail = row
    return Listed(
        identifier, kind, account, region, target, "dead", attempts, max_attempts, created_ms, died_ms, reason,
        _text(detail),
    )  # fmt: skip


def _text(detail: bytes) -> str:
    return detail[: 4 * MAX_TEXT].decode(errors="replace")[:MAX_TEXT]
