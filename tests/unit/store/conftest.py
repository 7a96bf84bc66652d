"""The store under test, over each backend."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloudlet.store.base import Store
from cloudlet.store.sqlite import SqliteStore


@pytest.fixture(params=("sqlite", "postgresql"))
async def store(request: pytest.FixtureRequest, stores: tuple[str, ...], data_folder: Path) -> AsyncIterator[Store]:
    """An empty, open store."""
    if request.param not in stores:
        pytest.skip("left out by --stores")
    if request.param == "sqlite":
        opened = await SqliteStore.open(data_folder)
        yield opened
        await opened.close()
