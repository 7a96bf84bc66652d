"""Routes: what an invocation runs, and how soon it runs something else."""

import asyncio
from typing import Any

import pytest

from cloudlet.compute.function import FunctionVersion, RuntimeMissing
from cloudlet.errors import ServiceError
from cloudlet.services.lambda_ import routes as module
from cloudlet.services.lambda_.routes import Route, Routes
from tests.support.lambda_world import World, zip_of


@pytest.fixture
def routes(world: World) -> Routes:
    return world.service.invoker._routes


async def version_of(routes: Routes, world: World, name: str = "fn", qualifier: str = "") -> FunctionVersion:
    return (await routes.find(world.context(), name, qualifier)).function


async def test_a_route_is_read_once(world: World, routes: Routes, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.create()
    route = await routes.find(world.context(), "fn", "")

    async def no_read(fn: Any) -> Any:
        raise AssertionError("read")

    monkeypatch.setattr(world.store, "read", no_read)
    assert await routes.find(world.context(), "fn", "") is route


async def test_a_route_is_read_anew_after_a_while(
    world: World, routes: Routes, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.create()
    route = await routes.find(world.context(), "fn", "")
    now = world.clock.monotonic()
    monkeypatch.setattr(world.clock, "monotonic", lambda: now + module.ROUTE_S + 1)
    assert await routes.find(world.context(), "fn", "") is not route


async def test_accounts_have_functions_of_the_same_name(world: World, routes: Routes) -> None:
    await world.create()
    with pytest.raises(ServiceError, match="Function not found"):
        await routes.find(world.context(account="222222222222"), "fn", "")


async def test_an_update_is_seen_by_the_next_invocation(world: World, routes: Routes) -> None:
    await world.create()
    assert (await version_of(routes, world)).timeout_s == 3
    await world.call("UpdateFunctionConfiguration", FunctionName="fn", Timeout=9)
    assert (await version_of(routes, world)).timeout_s == 9
    await world.settled()
    assert (await version_of(routes, world)).timeout_s == 9


async def test_a_function_that_is_being_created_is_waited_for(world: World, routes: Routes) -> None:
    world.prepare.hold()
    creating = asyncio.create_task(world.create())
    await world.exists()
    finding = asyncio.create_task(version_of(routes, world))
    done, _ = await asyncio.wait([finding], timeout=0)
    assert not done
    world.prepare.release()
    assert (await finding).name == "fn"
    await creating


async def test_what_is_not_created_in_time_is_refused_as_aws_does(
    world: World, routes: Routes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CREATION_WAIT_S", 0)
    world.prepare.hold()
    creating = asyncio.create_task(world.create())
    await world.exists()
    with pytest.raises(ServiceError) as caught:
        await version_of(routes, world)
    assert caught.value.code == "ResourceConflictException"
    assert caught.value.message == (
        "The operation cannot be performed at this time. The function is currently in the following state: Pending"
    )
    world.prepare.release()
    await creating


async def test_while_an_update_takes_long_the_old_code_runs(
    world: World, routes: Routes, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.create()
    old = await version_of(routes, world)
    monkeypatch.setattr(module, "UPDATE_WAIT_S", 0)
    world.prepare.hold()
    await world.call("UpdateFunctionCode", FunctionName="fn", ZipFile=zip_of(index_py="new"))
    assert await version_of(routes, world) == old
    world.prepare.release()
    await world.settled()
    assert (await version_of(routes, world)).code_digest != old.code_digest


async def test_a_function_whose_runtime_is_gone_says_so(world: World, routes: Routes) -> None:
    world.prepare.error = RuntimeMissing("install it so")
    await world.create()
    with pytest.raises(ServiceError) as caught:
        await version_of(routes, world)
    assert (caught.value.code, caught.value.message) == ("InvalidRuntimeException", "install it so")


async def test_an_alias_with_a_weight_goes_two_ways(world: World, routes: Routes) -> None:
    await world.create(Publish=True)
    await world.call("UpdateFunctionConfiguration", FunctionName="fn", Timeout=9)
    await world.settled()
    await world.call("PublishVersion", FunctionName="fn")
    routing = {"AdditionalVersionWeights": {"2": 0.25}}
    await world.call("CreateAlias", FunctionName="fn", Name="live", FunctionVersion="1", RoutingConfig=routing)
    route = await routes.find(world.context(), "fn", "live")

    class Dice:
        def __init__(self, fraction: float) -> None:
            self._fraction = fraction

        def fraction(self) -> float:
            return self._fraction

    picks = [route.pick(Dice(fraction)).version for fraction in (0.0, 0.24, 0.25, 0.9)]  # type: ignore[arg-type]
    assert picks == ["2", "2", "1", "1"]
    await world.call("UpdateAlias", FunctionName="fn", Name="live", FunctionVersion="2", RoutingConfig={})
    assert (await routes.find(world.context(), "fn", "live")).function.version == "2"


async def test_what_changes_while_it_is_read_is_not_kept(
    world: World, routes: Routes, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.create()
    read = world.store.read

    async def read_and_change(fn: Any) -> Any:
        result = await read(fn)
        monkeypatch.setattr(world.store, "read", read)
        await world.call("UpdateFunctionConfiguration", FunctionName="fn", Timeout=9)
        return result

    monkeypatch.setattr(world.store, "read", read_and_change)
    stale = await routes.find(world.context(), "fn", "")
    assert stale.function.timeout_s == 3
    assert (await routes.find(world.context(), "fn", "")).function.timeout_s == 9


async def test_only_so_many_routes_are_kept(world: World, routes: Routes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ROUTES", 2)
    await world.create()
    for name in ("fn", "fn:$LATEST", "function:fn"):
        await routes.find(world.context(), name, "")
    assert len(routes._routes) == sum(map(len, routes._keys.values())) == 2


async def test_lost_notifications_make_all_routes_old(world: World, routes: Routes) -> None:
    await world.create()
    route: Route = await routes.find(world.context(), "fn", "")
    world.service.changes._function_changed("")
    assert await routes.find(world.context(), "fn", "") is not route


async def test_environments_that_no_version_needs_are_retired(world: World, routes: Routes) -> None:
    await world.create(Publish=True)
    latest, one = await version_of(routes, world), await version_of(routes, world, qualifier="1")
    await world.call("UpdateFunctionConfiguration", FunctionName="fn", Timeout=9)
    await world.settled()
    new = await version_of(routes, world)

    async def retired(keep: set[str]) -> None:
        while (latest.function_arn, keep) not in world.compute.retired:
            world.compute.retired_one.clear()
            await world.compute.retired_one.wait()

    await retired({new.environment_id, one.environment_id})
    assert latest.environment_id not in world.compute.retired[-1][1]
    await world.call("DeleteFunction", FunctionName="fn")
    await retired(set())
