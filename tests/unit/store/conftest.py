"""The store under test, over each backend."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from cloudlet.config import Config
from cloudlet.store.base import Store
from cloudlet.store.blobs import Blobs
from cloudlet.store.open import open_store

Opener = Callable[[str], Awaitable[tuple[Store, Blobs]]]


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest, stores: tuple[str, ...]) -> str:
    """The store to test over."""
    if request.param not in stores:
        pytest.skip("left out by --stores")
    return str(request.param)


@pytest.fixture
async def open_again(backend: str, request: pytest.FixtureRequest, data_folder: Path) -> AsyncIterator[Opener]:
    """Opens the same store at each call, as a node does that is named by the argument; closed after the test."""
    url = request.getfixturevalue("postgres_url") if backend == "postgresql" else ""
    async with contextlib.AsyncExitStack() as stack:

        async def opener(node: str = "node") -> tuple[Store, Blobs]:
            store, blobs = await open_store(Config(data=data_folder / node, store=url))
            stack.push_async_callback(store.close)
            return store, blobs

        yield opener


@pytest.fixture
async def opened(open_again: Opener) -> tuple[Store, Blobs]:
    """An empty, open store and its blobs."""
    return await open_again("node")


@pytest.fixture
def store(opened: tuple[Store, Blobs]) -> Store:
    """An empty, open store."""
    return opened[0]


@pytest.fixture
def blobs(opened: tuple[Store, Blobs]) -> Blobs:
    """The blobs of an empty store."""
    return opened[1]
