"""What runs in an environment: what is asked of the launcher, its memory, freezing, and who follows."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from cloudlet.compute.debugging import DebugSession
from cloudlet.config import MIB
from tests.support.clock import ManualClock
from tests.support.compute_world import (
    ComputeWorld,
    ScriptedSandbox,
    function_version,
    invocation,
)


@pytest.fixture
async def world() -> AsyncIterator[ComputeWorld]:
    async with ComputeWorld() as world:
        yield world


async def after_an_invocation(world: ComputeWorld) -> ScriptedSandbox:
    """The sandbox of an environment that has run once, and is idle."""
    call = world.invoke(function_version())
    sandbox = await world.serving()
    await call
    while world.manager.idle == 0:
        await asyncio.sleep(0)
    return sandbox


async def test_the_sandbox_is_what_the_function_asks_for(world: ComputeWorld) -> None:
    function = function_version(
        memory_mb=512, ephemeral_storage_mb=1024, layers=("l1", "l2"), environment={"TABLE": "t"}
    )
    call = world.invoke(function)
    spec = (await world.serving()).spec
    await call
    assert (spec.runtime, spec.handler, spec.memory_mb, spec.ephemeral_storage_mb) == (
        "python3.12",
        "app.handler",
        512,
        1024,
    )
    assert len(spec.layers) == 2
    assert spec.environment["TABLE"] == "t"
    assert spec.environment["AWS_LAMBDA_LOG_STREAM_NAME"] == world.logs.streams[0]
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", world.logs.streams[0])
    assert re.fullmatch(r"[0-9a-f]{32}", spec.sandbox_id)


async def test_the_most_memory_is_reported_and_never_more_than_there_is(world: ComputeWorld) -> None:
    call = world.invoke(function_version())
    sandbox = await world.sandbox()
    runtime = await sandbox.connect()
    headers, _ = await runtime.next()
    sandbox.peak_bytes = 500 * MIB
    await runtime.respond(headers["lambda-runtime-aws-request-id"], b"1")
    assert (await call).memory_peak_mb == 128


@pytest.mark.parametrize(
    ("since_s", "lasts_s", "reported_mb"), [(0.0, 0.0, 36), (0.03, 0.001, 36), (0.0, 0.03, 50), (0.3, 0.0, 50)]
)
async def test_memory_is_not_looked_at_after_each_of_many_short_invocations(
    since_s: float, lasts_s: float, reported_mb: int
) -> None:
    clock = ManualClock()
    async with ComputeWorld(clock) as world:
        call = world.invoke(function_version())
        sandbox = await world.sandbox()
        runtime = await sandbox.connect()
        headers, _ = await runtime.next()
        await runtime.respond(headers["lambda-runtime-aws-request-id"], b"1")
        assert (await call).memory_peak_mb == 36
        sandbox.peak_bytes = 50 * MIB
        clock.advance(since_s)
        call = world.invoke(function_version())
        headers, _ = await runtime.next()
        clock.advance(lasts_s)
        await runtime.respond(headers["lambda-runtime-aws-request-id"], b"1")
        assert (await call).memory_peak_mb == reported_mb


async def test_frozen_environments_thaw_for_the_next_invocation(world: ComputeWorld) -> None:
    sandbox = await after_an_invocation(world)
    for each in world.manager._idle:
        each.freeze()
        each.freeze()
    assert sandbox.frozen == [True]
    await world.front_end.invoke(function_version(), invocation())
    assert sandbox.frozen == [True, False]


async def test_what_is_debugged_is_not_frozen(world: ComputeWorld) -> None:
    world.host.debuggers[function_version().environment_id] = DebugSession(0)
    sandbox = await after_an_invocation(world)
    for each in world.manager._idle:
        each.freeze()
    assert sandbox.frozen == []


async def test_after_a_timeout_another_sandbox_follows_in_the_same_environment(world: ComputeWorld) -> None:
    function = function_version(timeout_s=0.05)
    call = world.invoke(function)
    first = await world.sandbox()
    await (await first.connect()).next()
    await call
    assert [first.is_closed] == [False]
    again = world.invoke(function)
    second = await world.serving(b'"fresh"')
    assert (await again).payload == b'"fresh"'
    assert second.spec.follows == first.spec.sandbox_id
    assert first.is_closed
    assert len(world.logs.streams) == 1


async def test_what_a_sandbox_left_is_given_back_with_the_environment(world: ComputeWorld) -> None:
    function = function_version(timeout_s=0.05)
    call = world.invoke(function)
    sandbox = await world.sandbox()
    await (await sandbox.connect()).next()
    await call
    world.front_end.retire(function.function_arn, ())
    assert sandbox.is_closed
