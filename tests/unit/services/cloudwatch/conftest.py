"""A CloudWatch service for each test, over each store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloudlet.config import Config
from cloudlet.store.open import open_store
from tests.support.cloudwatch_world import CloudWatchWorld


@pytest.fixture(params=["sqlite", "postgresql"])
async def world(
    request: pytest.FixtureRequest, stores: tuple[str, ...], data_folder: Path
) -> AsyncIterator[CloudWatchWorld]:
    """The service, with nothing in it."""
    if request.param not in stores:
        pytest.skip("left out by --stores")
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else ""
    store, blobs = await open_store(Config(data=data_folder, store=url))
    found = CloudWatchWorld(data_folder, store, blobs)
    await store.migrate("cloudwatch", found.service.migrations)
    yield found
    await store.close()
