"""Activation: what a node takes up that another one left."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudlet.clock import PlatformClock
from cloudlet.services.lambda_ import activation
from cloudlet.store.base import StoreUnavailable, Transaction
from cloudlet.store.sqlite import SqliteStore
from tests.support.lambda_world import ROLE, World, zip_of


async def run(world: World) -> asyncio.Task[None]:
    started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(world.run(started))
    await asyncio.wait([started, running], return_when=asyncio.FIRST_COMPLETED)
    return running


async def test_a_creation_that_was_under_way_is_taken_up_at_the_next_start(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path)
    first = World(tmp_path, store, PlatformClock())
    first.prepare.hold()
    running = await run(first)
    await first.call(
        "CreateFunction",
        FunctionName="fn",
        Role=ROLE,
        Runtime="python3.12",
        Handler="h",
        Code={"ZipFile": zip_of(a="")},
        Publish=True,
    )
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await store.close()

    store = await SqliteStore.open(tmp_path)
    second = World(tmp_path, store, PlatformClock())
    running = await run(second)
    assert (await second.settled())["State"] == "Active"
    assert (await second.call("GetFunctionConfiguration", FunctionName="fn", Qualifier="1"))["State"] == "Active"
    second.stop()
    await running
    await store.close()


async def test_a_store_that_fails_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activation, "RETRY_S", 0.0)
    world.prepare.hold()
    creating = asyncio.create_task(world.create())
    await world.exists()
    transact = world.store.transact
    failures = [StoreUnavailable("for a moment")] * 4

    async def failing(fn: Callable[[Transaction], Any]) -> Any:
        if failures:
            raise failures.pop()
        return await transact(fn)

    monkeypatch.setattr(world.store, "transact", failing)
    world.prepare.release()
    await creating
    assert not failures


async def test_an_error_that_nobody_foresaw_is_a_failure_and_no_crash(world: World) -> None:
    world.prepare.error = ZeroDivisionError("secret")
    await world.create()
    failed = await world.settled()
    assert (failed["State"], failed["StateReason"]) == ("Failed", "An internal error occurred.")


async def test_a_function_that_is_deleted_meanwhile_stays_deleted(world: World) -> None:
    world.prepare.hold()
    await world.call(
        "CreateFunction",
        FunctionName="fn",
        Role=ROLE,
        Runtime="python3.12",
        Handler="h",
        Code={"ZipFile": zip_of(a="")},
    )
    await world.call("DeleteFunction", FunctionName="fn")
    world.prepare.release()
    await asyncio.gather(*world.service.activation._changing.values())
    assert (await world.call("ListFunctions"))["Functions"] == []


async def test_one_preparation_serves_all_who_wait_for_it(world: World) -> None:
    await world.create()
    world.prepare.prepared.clear()
    world.prepare.hold()
    await world.call("UpdateFunctionConfiguration", FunctionName="fn", Timeout=9)
    invoking = [asyncio.create_task(world.call("Invoke", FunctionName="fn")) for _ in range(3)]
    await world.store.transact(_nothing)
    world.prepare.release()
    await asyncio.gather(*invoking)
    assert len(world.prepare.prepared) == 1
    assert {version.timeout_s for version, _ in world.compute.ran} == {9}


def _nothing(_: Transaction) -> None:
    pass
