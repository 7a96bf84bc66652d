"""Parts of images: kept while somebody needs them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloudlet.compute.images.store import LEASE_MS, ImageStore, disuse, use
from cloudlet.ids import Ids
from cloudlet.store.folder_blobs import FolderBlobs
from cloudlet.store.sqlite import SqliteStore
from tests.support.clock import ManualClock


class World:
    """A store of parts, and time."""

    def __init__(self, store: SqliteStore, folder: Path) -> None:
        self.clock = ManualClock()
        self.store = store
        self.parts = ImageStore(store, self.clock, Ids(), FolderBlobs(folder / "blobs"))

    async def collect(self) -> None:
        while await self.parts.collect():
            pass


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = await SqliteStore.open(tmp_path / "store")
    world = World(store, tmp_path)
    await world.parts.open()
    yield world
    world.parts.close()
    await store.close()


async def test_a_part_goes_with_its_last_user(world: World) -> None:
    digest = await world.parts.blobs.put(b"layer")
    await world.store.transact(lambda tx: use(tx, "one", [digest]))
    await world.store.transact(lambda tx: use(tx, "two", [digest]))
    await world.store.transact(lambda tx: disuse(tx, "one"))
    await world.collect()
    assert await world.parts.has(digest)
    await world.store.transact(lambda tx: disuse(tx, "two"))
    await world.collect()
    assert not await world.parts.has(digest)


async def test_what_is_brought_is_kept_however_time_is_moved(world: World) -> None:
    digest = await world.parts.blobs.put(b"layer")
    async with world.parts.hold([digest]):
        world.clock.jump(30 * 86400)
        await world.collect()
        assert await world.parts.has(digest)
    await world.collect()
    assert not await world.parts.has(digest)


async def test_the_lease_of_who_died_runs_out(world: World) -> None:
    digest = await world.parts.blobs.put(b"layer")
    holding = world.parts.hold([digest])
    await holding.__aenter__()
    world.clock.advance(LEASE_MS / 1000 + 1)
    await world.collect()
    assert not await world.parts.has(digest)
    await holding.__aexit__(None, None, None)
