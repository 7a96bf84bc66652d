"""CloudTrail's recorder over a real store, on a clock that stands still."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from cloudlet.config import Config
from cloudlet.iam import tables as iam_tables
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.ids import Ids
from cloudlet.services.cloudtrail import tables
from cloudlet.services.cloudtrail.queue import CallQueue
from cloudlet.services.cloudtrail.recorder import Recorder
from cloudlet.store.sqlite import SqliteStore
from tests.support.clock import ManualClock

ACCOUNT = "111111111111"
MakeContext = Callable[..., RequestContext]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def queue(clock: ManualClock) -> CallQueue:
    return CallQueue(clock, size=4)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path / "data")
    await store.migrate("cloudtrail", tables.MIGRATIONS)
    await store.migrate("iam", iam_tables.MIGRATIONS)
    yield store
    await store.close()


@pytest.fixture
def recorder(tmp_path: Path, store: SqliteStore, clock: ManualClock, queue: CallQueue) -> Recorder:
    return Recorder(Config(data=tmp_path / "data", account=ACCOUNT), store, clock, Ids(), queue)


@pytest.fixture
def context() -> MakeContext:
    """`context("iam", "CreateRole", principal)`: a call that has been made."""

    def make(service: str, operation: str, principal: Principal | None = None, **members: Any) -> RequestContext:
        return RequestContext(
            principal or Principal.root(ACCOUNT, "AKIAROOT"), "eu-west-1", "request-1", service, operation, **members
        )

    return make
