"""Functions' log lines on their way to CloudWatch Logs."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cloudlet.compute.function import FunctionVersion, LogEvent
from cloudlet.errors import ServiceError, ServiceUnavailable
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Service, operation
from cloudlet.services.lambda_ import FunctionLogs
from cloudlet.services.lambda_ import function_logs as module
from cloudlet.services.lambda_.function_logs import batches
from tests.support.lambda_world import ACCOUNT, REGION, World

FUNCTION = FunctionVersion(
    ACCOUNT, REGION, "fn", "$LATEST", "e", "python3.12", "h", "d", "r", log_group="/aws/lambda/fn"
)


class _NotFound(ServiceError):
    code = "ResourceNotFoundException"


class _AlreadyThere(ServiceError):
    code = "ResourceAlreadyExistsException"


class _Logs(Service):
    """Groups and streams, as far as they are needed here."""

    name = "logs"

    def __init__(self, world: World) -> None:
        super().__init__(world.platform)
        self.groups: dict[str, dict[str, list[tuple[int, str]]]] = {}
        self.errors: list[Exception] = []
        self.puts = 0
        self.written = asyncio.Event()

    @operation("CreateLogGroup")
    async def create_log_group(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        if params["logGroupName"] in self.groups:
            raise _AlreadyThere("there")
        self.groups[params["logGroupName"]] = {}
        return {}

    @operation("CreateLogStream")
    async def create_log_stream(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        group = self._group(params)
        if params["logStreamName"] in group:
            raise _AlreadyThere("there")
        group[params["logStreamName"]] = []
        return {}

    @operation("PutLogEvents")
    async def put_log_events(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        assert (context.account, context.principal.source_service) == (ACCOUNT, "lambda.amazonaws.com")
        if self.errors:
            raise self.errors.pop(0)
        stream = self._group(params).get(params["logStreamName"])
        if stream is None:
            raise _NotFound("no stream")
        stream += [(event["timestamp"], event["message"]) for event in params["logEvents"]]
        self.puts += 1
        self.written.set()
        return {}

    def _group(self, params: dict[str, Any]) -> dict[str, list[tuple[int, str]]]:
        if params["logGroupName"] not in self.groups:
            raise _NotFound("no group")
        return self.groups[params["logGroupName"]]

    def lines(self, stream: str = "s") -> list[str]:
        return [message for _, message in self.groups.get("/aws/lambda/fn", {}).get(stream, [])]


@pytest.fixture
def logs(world: World) -> _Logs:
    logs = _Logs(world)
    world.dispatcher.register([logs])
    return logs


@pytest.fixture
async def sink(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FunctionLogs]:
    monkeypatch.setattr(module, "RETRY_S", 0.001)
    sink = FunctionLogs(world.platform)
    yield sink
    await sink.close()


def events(*lines: str, start: int = 1000) -> list[LogEvent]:
    return [LogEvent(start + number, line) for number, line in enumerate(lines)]


async def test_lines_are_written_soon_and_in_order(sink: FunctionLogs, logs: _Logs) -> None:
    sink.start()
    sink.write(FUNCTION, "s", events("a", "b"))
    sink.write(FUNCTION, "s", events("c", start=2000))
    sink.write(FUNCTION, "other", events("d"))
    while not logs.lines("other"):
        await logs.written.wait()
        logs.written.clear()
    await sink.flush()
    assert logs.lines() == ["a", "b", "c"]
    assert logs.puts == 2


async def test_closing_writes_what_waits(sink: FunctionLogs, logs: _Logs) -> None:
    sink.start()
    sink.write(FUNCTION, "s", events("last"))
    await sink.close()
    assert logs.lines() == ["last"]


async def test_a_group_that_was_deleted_is_made_again(sink: FunctionLogs, logs: _Logs) -> None:
    sink.write(FUNCTION, "s", events("a"))
    await sink.flush()
    logs.groups.clear()
    sink.write(FUNCTION, "s", events("b"))
    await sink.flush()
    assert logs.lines() == ["b"]


async def test_a_store_that_fails_is_tried_again(sink: FunctionLogs, logs: _Logs) -> None:
    logs.errors = [ServiceUnavailable("later")] * 3
    sink.write(FUNCTION, "s", events("a"))
    await sink.flush()
    assert logs.lines() == ["a"]


async def test_what_logs_refuses_is_dropped_and_said(
    sink: FunctionLogs, logs: _Logs, caplog: pytest.LogCaptureFixture
) -> None:
    logs.errors = [ServiceError("bad")]
    sink.write(FUNCTION, "s", events("a"))
    await sink.flush()
    sink.write(FUNCTION, "s", events("b"))
    await sink.flush()
    assert logs.lines() == ["b"]
    assert "log lines were refused: bad" in caplog.text


async def test_without_a_log_service_lines_are_dropped(sink: FunctionLogs, caplog: pytest.LogCaptureFixture) -> None:
    sink.write(FUNCTION, "s", events("a"))
    await sink.flush()
    assert "refused" in caplog.text


async def test_lines_beyond_the_bound_are_dropped_counted_and_said(
    sink: FunctionLogs, logs: _Logs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 2)
    sink.write(FUNCTION, "s", events("a", "b"))
    sink.write(FUNCTION, "s", events("c"))
    with caplog.at_level(logging.WARNING):
        await sink.flush()
    assert logs.lines() == ["a", "b"]
    [record] = [record for record in caplog.records if "dropped" in record.message]
    assert vars(record)["lines"] == 1
    sink.write(FUNCTION, "s", events("d"))
    await sink.flush()
    assert logs.lines() == ["a", "b", "d"]


async def test_many_streams_are_written_at_once(sink: FunctionLogs, logs: _Logs) -> None:
    for number in range(50):
        sink.write(FUNCTION, f"stream {number}", events("a"))
    await sink.flush()
    assert len(logs.groups["/aws/lambda/fn"]) == 50


def test_batches_keep_to_the_limits_of_put_log_events() -> None:
    many = list(batches(events(*["x"] * 10_001)))
    assert [len(batch) for batch in many] == [10_000, 1]
    big = list(batches(events(*["ä" * 100_000] * 11)))
    sizes = [sum(len(event["message"].encode()) + 26 for event in batch) for batch in big]
    assert max(sizes) <= 1_048_576
    assert sum(len(batch) for batch in big) == 11


def test_batches_are_in_order_of_time_and_have_no_empty_messages() -> None:
    [batch] = batches([LogEvent(2, "b"), LogEvent(1, "a"), LogEvent(2, "")])
    assert [(event["timestamp"], event["message"]) for event in batch] == [(1, "a"), (2, "b"), (2, "\n")]


def test_a_message_too_long_for_one_event_becomes_several() -> None:
    [batch] = batches([LogEvent(1, "x" * 300_000)])
    assert "".join(event["message"] for event in batch) == "x" * 300_000
    assert max(len(event["message"]) for event in batch) <= module.MAX_MESSAGE_BYTES
