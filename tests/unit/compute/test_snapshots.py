"""Snapshots of function versions: taken once, shared, dropped, taken again; and what environments make of them."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import replace

import orjson
import pytest

from cloudlet.compute import snap_start
from cloudlet.compute.function import SNAP_START, FunctionVersion, SandboxFailure, TooManyRequests
from cloudlet.config import MIB
from tests.support.clock import ManualClock
from tests.support.compute_world import ComputeWorld, ScriptedSandbox, function_version, invocation

FUNCTION = replace(function_version(version="1"), initialization_type=SNAP_START)


class SnapWorld(ComputeWorld):
    async def taken(self, size_bytes: int = 50 * MIB) -> ScriptedSandbox:
        """The next sandbox, which is to be copied, and is."""
        sandbox = await self.sandbox()
        assert sandbox.spec.takes_snapshot
        self.launcher.snapshots.add(sandbox.spec.sandbox_id)
        sandbox.snapshot_bytes.set_result(size_bytes)
        return sandbox

    @property
    def charged_bytes(self) -> int:
        return self.placement.workers[0].charged_bytes


@pytest.fixture
async def world() -> AsyncIterator[SnapWorld]:
    world = SnapWorld(ManualClock())
    async with world:
        yield world


async def test_the_first_environment_takes_the_snapshot_and_wakes_up_from_it(world: SnapWorld) -> None:
    task = world.invoke(FUNCTION)
    taken = await world.taken()
    restored = await world.serving()
    assert (await task).payload == b'"ok"'
    assert restored.spec.snapshot == taken.spec.sandbox_id
    assert not restored.spec.takes_snapshot
    assert taken.is_closed
    first, *_ = world.logs.messages
    assert first.startswith("INIT_START ")
    assert any(line.startswith("RESTORE_START ") for line in world.logs.messages)
    [report] = [line for line in world.logs.messages if line.startswith("REPORT")]
    assert "\tRestore Duration: " in report
    assert "Init Duration" not in report


async def test_many_environments_share_one(world: SnapWorld) -> None:
    tasks = [world.invoke(FUNCTION) for _ in range(5)]
    taken = await world.taken()
    restored = [await world.serving() for _ in tasks]
    await asyncio.gather(*tasks)
    assert {sandbox.spec.snapshot for sandbox in restored} == {taken.spec.sandbox_id}
    assert world.worker.snapshots.count == 1


async def test_it_is_taken_ahead_when_the_version_is_prepared(world: SnapWorld) -> None:
    task = asyncio.create_task(world.front_end.prepare(FUNCTION))
    await world.taken(90 * MIB)
    await task
    assert world.charged_bytes == 90 * MIB
    world.front_end.retire(FUNCTION.function_arn)
    assert (world.charged_bytes, world.launcher.snapshots) == (0, set())


async def test_those_of_versions_that_stay_are_kept(world: SnapWorld) -> None:
    task = asyncio.create_task(world.front_end.prepare(FUNCTION))
    await world.taken()
    await task
    world.front_end.retire(FUNCTION.function_arn, {FUNCTION.environment_id})
    assert world.worker.snapshots.count == 1


async def test_one_that_is_lost_is_taken_again(world: SnapWorld) -> None:
    task = asyncio.create_task(world.front_end.prepare(FUNCTION))
    first = await world.taken()
    await task
    world.launcher.snapshots.clear()  # the zygote has ended
    task = asyncio.create_task(world.front_end.prepare(FUNCTION))
    second = await world.taken(60 * MIB)
    await task
    assert first is not second
    assert world.charged_bytes == 60 * MIB


async def test_one_from_before_time_was_moved_is_taken_again(world: SnapWorld) -> None:
    """What its clients have for credentials ends before they can see it."""
    assert isinstance(world.clock, ManualClock)
    task = asyncio.create_task(world.front_end.prepare(FUNCTION))
    await world.taken()
    await task
    world.clock.advance(13 * 3600)
    await world.front_end.prepare(FUNCTION)
    world.clock.jump(3600)
    task = asyncio.create_task(world.front_end.prepare(FUNCTION))
    await world.taken(60 * MIB)
    await task
    assert (world.charged_bytes, world.worker.snapshots.count) == (60 * MIB, 1)
    await world.front_end.prepare(FUNCTION)


async def test_one_that_is_not_used_is_dropped(world: SnapWorld) -> None:
    assert isinstance(world.clock, ManualClock)
    world.worker.snapshots._idle_s = 100.0
    task = asyncio.create_task(world.front_end.prepare(FUNCTION))
    await world.taken()
    await task
    world.clock.advance(99.0)
    await asyncio.sleep(0)
    assert world.worker.snapshots.count == 1
    world.clock.advance(1.0)
    while world.worker.snapshots.count:
        await asyncio.sleep(0)
    assert world.charged_bytes == 0


async def test_an_init_phase_that_fails_is_told_and_leaves_nothing(world: SnapWorld) -> None:
    task = asyncio.create_task(world.front_end.prepare(FUNCTION))
    sandbox = await world.sandbox()
    runtime = await sandbox.connect()
    runtime.request("POST", "/runtime/init/error", b'{"errorType":"ValueError","errorMessage":"no"}')
    with pytest.raises(snap_start.SnapshotFailed, match="ValueError: no") as caught:
        await task
    assert caught.value.code == "FunctionError"
    assert (world.charged_bytes, world.worker.snapshots.count) == (0, 0)


async def test_a_runtime_that_asks_for_an_invocation_cannot_be_kept(world: SnapWorld) -> None:
    task = asyncio.create_task(world.front_end.prepare(FUNCTION))
    await world.serving()
    with pytest.raises(snap_start.SnapshotFailed, match="does not know of SnapStart"):
        await task


async def test_what_the_launcher_cannot_keep_is_told(world: SnapWorld) -> None:
    task = asyncio.create_task(world.front_end.prepare(FUNCTION))
    sandbox = await world.sandbox()
    sandbox.snapshot_bytes.set_exception(SandboxFailure("too many memory mappings"))
    with pytest.raises(snap_start.SnapshotFailed, match="too many memory mappings"):
        await task


async def test_an_init_phase_has_a_limit(world: SnapWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudlet.compute.init_phase.PREPARED_INIT_LIMIT_S", 0.01)
    task = asyncio.create_task(world.front_end.prepare(replace(FUNCTION, timeout_s=0)))
    await world.sandbox()
    with pytest.raises(snap_start.SnapshotFailed, match="timed out") as caught:
        await task
    assert caught.value.code == "FunctionError.InitTimeout"


async def test_without_room_there_is_none(world: SnapWorld) -> None:
    world.available_bytes = 0
    with pytest.raises(TooManyRequests):
        await world.front_end.prepare(FUNCTION)
    with pytest.raises(TooManyRequests):
        await world.front_end.invoke(FUNCTION, invocation())


async def test_a_hook_that_fails_fails_the_invocation(world: SnapWorld) -> None:
    task = world.invoke(FUNCTION)
    await world.taken()
    sandbox = await world.sandbox()
    runtime = await sandbox.connect()
    runtime.request("POST", "/runtime/restore/error", b'{"errorType":"ValueError"}')
    with pytest.raises(snap_start.RestoreFailed, match="runtime hook"):
        await task
    assert world.logs.messages[-1].endswith("\tStatus: error\tError Type: Runtime.ExitError\n")


async def test_a_restore_has_a_limit(world: SnapWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snap_start, "RESTORE_LIMIT_S", 0.01)
    task = world.invoke(FUNCTION)
    await world.taken()
    with pytest.raises(snap_start.RestoreTimedOut):
        await task


async def test_it_asks_the_platform_for_credentials(world: SnapWorld) -> None:
    assert isinstance(world.clock, ManualClock)
    world.clock.jump(30 * 24 * 3600)
    task = world.invoke(FUNCTION)
    await world.taken()
    sandbox = await world.sandbox()
    runtime = await sandbox.connect()
    runtime.send(b"GET /2021-04-23/credentials HTTP/1.1\r\nHost: api\r\n\r\n")
    status, _, body = await runtime.answer()
    answer = orjson.loads(body)
    assert (status, sorted(answer)) == (200, ["AccessKeyId", "Expiration", "SecretAccessKey", "Token"])
    left_s = dt.datetime.fromisoformat(answer["Expiration"]).timestamp() - world.clock.wall()
    assert 0 < left_s <= 12 * 3600  # by the time that sandboxes see
    runtime.request("GET", "/runtime/restore/next")
    assert (await runtime.answer())[0] == 404
    serving = asyncio.create_task((await sandbox.connect()).serve())
    await task
    serving.cancel()


async def test_other_functions_have_them_in_their_variables(world: SnapWorld) -> None:
    task = world.invoke(function_version())
    sandbox = await world.sandbox()
    runtime = await sandbox.connect()
    runtime.send(b"GET /2021-04-23/credentials HTTP/1.1\r\nHost: api\r\n\r\n")
    assert (await runtime.answer())[0] == 404
    serving = asyncio.create_task((await sandbox.connect()).serve())
    await task
    serving.cancel()


async def test_a_burst_leaves_room_for_the_snapshot_that_it_waits_for() -> None:
    world = SnapWorld(ManualClock(), capacity_bytes=192 * MIB)
    async with world:
        tasks = [world.invoke(FUNCTION) for _ in range(3)]
        await world.taken(MIB)
        for _ in tasks:
            await world.serving()
        await asyncio.gather(*tasks)


async def test_one_that_is_not_in_use_makes_room() -> None:
    clock = ManualClock()
    world = SnapWorld(clock, capacity_bytes=160 * MIB)
    async with world:
        used = world.invoke(FUNCTION)
        await world.taken(60 * MIB)
        await world.serving()
        await used
        unused = asyncio.create_task(world.front_end.prepare(other("b")))
        await world.taken(40 * MIB)
        await unused
        clock.advance(60.0)
        third = world.invoke(function_version("c"))
        await world.serving()
        await third
        assert world.worker.snapshots.count == 1
        assert world.charged_bytes <= 160 * MIB


def other(name: str) -> FunctionVersion:
    return replace(function_version(name, version="1"), initialization_type=SNAP_START)
