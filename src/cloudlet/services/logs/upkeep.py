"""Work behind the requests: removing what was deleted and what is past its retention, in small transactions.

No transaction touches more than ROWS_PER_STEP rows, so that a group with years of events is deleted without anyone
waiting for it. What is to be removed is itself a row, and is taken up again after a restart.
"""

import asyncio
import logging
from collections.abc import Sequence

from cloudlet.clock import Clock, now_ms
from cloudlet.services.logs.ingestion import DAY_MS
from cloudlet.services.logs.tables import Place
from cloudlet.services.woken import sweep_for_ever, work_when_woken
from cloudlet.store.base import Reader, Row, Store, Transaction

ROWS_PER_STEP = 500
SWEEP_INTERVAL_S = 3_600.0
"""How often expired events are removed. They are not shown from the moment they expire."""

logger = logging.getLogger(__name__)

GroupKey = tuple[str, str, str]
ExpiringGroup = tuple[str, str, str, int, int]
"""Account, region, name, id and retention in days."""


class Upkeep:
    """The service's background loops."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._deleted = asyncio.Event()

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Run until `tasks` ends."""
        self._deleted.set()
        removing = work_when_woken(self._deleted, self.remove_deleted, logger, "deleted logs could not be removed")
        tasks.create_task(removing, name="logs: remove what was deleted")
        complaint = "expired events could not be removed"
        sweeping = sweep_for_ever(self._clock, SWEEP_INTERVAL_S, self.sweep, logger, complaint)
        tasks.create_task(sweeping, name="logs: remove what is expired")

    def wake(self) -> None:
        """Something was deleted."""
        self._deleted.set()

    async def remove_deleted(self) -> None:
        """Remove the streams and events of all deleted groups and streams."""
        while await self._store.transact(_remove_step):
            pass

    async def sweep(self) -> None:
        """Remove the events that are past their group's retention."""
        after: GroupKey = ("", "", "")
        while groups := await self._expiring_groups(after):
            for group in groups:
                await self._sweep_group(group)
            after = groups[-1][:3]

    async def _expiring_groups(self, after: GroupKey) -> list[ExpiringGroup]:
        return await self._store.read(lambda reader: _expiring_groups(reader, after))

    async def _sweep_group(self, group: ExpiringGroup) -> None:
        account, region, _, group_id, retention_days = group
        before_second = (now_ms(self._clock) - retention_days * DAY_MS) // 1000

        def step(tx: Transaction) -> bool:
            return _remove_chunks(tx, Place(account, region), "group_id", group_id, before_second)

        while await self._store.transact(step):
            pass


def _expiring_groups(reader: Reader, after: GroupKey) -> list[ExpiringGroup]:
    rows = reader.query(
        """SELECT account, region, name, id, retention_days FROM logs_groups
            WHERE retention_days IS NOT NULL AND (account, region, name) > (?, ?, ?)
            ORDER BY account, region, name LIMIT ?""",
        (*after, ROWS_PER_STEP),
    )
    return [(account, region, name, group_id, days) for account, region, name, group_id, days in rows]


def _remove_step(tx: Transaction) -> bool:
    """Remove some rows; false when nothing is left to do."""
    row = tx.one("SELECT account, region, kind, id FROM logs_removals ORDER BY account, region, kind, id LIMIT 1")
    if row is None:
        return False
    account, region, kind, removed_id = row
    place = Place(account, region)
    column = "group_id" if kind == "group" else "stream_id"
    if _remove_chunks(tx, place, column, removed_id):
        return True
    if kind == "group" and _remove_streams(tx, place, removed_id):
        return True
    sql = "DELETE FROM logs_removals WHERE account = ? AND region = ? AND kind = ? AND id = ?"
    tx.execute(sql, (*place, kind, removed_id))
    return True


def _remove_chunks(tx: Transaction, place: Place, column: str, owner_id: int, before_second: int = 1 << 62) -> bool:
    """Remove some chunks of a group or a stream and what they count; false when there are none."""
    rows = tx.query(
        f"""SELECT stream_id, second, sequence, size_bytes FROM logs_chunks
            WHERE account = ? AND region = ? AND {column} = ? AND second < ? ORDER BY second LIMIT ?""",
        (*place, owner_id, before_second, ROWS_PER_STEP),
    )
    _subtract(tx, place, rows)
    tx.execute_many(
        "DELETE FROM logs_chunks WHERE account = ? AND region = ? AND stream_id = ? AND second = ? AND sequence = ?",
        [(*place, stream_id, second, sequence) for stream_id, second, sequence, _ in rows],
    )
    return bool(rows)


def _subtract(tx: Transaction, place: Place, rows: Sequence[Row]) -> None:
    totals: dict[int, int] = {}
    for stream_id, _, _, size_bytes in rows:
        totals[stream_id] = totals.get(stream_id, 0) + size_bytes
    tx.execute_many(
        "UPDATE logs_streams SET stored_bytes = stored_bytes - ? WHERE account = ? AND region = ? AND id = ?",
        [(total, *place, stream_id) for stream_id, total in sorted(totals.items())],
    )


def _remove_streams(tx: Transaction, place: Place, group_id: int) -> bool:
    rows = tx.query(
        "SELECT name FROM logs_streams WHERE account = ? AND region = ? AND group_id = ? ORDER BY name LIMIT ?",
        (*place, group_id, ROWS_PER_STEP),
    )
    tx.execute_many(
        "DELETE FROM logs_streams WHERE account = ? AND region = ? AND group_id = ? AND name = ?",
        [(*place, group_id, name) for (name,) in rows],
    )
    return bool(rows)
