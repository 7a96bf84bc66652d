"""One execution environment from init to end: what callers and logs get to see."""

import asyncio
import re
from collections.abc import AsyncIterator

import orjson
import pytest

from cloudlet.compute import environment, runtime_process
from cloudlet.compute.debugging import DebugSession
from cloudlet.compute.environment import Environment
from cloudlet.compute.function import RuntimeMissing, SandboxFailure
from cloudlet.config import MIB
from tests.support.clock import ManualClock
from tests.support.compute_world import (
    ComputeWorld,
    FixedCredentials,
    ScriptedSandbox,
    error_of,
    function_version,
    invocation,
)

REPORT = re.compile(
    r"REPORT RequestId: (?P<id>\S+)\tDuration: (?P<duration>[\d.]+) ms\tBilled Duration: (?P<billed>\d+) ms\t"
    r"Memory Size: (?P<size>\d+) MB\tMax Memory Used: (?P<used>\d+) MB\t(Init Duration: (?P<init>[\d.]+) ms\t)?"
    r"(Status: (?P<status>\w+)(\tError Type: (?P<type>\S+))?)?\n"
)


@pytest.fixture
async def world() -> AsyncIterator[ComputeWorld]:
    async with ComputeWorld() as world:
        yield world


def shapes(world: ComputeWorld) -> list[str]:
    """The log without what differs from run to run."""
    lines = []
    for message in world.logs.messages:
        line = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "<id>", message)
        line = re.sub(r"\d+\.\d\d ms", "<n> ms", line)
        line = re.sub(r"Billed Duration: \d+ ms", "Billed Duration: <n> ms", line)
        line = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<time>", line)
        lines.append(re.sub(r"runtime:[0-9a-f]{64}", "runtime:<hash>", line))
    return lines


INIT_START = (
    "INIT_START Runtime Version: python:3.12.1\tRuntime Version ARN: arn:aws:lambda:eu-central-1::runtime:<hash>\n"
)
START = "START RequestId: <id> Version: $LATEST\n"
END = "END RequestId: <id>\n"
REPORT_HEAD = (
    "REPORT RequestId: <id>\tDuration: <n> ms\tBilled Duration: <n> ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t"
)
COLD_REPORT = REPORT_HEAD + "Init Duration: <n> ms\t"


async def test_an_invocation_from_cold_to_its_result(world: ComputeWorld) -> None:
    call = world.invoke(function_version(), invocation(b'{"name":"Ada"}'))
    sandbox = await world.sandbox()
    runtime = await sandbox.connect()
    sandbox.print("importing\n")
    headers, payload = await runtime.next()
    assert payload == b'{"name":"Ada"}'
    sandbox.print("hello\n")
    await runtime.respond(headers["lambda-runtime-aws-request-id"], b'"Hello Ada"')
    result = await call
    assert (result.payload, result.function_error, result.memory_peak_mb) == (b'"Hello Ada"', "", 36)
    assert result.init_ms is not None
    assert result.billed_ms >= result.duration_ms + result.init_ms
    assert shapes(world) == [INIT_START, "importing\n", START, "hello\n", END, COLD_REPORT + "\n"]
    report = REPORT.fullmatch(world.logs.messages[-1])
    assert report
    assert report["billed"] == str(result.billed_ms)


async def test_a_warm_invocation_has_no_init_phase(world: ComputeWorld) -> None:
    first = world.invoke(function_version())
    await world.serving()
    await first
    result = await world.front_end.invoke(function_version(), invocation())
    assert result.init_ms is None
    assert shapes(world)[-3:] == [START, END, REPORT_HEAD + "\n"]
    assert len(world.launcher.launched) == len(world.logs.streams) == 1


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


async def test_the_deadline_is_the_timeout_from_now_on_the_hosts_clock(world: ComputeWorld) -> None:
    call = world.invoke(function_version(timeout_s=30))
    runtime = await (await world.sandbox()).connect()
    before = world.clock.wall()
    headers, _ = await runtime.next()
    deadline = int(headers["lambda-runtime-deadline-ms"]) / 1000
    assert before + 29 < deadline <= world.clock.wall() + 30
    await runtime.respond(headers["lambda-runtime-aws-request-id"], b"1")
    await call


async def test_the_context_reaches_the_runtime(world: ComputeWorld) -> None:
    context = '{"custom":{"a":"b"}}'
    given = invocation(client_context=context, cognito_identity="{}", trace_id="Root=1", invoked_function_arn="arn:x")
    call = world.invoke(function_version(), given)
    runtime = await (await world.sandbox()).connect()
    headers, _ = await runtime.next()
    assert headers["lambda-runtime-client-context"] == context
    assert headers["lambda-runtime-cognito-identity"] == "{}"
    assert headers["lambda-runtime-trace-id"] == "Root=1"
    assert headers["lambda-runtime-invoked-function-arn"] == "arn:x"
    await runtime.respond(given.request_id, b"1")
    await call


async def test_an_invocation_without_a_trace_gets_one_that_is_not_sampled(world: ComputeWorld) -> None:
    call = world.invoke(function_version())
    runtime = await (await world.sandbox()).connect()
    headers, _ = await runtime.next()
    assert re.fullmatch(
        r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0;Lineage=1:[0-9a-f]{8}:0",
        headers["lambda-runtime-trace-id"],
    )
    await runtime.respond(headers["lambda-runtime-aws-request-id"], b"1")
    await call


async def test_an_error_of_the_function_is_a_result(world: ComputeWorld) -> None:
    call = world.invoke(function_version())
    runtime = await (await world.sandbox()).connect()
    headers, _ = await runtime.next()
    error = b'{"errorMessage":"no","errorType":"ValueError","requestId":"","stackTrace":[]}'
    path = f"/runtime/invocation/{headers['lambda-runtime-aws-request-id']}/error"
    await runtime.call("POST", path, error)
    result = await call
    assert (result.payload, result.function_error) == (error, "Unhandled")
    assert shapes(world)[-1] == COLD_REPORT + "\n"


async def test_a_result_over_the_limit_is_an_error(world: ComputeWorld) -> None:
    call = world.invoke(function_version())
    runtime = await (await world.sandbox()).connect()
    headers, _ = await runtime.next()
    assert await runtime.respond(headers["lambda-runtime-aws-request-id"], b"x" * 6291557) == 413
    assert error_of(await call) == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
    }


async def test_what_was_written_before_the_answer_is_in_the_tail(world: ComputeWorld) -> None:
    call = world.invoke(function_version(), invocation(tail_log=True))
    sandbox = await world.sandbox()
    sandbox.print("importing\n")
    runtime = await sandbox.connect()
    headers, _ = await runtime.next()
    sandbox.print("printed")
    sandbox.log("logged\nin two lines\n")
    await runtime.respond(headers["lambda-runtime-aws-request-id"], b"1")
    tail = (await call).log_tail.decode()
    assert tail.startswith("importing\nSTART RequestId: ")
    assert "printed" in tail
    assert "logged\nin two lines\n" in tail
    assert REPORT.search(tail)


async def test_the_tail_of_a_warm_invocation_is_its_own(world: ComputeWorld) -> None:
    call = world.invoke(function_version(), invocation(tail_log=True))
    await world.serving()
    await call
    given = invocation(tail_log=True)
    tail = (await world.front_end.invoke(function_version(), given)).log_tail.decode()
    assert tail.startswith(f"START RequestId: {given.request_id} Version: $LATEST\nEND ")
    assert (await world.front_end.invoke(function_version(), invocation())).log_tail == b""


async def test_lines_of_a_running_invocation_are_with_the_sink_before_it_ends(
    world: ComputeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudlet.compute.function_log.FLUSH_S", 0.001)
    call = world.invoke(function_version())
    sandbox = await world.sandbox()
    runtime = await sandbox.connect()
    headers, _ = await runtime.next()
    sandbox.print("working\n")
    await world.logs.wait_for("working")
    assert not call.done()
    await runtime.respond(headers["lambda-runtime-aws-request-id"], b"1")
    await call


async def test_a_timeout_kills_the_tree_and_says_so(world: ComputeWorld) -> None:
    call = world.invoke(function_version(timeout_s=0.05), invocation(tail_log=True))
    sandbox = await world.sandbox()
    runtime = await sandbox.connect()
    headers, _ = await runtime.next()
    sandbox.print("before\n")
    result = await call
    request_id = headers["lambda-runtime-aws-request-id"]
    assert error_of(result) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {request_id} Error: Task timed out after 0.05 seconds",
    }
    assert result.duration_ms == 50.0
    assert shapes(world) == [
        INIT_START,
        START,
        "before\n",
        "<time> <id> Task timed out after 0.05 seconds\n\n",
        END,
        COLD_REPORT + "Status: timeout\n",
    ]
    assert "Task timed out" in result.log_tail.decode()
    assert sandbox.is_killed


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


async def test_an_answer_that_comes_too_late_counts_no_more(
    world: ComputeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = asyncio.Event()
    monkeypatch.setattr(ScriptedSandbox, "kill", lambda _: killed.set())
    call = world.invoke(function_version(timeout_s=0.05))
    sandbox = await world.sandbox()
    runtime = await sandbox.connect()
    headers, _ = await runtime.next()
    await killed.wait()
    await runtime.respond(headers["lambda-runtime-aws-request-id"], b'"late"')
    sandbox.exit(None, 9)
    assert error_of(await call)["errorType"] == "Sandbox.Timedout"


async def test_a_tree_that_cannot_be_killed_holds_nobody_up(
    world: ComputeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_process, "KILL_LIMIT_S", 0.01)
    monkeypatch.setattr(ScriptedSandbox, "kill", lambda _: None)
    call = world.invoke(function_version(timeout_s=0.05))
    await (await (await world.sandbox()).connect()).next()
    assert error_of(await call)["errorType"] == "Sandbox.Timedout"


async def test_a_timeout_is_measured_anew_for_each_invocation() -> None:
    """One timer watches all invocations of an environment: it must not end a later one."""
    clock = ManualClock()
    async with ComputeWorld(clock) as world:
        function = function_version(timeout_s=3)
        first = world.invoke(function)
        sandbox = await world.sandbox()
        runtime = await sandbox.connect()
        headers, _ = await runtime.next()
        clock.advance(2)
        await runtime.respond(headers["lambda-runtime-aws-request-id"], b"1")
        await first
        runtime.poll()
        second = world.invoke(function)
        await runtime.answer()
        (watched,) = world.manager._pool_of
        assert isinstance(watched, Environment)
        clock.advance(2)
        watched._on_timer()
        assert not sandbox.is_killed
        clock.advance(1)
        watched._on_timer()
        assert error_of(await second)["errorType"] == "Sandbox.Timedout"


async def test_a_runtime_that_never_asks_for_more_is_ended_at_its_timeout(world: ComputeWorld) -> None:
    call = world.invoke(function_version(timeout_s=0.05))
    sandbox = await world.sandbox()
    runtime = await sandbox.connect()
    headers, _ = await runtime.next()
    await runtime.respond(headers["lambda-runtime-aws-request-id"], b"1")
    assert (await call).payload == b"1"
    await sandbox.exited
    assert sandbox.is_killed


@pytest.mark.parametrize(
    ("code", "signal", "text"),
    [
        (0, None, "Runtime exited without providing a reason"),
        (1, None, "Runtime exited with error: exit status 1"),
        (None, 11, "Runtime exited with error: signal: segmentation fault"),
        (None, 9, "Runtime exited with error: signal: killed"),
    ],
)
async def test_a_crash_is_told_as_on_aws(world: ComputeWorld, code: int | None, signal: int | None, text: str) -> None:
    call = world.invoke(function_version())
    sandbox = await world.sandbox()
    headers, _ = await (await sandbox.connect()).next()
    sandbox.print("last words\n")
    sandbox.exit(code, signal)
    request_id = headers["lambda-runtime-aws-request-id"]
    assert error_of(await call) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {request_id} Error: {text}",
    }
    assert shapes(world)[1:] == [
        START,
        "last words\n",
        END,
        COLD_REPORT + "Status: error\tError Type: Runtime.ExitError\n",
    ]


async def test_running_out_of_memory_is_told_as_on_aws(world: ComputeWorld) -> None:
    call = world.invoke(function_version())
    sandbox = await world.sandbox()
    headers, _ = await (await sandbox.connect()).next()
    sandbox.exit(None, 9, out_of_memory=True)
    result = await call
    assert error_of(result) == {
        "errorType": "Runtime.OutOfMemory",
        "errorMessage": f"RequestId: {headers['lambda-runtime-aws-request-id']} Error: "
        "Runtime exited with error: signal: killed",
    }
    assert result.memory_peak_mb == 128
    report = REPORT.fullmatch(world.logs.messages[-1])
    assert report
    assert (report["used"], report["type"]) == ("128", "Runtime.OutOfMemory")


async def test_an_answer_sent_with_the_last_breath_counts(world: ComputeWorld) -> None:
    """The loop promises no order between a socket and the end of a process."""
    call = world.invoke(function_version())
    sandbox = await world.sandbox()
    runtime = await sandbox.connect()
    headers, _ = await runtime.next()
    sandbox.connected.clear()
    sandbox.exit(1)
    await runtime.respond(headers["lambda-runtime-aws-request-id"], b'"still"')
    runtime.close()
    assert (await call).payload == b'"still"'


async def test_a_connection_that_outlives_its_process_holds_nobody_up(
    world: ComputeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_process, "LAST_WORDS_S", 0.001)
    call = world.invoke(function_version())
    sandbox = await world.sandbox()
    runtime = await sandbox.connect()
    await runtime.next()
    sandbox.connected.clear()
    sandbox.exit(1)
    assert error_of(await call)["errorType"] == "Runtime.ExitError"
    runtime.close()


async def test_a_runtime_that_dies_between_invocations_is_replaced(world: ComputeWorld) -> None:
    call = world.invoke(function_version())
    sandbox = await world.serving()
    await call
    while world.manager.idle == 0:
        await asyncio.sleep(0)
    sandbox.exit(1)
    again = world.invoke(function_version())
    await world.serving(b'"fresh"')
    assert (await again).payload == b'"fresh"'


# -- the init phase


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
    assert shapes(world) == [
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
    assert shapes(world) == [
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
    monkeypatch.setattr(environment, "INIT_LIMIT_S", 0.02)
    call = world.invoke(function_version(timeout_s=0.05))
    first, second = await world.sandbox(), await world.sandbox()
    result = await call
    assert error_of(result)["errorType"] == "Sandbox.Timedout"
    assert result.duration_ms == 50.0
    assert shapes(world) == [
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
    monkeypatch.setattr(environment, "INIT_LIMIT_S", 0.01)
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
    assert shapes(world)[-1] == "INIT_REPORT Init Duration: <n> ms\tPhase: init\tStatus: success\n"


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


# -- memory, credentials, freezing


async def test_the_most_memory_is_reported_and_never_more_than_there_is(world: ComputeWorld) -> None:
    call = world.invoke(function_version())
    sandbox = await world.sandbox()
    runtime = await sandbox.connect()
    headers, _ = await runtime.next()
    sandbox.peak_bytes = 500 * MIB
    await runtime.respond(headers["lambda-runtime-aws-request-id"], b"1")
    assert (await call).memory_peak_mb == 128


async def test_an_environment_ends_before_its_credentials() -> None:
    clock = ManualClock()
    world = ComputeWorld(clock, idle_timeout_s=1e9)
    world.worker._credentials = FixedCredentials(clock, lifetime_s=3600.0)
    async with world:
        call = world.invoke(function_version())
        sandbox = await world.serving()
        await call
        clock.advance(3600 - 3 - 60 - 1)
        await world.front_end.invoke(function_version(), invocation())
        assert len(world.launcher.launched) == 1
        clock.advance(2)
        again = world.invoke(function_version())
        await world.serving(b'"new"')
        assert (await again).payload == b'"new"'
        assert sandbox.is_closed


async def test_frozen_environments_thaw_for_the_next_invocation(world: ComputeWorld) -> None:
    call = world.invoke(function_version())
    sandbox = await world.serving()
    await call
    while world.manager.idle == 0:
        await asyncio.sleep(0)
    for each in world.manager._idle:
        each.freeze()
        each.freeze()
    assert sandbox.frozen == [True]
    await world.front_end.invoke(function_version(), invocation())
    assert sandbox.frozen == [True, False]


async def test_what_is_debugged_is_not_frozen(world: ComputeWorld) -> None:
    world.host.debuggers[function_version().environment_id] = DebugSession(0)
    call = world.invoke(function_version())
    sandbox = await world.serving()
    await call
    while world.manager.idle == 0:
        await asyncio.sleep(0)
    for each in world.manager._idle:
        each.freeze()
    assert sandbox.frozen == []


async def test_the_package_is_released_with_its_environment(world: ComputeWorld) -> None:
    call = world.invoke(function_version(layers=("layer",)))
    await world.serving()
    await call
    assert world.code.users == {"a" * 64: 1, "layer": 1}
    world.front_end.retire(function_version().function_arn)
    while world.manager.environments:
        await asyncio.sleep(0)
    assert world.code.users == {"a" * 64: 0, "layer": 0}


async def test_memory_is_not_looked_at_after_each_of_many_short_invocations() -> None:
    clock = ManualClock()
    async with ComputeWorld(clock) as world:
        call = world.invoke(function_version())
        sandbox = await world.serving()
        assert (await call).memory_peak_mb == 36
        sandbox.peak_bytes = 50 * MIB
        assert (await world.front_end.invoke(function_version(), invocation())).memory_peak_mb == 36
        clock.advance(0.03)
        assert (await world.front_end.invoke(function_version(), invocation())).memory_peak_mb == 50
