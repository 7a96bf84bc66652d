"""A delivery engine on a store, with a handler that does as it is told and a clock that stands still."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from cloudlet.config import Config
from cloudlet.delivery.delivery import Delivery, Handler, Outcome
from cloudlet.delivery.engine import Engine
from cloudlet.ids import Ids
from cloudlet.store.base import Store
from cloudlet.store.open import open_store
from tests.support.clock import ManualClock

Running = Callable[..., AbstractAsyncContextManager[Engine]]


class Crash(Exception):
    """Raised inside `running`: the engine is gone at once and writes nothing more."""


class ScriptedHandler:
    """Answers attempts with its `outcomes`, the last of them again and again, and keeps what it was given."""

    def __init__(self, *outcomes: Outcome | Exception) -> None:
        self.outcomes: list[Outcome | Exception] = list(outcomes) or [None]
        self.dead_outcomes: list[Outcome] = [None]
        self.delivered: list[Delivery] = []
        self.buried: list[Delivery] = []
        self.gate: asyncio.Event | None = None
        """When it is there, an attempt waits for it."""
        self.running = 0
        self.running_most = 0

    async def deliver(self, delivery: Delivery) -> Outcome:
        self.delivered.append(delivery)
        self.running += 1
        self.running_most = max(self.running, self.running_most)
        try:
            if self.gate is not None:
                await self.gate.wait()
        finally:
            self.running -= 1
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def dead(self, delivery: Delivery) -> Outcome:
        self.buried.append(delivery)
        return self.dead_outcomes.pop(0) if len(self.dead_outcomes) > 1 else self.dead_outcomes[0]


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still."""
    return ManualClock()


@pytest.fixture(params=["sqlite", "postgresql"])
async def open_again(
    request: pytest.FixtureRequest, stores: tuple[str, ...], data_folder: Path
) -> AsyncIterator[Callable[[str], Awaitable[Store]]]:
    """Opens the same store at each call, as a node does that is named by the argument; closed after the test."""
    if request.param not in stores:
        pytest.skip("left out by --stores")
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else ""
    async with contextlib.AsyncExitStack() as stack:

        async def opener(node: str = "node") -> Store:
            store, _ = await open_store(Config(data=data_folder / node, store=url))
            stack.push_async_callback(store.close)
            return store

        yield opener


@pytest.fixture
async def store(open_again: Callable[[str], Awaitable[Store]]) -> Store:
    """An empty, open store."""
    return await open_again("node")


@pytest.fixture
def running(clock: ManualClock) -> Running:
    """`async with running(store, handler) as engine`: an engine that works, and is stopped at the end."""

    @contextlib.asynccontextmanager
    async def run(
        store: Store, handler: Handler, *, concurrency: int = 256, target_concurrency: int = 64
    ) -> AsyncIterator[Engine]:
        engine = Engine(store, clock, Ids())
        engine.register("work", handler, concurrency=concurrency, target_concurrency=target_concurrency)
        try:
            async with asyncio.TaskGroup() as tasks:
                await engine.start(tasks)
                try:
                    yield engine
                finally:
                    if not isinstance(sys.exc_info()[1], Crash):
                        await engine.stop(timeout_s=0)
        except* Crash:
            pass

    return run
