"""What a node does about changes that it hears of."""

import pytest

from cloudlet.services import woken
from cloudlet.services.lambda_ import changes
from cloudlet.services.lambda_.names import FunctionRef
from cloudlet.store.base import StoreUnavailable
from tests.support.lambda_world import ACCOUNT, REGION, World

ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:fn"


async def test_after_a_reset_nothing_runs_and_nothing_is_reserved(world: World) -> None:
    await world.create()
    await world.call("Invoke", FunctionName="fn")
    await world.call("PutFunctionConcurrency", FunctionName="fn", ReservedConcurrentExecutions=5)
    await world.store.reset()
    await world.service.reset()
    assert world.compute.retired[-1] == (ARN, set())
    assert world.counting.told[ACCOUNT, REGION] == (1000, {})
    assert (await world.call("ListFunctions"))["Functions"] == []
    await world.create()
    assert (await world.call("Invoke", FunctionName="fn"))["StatusCode"] == 200


async def test_when_notifications_were_lost_all_is_read_anew(world: World) -> None:
    await world.create()
    await world.call("PutFunctionConcurrency", FunctionName="fn", ReservedConcurrentExecutions=5)
    world.counting.told.clear()
    world.counting.told_one.clear()
    world.service.changes._concurrency_changed("")
    await world.counting.told_one.wait()
    assert world.counting.told == {(ACCOUNT, REGION): (1000, {ARN: 5})}


async def test_a_store_that_cannot_be_read_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(woken, "RETRY_S", 0.0)
    await world.create()
    await world.call("Invoke", FunctionName="fn")
    read, failures = world.store.read, [StoreUnavailable("for a moment")] * 2

    async def failing(fn: object) -> object:
        if failures:
            raise failures.pop()
        return await read(fn)  # type: ignore[arg-type]

    monkeypatch.setattr(world.store, "read", failing)
    world.compute.retired_one.clear()
    world.service.changes._function_changed(f"{ACCOUNT}/{REGION}/fn")
    await world.compute.retired_one.wait()
    assert world.compute.retired[-1][0] == ARN


async def test_only_so_many_functions_are_known(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MAX_KNOWN", 2)
    for name in ("a", "b", "a", "c"):
        world.service.changes.know(FunctionRef(ACCOUNT, REGION, name))
    assert [key.rpartition("/")[2] for key in world.service.changes._known] == ["a", "c"]


async def test_waiting_ends_in_time(world: World) -> None:
    ref = FunctionRef(ACCOUNT, REGION, "never")
    assert not await world.service.changes.wait(ref, until=lambda _: False, timeout_s=0.01)
    assert world.service.changes._waiters == {}
