"""A Lambda service for each test."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloudlet.clock import PlatformClock
from cloudlet.store.sqlite import SqliteStore
from tests.support.lambda_world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = await SqliteStore.open(tmp_path)
    world = World(tmp_path, store, PlatformClock())
    started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(world.run(started))
    await asyncio.wait([started, running], return_when=asyncio.FIRST_COMPLETED)
    yield world
    world.stop()
    await running
    await store.close()
