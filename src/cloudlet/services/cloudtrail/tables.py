"""The SQL of CloudTrail's events."""

from collections.abc import Sequence
from dataclasses import dataclass

from cloudlet.services.cloudtrail.record import Record
from cloudlet.store.base import Migration, Parameter, Reader, Transaction

MIGRATIONS = (
    Migration(
        1,
        (
            """CREATE TABLE cloudtrail_events (
                account TEXT NOT NULL, region TEXT NOT NULL, moment_us BIGINT NOT NULL, event_id TEXT NOT NULL,
                event_name TEXT NOT NULL, event_source TEXT NOT NULL, read_only TEXT NOT NULL,
                access_key_id TEXT NOT NULL, user_name TEXT NOT NULL, resources TEXT NOT NULL, event BLOB NOT NULL,
                PRIMARY KEY (account, region, moment_us, event_id))""",
            "CREATE INDEX cloudtrail_events_by_age ON cloudtrail_events (moment_us)",
        ),
    ),
)
_COLUMNS = "moment_us, event_id, event_name, event_source, read_only, access_key_id, user_name, resources, event"
ATTRIBUTES = {
    "EventId": "event_id = ?",
    "EventName": "event_name = ?",
    "EventSource": "event_source = ?",
    "ReadOnly": "read_only = ?",
    "Username": "user_name = ?",
    "AccessKeyId": "access_key_id = ?",
    "ResourceName": "resources LIKE ? ESCAPE '!'",
    "ResourceType": "resources LIKE ? ESCAPE '!'",
}
"""What events can be found by, and how."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are looked for."""

    account: str
    region: str
    from_us: int
    to_us: int
    """Both are in."""
    attribute: str = ""
    """One of `ATTRIBUTES`; empty for all events."""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """An event as it is kept."""

    moment_us: int
    event_id: str
    name: str
    source: str
    read_only: str
    access_key_id: str
    user_name: str
    resources: str
    """A line for each: type, tab, name."""
    event: bytes


def add(tx: Transaction, records: Sequence[Record]) -> None:
    """Keep events."""
    tx.execute_many(
        f"INSERT INTO cloudtrail_events (account, region, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [_row(record) for record in records],
    )


def _row(record: Record) -> Sequence[Parameter]:
    resources = "".join(f"\n{kind}\t{name}\n" for kind, name in record.resources)
    return (
        record.account,
        record.region,
        record.moment_us,
        record.event_id,
        record.name,
        record.source,
        "true" if record.is_read_only else "false",
        record.access_key_id,
        record.user_name,
        resources.replace("\0", ""),
        record.text,
    )


def find(reader: Reader, wanted: Wanted, before: tuple[int, str], limit: int) -> list[Kept]:
    """Up to `limit` events, the newest first, that are older than (moment, event id) `before`."""
    condition, parameters = "", list[Parameter]()
    if wanted.attribute:
        condition = f"AND {ATTRIBUTES[wanted.attribute]}"
        parameters = [_compared(wanted)]
    rows = reader.query(
        f"""SELECT {_COLUMNS} FROM cloudtrail_events WHERE account = ? AND region = ? AND moment_us >= ?
            AND moment_us <= ? AND (moment_us, event_id) < (?, ?) {condition}
            ORDER BY moment_us DESC, event_id DESC LIMIT ?""",
        (wanted.account, wanted.region, wanted.from_us, wanted.to_us, *before, *parameters, limit),
    )
    return [Kept(*row) for row in rows]


def _compared(wanted: Wanted) -> str:
    if wanted.attribute not in ("ResourceName", "ResourceType"):
        return wanted.value
    plain = wanted.value.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%\t{plain}\n%" if wanted.attribute == "ResourceName" else f"%\n{plain}\t%"


def delete_oldest(tx: Transaction, before_us: int, most: int, limit: int) -> bool:
    """Remove up to `limit` of the oldest events: those before a moment, and those beyond the newest `most`.

    False when nothing was left to remove.
    """
    newest_beyond = tx.one("SELECT moment_us FROM cloudtrail_events ORDER BY moment_us DESC LIMIT 1 OFFSET ?", (most,))
    last = max(before_us - 1, newest_beyond[0] if newest_beyond else 0)
    rows = tx.query(
        "SELECT moment_us FROM cloudtrail_events WHERE moment_us <= ? ORDER BY moment_us LIMIT ?", (last, limit)
    )
    if not rows:
        return False
    tx.execute("DELETE FROM cloudtrail_events WHERE moment_us <= ?", (rows[-1][0],))
    return True
