import asyncio
from pathlib import Path

import pytest

from cloudlet.store.sqlite import SqliteStore
from cloudlet.stored_clock import StoredClock


async def test_time_stays_moved_after_a_restart(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path)
    stored = await StoredClock.open(store)
    await stored.advance(1000)
    await stored.advance(500)
    await stored.close()
    await store.close()

    store = await SqliteStore.open(tmp_path)
    stored = await StoredClock.open(store)
    assert 1499 < stored.clock.offset_s <= 1500
    await stored.close()
    await store.close()


async def test_another_node_of_the_store_follows(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path)
    first, second = await StoredClock.open(store), await StoredClock.open(store)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(second.clock.sleep(900))
        await asyncio.sleep(0)
        await first.advance(1000)
    assert second.clock.offset_s > 899
    await second.advance(1)
    assert second.clock.offset_s > 1000
    await first.close()
    await second.close()
    await store.close()


async def test_time_survives_a_reset_of_the_store(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path)
    stored = await StoredClock.open(store)
    await stored.advance(1000)
    await store.reset()
    await stored.reset()
    again = await StoredClock.open(store)
    assert again.clock.offset_s > 999
    with pytest.raises(ValueError, match="back"):
        await stored.advance(-1)
    await stored.close()
    await again.close()
    await store.close()
