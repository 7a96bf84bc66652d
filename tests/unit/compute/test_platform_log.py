"""The platform's lines in the log of a function whose format is JSON."""

import re
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from cloudlet.compute import platform_events
from cloudlet.compute.function import FunctionVersion
from cloudlet.compute.function_log import FunctionLog
from cloudlet.compute.platform_log import platform_log
from tests.support.clock import ManualClock
from tests.support.compute_world import ComputeWorld, KeptLogs, function_version, invocation


@pytest.fixture
async def world() -> AsyncIterator[ComputeWorld]:
    async with ComputeWorld() as world:
        yield world


def in_json(system: str = "INFO", application: str = "INFO", **changes: Any) -> FunctionVersion:
    return function_version(log_format="JSON", system_log_level=system, application_log_level=application, **changes)


def events(world: ComputeWorld) -> list[dict[str, Any]]:
    return [orjson.loads(message) for message in world.logs.messages if message.startswith('{"time":')]


def types(world: ComputeWorld) -> list[str]:
    return [event["type"].removeprefix("platform.") for event in events(world)]


async def invoked(world: ComputeWorld, function: FunctionVersion) -> None:
    call = world.invoke(function, invocation(trace_id="Root=1-2-3"))
    await world.serving()
    await call


async def test_a_log_in_json_has_events_for_lines(world: ComputeWorld) -> None:
    await invoked(world, in_json())
    init, start, report = events(world)
    assert [init["type"], start["type"], report["type"]] == ["platform.initStart", "platform.start", "platform.report"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", init["time"])
    assert init["record"]["runtimeVersion"] == "python:3.12.1"
    assert start["record"]["version"] == "$LATEST"
    assert start["record"]["tracing"] == {"type": "X-Amzn-Trace-Id", "value": "Root=1-2-3"}
    assert report["record"]["requestId"] == start["record"]["requestId"]
    assert report["record"]["status"] == "success"
    assert report["record"]["metrics"].keys() == {
        "durationMs", "billedDurationMs", "memorySizeMB", "maxMemoryUsedMB", "initDurationMs"
    }  # fmt: skip
    assert not any(message.startswith(("INIT_START", "START", "END", "REPORT")) for message in world.logs.messages)


async def test_debug_has_all_events(world: ComputeWorld) -> None:
    await invoked(world, in_json("DEBUG"))
    assert types(world) == ["initStart", "initRuntimeDone", "initReport", "start", "runtimeDone", "report"]


async def test_warn_has_no_event_of_what_goes_well(world: ComputeWorld) -> None:
    await invoked(world, in_json("WARN"))
    assert types(world) == []


async def test_warn_has_the_events_of_a_timeout(world: ComputeWorld) -> None:
    call = world.invoke(in_json("WARN", timeout_s=0.05))
    runtime = await (await world.sandbox()).connect()
    await runtime.next()
    await call
    assert [(event["type"], event["record"]["status"]) for event in events(world)] == [
        ("platform.runtimeDone", "timeout"),
        ("platform.report", "timeout"),
    ]


async def test_lines_of_the_function_below_its_level_do_not_reach_the_log_group(world: ComputeWorld) -> None:
    call = world.invoke(in_json(application="WARN"))
    sandbox = await world.sandbox()
    runtime = await sandbox.connect()
    headers, _ = await runtime.next()
    at = '"timestamp": "2024-01-01T00:00:00Z"'
    sandbox.print(f'{{"level": "info", {at}}}\n{{"level": "error", {at}}}\nplain\n')
    await runtime.respond(headers["lambda-runtime-aws-request-id"], b"1")
    await call
    assert [line for line in world.logs.messages if '"type":' not in line] == [
        f'{{"level": "error", {at}}}\n',
        "plain\n",
    ]


async def test_the_runtime_is_told_format_and_level(world: ComputeWorld) -> None:
    call = world.invoke(in_json(application="ERROR"))
    spec = (await world.serving()).spec
    await call
    assert spec.environment["AWS_LAMBDA_LOG_FORMAT"] == "JSON"
    assert spec.environment["AWS_LAMBDA_LOG_LEVEL"] == "ERROR"


@pytest.mark.parametrize(
    ("log_format", "expected"),
    [
        (
            "Text",
            [
                "EXTENSION\tName: spy\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n",
                "TELEMETRY\tName: spy\tState: Subscribed\tTypes: [Platform, Function]\n",
            ],
        ),
        ("JSON", ["platform.extension", "platform.telemetrySubscription"]),
    ],
)
def test_extensions_have_lines_in_the_function_s_format(log_format: str, expected: list[str]) -> None:
    logs, clock = KeptLogs(), ManualClock()
    function = function_version(log_format=log_format, system_log_level="INFO" if log_format == "JSON" else "")
    log = FunctionLog(function, "stream", logs, clock)
    lines = platform_log(function, log, clock)
    lines.extension(platform_events.extension("spy", "Ready", ["INVOKE", "SHUTDOWN"]))
    lines.subscription("Telemetry", platform_events.subscription("spy", "Subscribed", ["platform", "function"]))
    log.flush()
    if log_format == "JSON":
        assert [orjson.loads(message)["type"] for message in logs.messages] == expected
        assert orjson.loads(logs.messages[0])["record"]["name"] == "spy"
    else:
        assert logs.messages == expected
