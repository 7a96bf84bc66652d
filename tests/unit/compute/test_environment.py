"""One execution environment from init to end: what callers and logs get to see."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from cloudlet.compute import runtime_process
from cloudlet.compute.environment import Environment
from tests.support.clock import ManualClock
from tests.support.compute_world import (
    ComputeWorld,
    FixedCredentials,
    ScriptedSandbox,
    error_of,
    function_version,
    invocation,
)
from tests.support.function_logs import COLD_REPORT, END, INIT_START, REPORT_HEAD, START, shapes

REPORT = re.compile(
    r"REPORT RequestId: (?P<id>\S+)\tDuration: (?P<duration>[\d.]+) ms\tBilled Duration: (?P<billed>\d+) ms\t"
    r"Memory Size: (?P<size>\d+) MB\tMax Memory Used: (?P<used>\d+) MB\t(Init Duration: (?P<init>[\d.]+) ms\t)?"
    r"(Status: (?P<status>\w+)(\tError Type: (?P<type>\S+))?)?\n"
)


@pytest.fixture
async def world() -> AsyncIterator[ComputeWorld]:
    async with ComputeWorld() as world:
        yield world


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
    assert shapes(world.logs.messages) == [INIT_START, "importing\n", START, "hello\n", END, COLD_REPORT + "\n"]
    report = REPORT.fullmatch(world.logs.messages[-1])
    assert report
    assert report["billed"] == str(result.billed_ms)


async def test_a_warm_invocation_has_no_init_phase(world: ComputeWorld) -> None:
    first = world.invoke(function_version())
    await world.serving()
    await first
    result = await world.front_end.invoke(function_version(), invocation())
    assert result.init_ms is None
    assert shapes(world.logs.messages)[-3:] == [START, END, REPORT_HEAD + "\n"]
    assert len(world.launcher.launched) == len(world.logs.streams) == 1


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
    assert shapes(world.logs.messages)[-1] == COLD_REPORT + "\n"


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
    assert shapes(world.logs.messages) == [
        INIT_START,
        START,
        "before\n",
        "<time> <id> Task timed out after 0.05 seconds\n\n",
        END,
        COLD_REPORT + "Status: timeout\n",
    ]
    assert "Task timed out" in result.log_tail.decode()
    assert sandbox.is_killed


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


async def test_the_deadline_of_an_invocation_that_failed_does_not_end_the_init_phase_after_it(
    world: ComputeWorld,
) -> None:
    first = world.invoke(function_version())
    sandbox = await world.sandbox()
    await (await sandbox.connect()).next()
    (environment,) = world.manager._pool_of
    assert isinstance(environment, Environment)
    assert environment._deadline._timer is not None
    sandbox.exit(1)
    await first
    assert environment._deadline._timer is None


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
    assert shapes(world.logs.messages)[1:] == [
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


async def test_the_package_is_released_with_its_environment(world: ComputeWorld) -> None:
    call = world.invoke(function_version(layers=("layer",)))
    await world.serving()
    await call
    assert world.code.users == {"a" * 64: 1, "layer": 1}
    world.front_end.retire(function_version().function_arn)
    while world.manager.environments:
        await asyncio.sleep(0)
    assert world.code.users == {"a" * 64: 0, "layer": 0}
