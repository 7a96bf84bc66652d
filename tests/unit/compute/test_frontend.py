"""The front end: counting around every invocation, callers who go away, the end of the node."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from cloudlet.compute.counting import FUNCTION_RESERVED
from cloudlet.compute.function import ComputeError, SandboxFailure, TooManyRequests
from tests.support.compute_world import ACCOUNT, REGION, ComputeWorld, function_version, invocation


@pytest.fixture
async def world() -> AsyncIterator[ComputeWorld]:
    async with ComputeWorld() as world:
        yield world


def reserve(world: ComputeWorld, **reserved: int) -> None:
    arns = {function_version(name).function_arn: count for name, count in reserved.items()}
    world.front_end.counting.configure(ACCOUNT, REGION, 1000, arns)


async def test_an_invocation_is_counted_while_it_runs(world: ComputeWorld) -> None:
    reserve(world, greet=1)
    call = world.invoke(function_version())
    sandbox = await world.sandbox()
    with pytest.raises(TooManyRequests) as refused:
        await world.front_end.invoke(function_version(), invocation())
    assert refused.value.reason == FUNCTION_RESERVED
    runtime = await sandbox.connect()
    headers, _ = await runtime.next()
    await runtime.respond(headers["lambda-runtime-aws-request-id"], b"1")
    await call
    assert world.front_end.running == world.front_end.counting.running(ACCOUNT, REGION) == 0


async def test_a_function_that_calls_itself_through_its_only_slot_is_refused_not_stuck(world: ComputeWorld) -> None:
    reserve(world, greet=1)
    call = world.invoke(function_version())
    runtime = await (await world.sandbox()).connect()
    headers, _ = await runtime.next()
    with pytest.raises(TooManyRequests):
        await world.front_end.invoke(function_version(), invocation())
    await runtime.respond(headers["lambda-runtime-aws-request-id"], b'"refused"')
    assert (await call).payload == b'"refused"'


async def test_a_function_calls_another_while_it_runs_through_the_only_slot_of_a_third(world: ComputeWorld) -> None:
    reserve(world, outer=1, inner=1)
    outer = world.invoke(function_version("outer"))
    runtime = await (await world.sandbox()).connect()
    headers, _ = await runtime.next()
    inner = world.invoke(function_version("inner"))
    await world.serving(b'"inner"')
    await runtime.respond(headers["lambda-runtime-aws-request-id"], (await inner).payload)
    assert (await outer).payload == b'"inner"'


async def test_a_platform_error_gives_the_slot_back(world: ComputeWorld) -> None:
    world.launcher.failures.append(SandboxFailure("no namespaces"))
    with pytest.raises(SandboxFailure):
        await world.front_end.invoke(function_version(), invocation())
    assert world.front_end.running == world.front_end.counting.running(ACCOUNT, REGION) == 0


async def test_credentials_that_cannot_be_had_are_an_error(
    world: ComputeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_: object) -> None:
        raise ComputeError("The role cannot be assumed.")

    monkeypatch.setattr(world.credentials, "credentials", refuse)
    with pytest.raises(ComputeError, match="cannot be assumed"):
        await world.front_end.invoke(function_version(), invocation())
    assert world.code.users == {"a" * 64: 0}


async def test_a_caller_who_goes_away_before_it_began_takes_it_back(world: ComputeWorld) -> None:
    call = world.invoke(function_version())
    sandbox = await world.sandbox()
    call.cancel()
    await asyncio.wait([call])
    assert world.front_end.running == 0
    runtime = await sandbox.connect()
    runtime.poll()
    while world.manager.idle == 0:
        await asyncio.sleep(0)


async def test_a_caller_who_goes_away_later_does_not_end_the_function(world: ComputeWorld) -> None:
    call = world.invoke(function_version())
    runtime = await (await world.sandbox()).connect()
    headers, _ = await runtime.next()
    call.cancel()
    await asyncio.wait([call])
    assert world.front_end.running == world.front_end.counting.running(ACCOUNT, REGION) == 1
    assert await runtime.respond(headers["lambda-runtime-aws-request-id"], b"1") == 202
    while world.front_end.running:
        await asyncio.sleep(0)
    assert world.logs.messages[-1].startswith("REPORT ")


async def test_draining_lets_what_runs_finish_and_takes_nothing_new() -> None:
    world = ComputeWorld()
    await world.front_end.start()
    call = world.invoke(function_version())
    runtime = await (await world.sandbox()).connect()
    headers, _ = await runtime.next()
    drain = asyncio.create_task(world.front_end.drain(30))
    await asyncio.sleep(0)
    with pytest.raises(SandboxFailure):
        await world.front_end.invoke(function_version(), invocation())
    world.front_end.prewarm(function_version())
    await runtime.respond(headers["lambda-runtime-aws-request-id"], b'"finished"')
    assert (await call).payload == b'"finished"'
    await drain
    assert all(sandbox.is_closed for sandbox in world.launcher.launched)
    assert len(world.launcher.launched) == 1


async def test_draining_ends_what_does_not_finish_in_time() -> None:
    world = ComputeWorld()
    await world.front_end.start()
    call = world.invoke(function_version())
    await (await (await world.sandbox()).connect()).next()
    waiting = world.invoke(function_version())
    starting = await world.sandbox()
    await world.front_end.drain(0.01)
    for each in (call, waiting):
        with pytest.raises(SandboxFailure):
            await each
    assert starting.is_closed
    assert world.front_end.running == 0
    assert world.code.users == {"a" * 64: 0}


async def test_starting_starts_the_launcher(world: ComputeWorld) -> None:
    assert world.launcher.is_started


async def test_preparing_unpacks_the_package_and_starts_nothing(world: ComputeWorld) -> None:
    await world.front_end.prepare(function_version(layers=("layer",)))
    assert world.launcher.prepared == ["python3.12"]
    assert world.code.users == {"a" * 64: 0, "layer": 0}
    assert world.launcher.launched == []


async def test_a_changed_function_runs_its_new_version_at_once(world: ComputeWorld) -> None:
    call = world.invoke(function_version(environment_id="old"))
    await world.serving(b'"old"')
    await call
    world.front_end.retire(function_version().function_arn, ["new"])
    call = world.invoke(function_version(environment_id="new"))
    await world.serving(b'"new"')
    assert (await call).payload == b'"new"'
    assert world.manager.environments == 1
