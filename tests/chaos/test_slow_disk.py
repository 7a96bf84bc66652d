"""A disk that takes its time: who waits for it waits, the event loop does not."""

import asyncio
import threading
from functools import partial
from pathlib import Path

import pytest

from cloudlet.store.base import Migration, Reader, Transaction
from cloudlet.store.sqlite import SqliteStore

pytestmark = pytest.mark.chaos

TABLE = Migration(1, ("CREATE TABLE pair (name BIGINT PRIMARY KEY)",))


class SlowStore(SqliteStore):
    """A store whose every commit takes until `disk` is set."""

    disk: threading.Event
    commits = 0

    def _commit(self) -> None:
        self.disk.wait()
        self.commits += 1
        super()._commit()


def put(tx: Transaction, name: int) -> None:
    """Insert a row."""
    tx.execute("INSERT INTO pair (name) VALUES (?)", (name,))


def names(reader: Reader) -> list[int]:
    """All rows."""
    return [name for (name,) in reader.query("SELECT name FROM pair ORDER BY name")]


async def test_a_slow_disk_holds_up_nobody_but_who_writes(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = threading.Event()
    disk.set()
    monkeypatch.setattr(SlowStore, "disk", disk, raising=False)
    store = await SlowStore.open(data_folder)
    await store.migrate("test", [TABLE])
    await store.transact(partial(put, name=0))

    disk.clear()
    store.commits = 0
    first = asyncio.ensure_future(store.transact(partial(put, name=1)))
    while store._queue or store._idle.is_set():
        await asyncio.sleep(0)
    later = [asyncio.ensure_future(store.transact(partial(put, name=name))) for name in range(2, 102)]
    for _ in range(10):
        await asyncio.sleep(0)
        assert await store.read(names) == [0], "reads go on, and see nothing that is not on disk"
    assert not first.done()
    assert not any(write.done() for write in later)

    disk.set()
    await asyncio.gather(first, *later)
    assert await store.read(names) == list(range(102))
    assert store.commits == 2, "all that came while the first was being written went together"
    await store.close()
