"""The init phase: what it tells the log, how often it is tried, and what callers get when it fails."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest

from cloudlet.compute import init_phase, runtime_process
from cloudlet.compute.function import RuntimeMissing, SandboxFailure
from tests.support.compute_world import (
    ComputeWorld,
    ScriptedSandbox,
    error_of,
    function_version,
    invocation,
)
from tests.support.function_logs import END, INIT_START, REPORT_HEAD, START, shapes


@pytest.fixture
async def world() -> AsyncIterator[ComputeWorld]:
    async with ComputeWorld() as world:
        yield world


async def fail_init(sandbox: ScriptedSandbox, error_type: str, message: str) -> None:
    """What the official client does when the function cannot be loaded."""
    runtime = await sandbox.connect()
    error = orjson.dumps({"errorMessage": message, "errorType": error_type, "requestId": "", "stackTrace": []})
    sandbox.log(f"[ERROR] {error_type}: {message}")
    runtime.request("POST", "/runtime/init/error", error, {"Lambda-Runtime-Function-Error-Type": error_type})


async def test_an_init_error_is_tried_once_more_and_is_then_the_answer(world: ComputeWorld) -> None:
    call = world.invoke(function_version(), invocation(tail_log=True))
    for _ in range(2):
        await fail_init(await world.sandbox(), "Runtime.ImportModuleError", "Unable to import module 'app'")
    result = await call
    assert error_of(result) == {
        "errorMessage": "Unable to import module 'app'",
        "errorType": "Runtime.ImportModuleError",
        "requestId": "",
        "stackTrace": [],
    }
    status = "Status: error\tError Type: Runtime.ImportModuleError\n"
    line = "[ERROR] Runtime.ImportModuleError: Unable to import module 'app'"
    assert shapes(world.logs.messages) == [
        INIT_START,
        line,
        f"INIT_REPORT Init Duration: <n> ms\tPhase: init\t{status}",
        line,
        f"INIT_REPORT Init Duration: <n> ms\tPhase: invoke\t{status}",
        START,
        END,
        REPORT_HEAD + status,
    ]
    assert len(world.logs.streams) == 1
    tail = result.log_tail.decode()
    assert tail.startswith("[ERROR]")
    assert tail.count("INIT_REPORT") == 2


async def test_an_exception_at_import_is_unknown_to_the_platform(world: ComputeWorld) -> None:
    call = world.invoke(function_version())
    for _ in range(2):
        await fail_init(await world.sandbox(), "ValueError", "no")
    assert error_of(await call)["errorType"] == "ValueError"
    assert world.logs.messages[-1].endswith("Error Type: Runtime.Unknown\n")


async def test_an_init_that_works_the_second_time_is_no_error(world: ComputeWorld) -> None:
    call = world.invoke(function_version())
    (await world.sandbox()).exit(1)
    await world.serving(b'"second"')
    result = await call
    assert (result.payload, result.function_error, result.init_ms) == (b'"second"', "", None)
    assert shapes(world.logs.messages) == [
        INIT_START,
        "INIT_REPORT Init Duration: <n> ms\tPhase: init\tStatus: error\tError Type: Runtime.ExitError\n",
        START,
        END,
        REPORT_HEAD + "\n",
    ]
    assert (await world.front_end.invoke(function_version(), invocation())).payload == b'"second"'


async def test_a_runtime_that_exits_during_init_is_told_as_on_aws(world: ComputeWorld) -> None:
    given = invocation()
    call = world.invoke(function_version(), given)
    for _ in range(2):
        (await world.sandbox()).exit(0)
    assert error_of(await call) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {given.request_id} Error: Runtime exited without providing a reason",
    }


async def test_an_init_over_its_limit_is_tried_again_within_the_functions_timeout(
    world: ComputeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(init_phase, "INIT_LIMIT_S", 0.02)
    call = world.invoke(function_version(timeout_s=0.05))
    first, second = await world.sandbox(), await world.sandbox()
    result = await call
    assert error_of(result)["errorType"] == "Sandbox.Timedout"
    assert result.duration_ms == 50.0
    assert shapes(world.logs.messages) == [
        INIT_START,
        "INIT_REPORT Init Duration: <n> ms\tPhase: init\tStatus: timeout\n",
        "INIT_REPORT Init Duration: <n> ms\tPhase: invoke\tStatus: timeout\n",
        START,
        "<time> <id> Task timed out after 0.05 seconds\n\n",
        END,
        REPORT_HEAD + "Status: timeout\n",
    ]
    assert first.is_killed
    assert second.is_killed


async def test_a_slow_init_that_works_within_the_timeout_is_part_of_the_duration(
    world: ComputeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(init_phase, "INIT_LIMIT_S", 0.01)
    call = world.invoke(function_version())
    await world.sandbox()
    await world.serving()
    result = await call
    assert (result.payload, result.init_ms) == (b'"ok"', None)


async def test_an_environment_that_was_prepared_reports_its_init(world: ComputeWorld) -> None:
    world.front_end.prewarm(function_version(initialization_type="provisioned-concurrency"))
    await world.serving()
    while world.manager.idle == 0:
        await asyncio.sleep(0)
    world.manager.retire(function_version().function_arn, ())
    assert shapes(world.logs.messages)[-1] == "INIT_REPORT Init Duration: <n> ms\tPhase: init\tStatus: success\n"


async def test_a_missing_runtime_is_the_platforms_error(world: ComputeWorld) -> None:
    world.launcher.failures.append(RuntimeMissing("no python3.99 here"))
    with pytest.raises(RuntimeMissing, match=r"no python3\.99 here"):
        await world.front_end.invoke(function_version(), invocation())


async def test_a_runtime_that_goes_missing_before_the_second_init_is_the_platforms_error(world: ComputeWorld) -> None:
    call = world.invoke(function_version())
    sandbox = await world.sandbox()
    world.launcher.failures.append(RuntimeMissing("gone"))
    sandbox.exit(1)
    with pytest.raises(RuntimeMissing, match="gone"):
        await call
    assert world.manager.environments == 0


async def test_a_launcher_that_hangs_is_the_platforms_error(
    world: ComputeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(runtime_process, "LAUNCH_LIMIT_S", 0.01)
    monkeypatch.setattr(world.launcher, "launch", hang)
    with pytest.raises(SandboxFailure, match="did not start"):
        await world.front_end.invoke(function_version(), invocation())
