"""Functions' log lines on their way to CloudWatch Logs."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

import pytest

from cloudlet.compute.function import ComputeError, FunctionVersion, LogEvent
from cloudlet.services.lambda_ import FunctionLogs
from cloudlet.services.lambda_ import function_logs as module
from cloudlet.services.lambda_.function_logs import batches
from cloudlet.services.log_entries import LogEntry, LogRights
from cloudlet.store.base import StoreUnavailable

FUNCTION = FunctionVersion(
    "111111111111", "us-east-1", "fn", "$LATEST", "e", "python3.12", "h", "d", "r", log_group="/aws/lambda/fn"
)


class Logs:
    """What has been stored."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.transactions: list[list[LogEntry]] = []
        self.stored = asyncio.Event()

    async def append(self, entries: Sequence[LogEntry]) -> list[str]:
        if self.errors:
            raise self.errors.pop(0)
        self.transactions.append(list(entries))
        self.stored.set()
        return ["" if entry.rights.put_events else "logs:PutLogEvents" for entry in entries]

    def lines(self, stream: str = "s") -> list[str]:
        found = []
        for entries in self.transactions:
            for account, region, group, name, events, _ in entries:
                assert (account, region, group) == ("111111111111", "us-east-1", "/aws/lambda/fn")
                found += [message for _, message in events if name == stream]
        return found


class Permission:
    """Everybody may write, but those who are named."""

    def __init__(self) -> None:
        self.denied: set[str] = set()
        self.errors: list[Exception] = []
        self.refusals: list[tuple[str, str]] = []

    async def rights(self, function: FunctionVersion, log_stream: str) -> LogRights:
        if self.errors:
            raise self.errors.pop(0)
        return LogRights(put_events=log_stream not in self.denied)

    def refused(self, function: FunctionVersion, action: str) -> None:
        self.refusals.append((function.name, action))


@pytest.fixture
def permission() -> Permission:
    return Permission()


@pytest.fixture
def logs() -> Logs:
    return Logs()


@pytest.fixture
async def sink(logs: Logs, permission: Permission, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FunctionLogs]:
    monkeypatch.setattr(module, "RETRY_S", 0.0)
    sink = FunctionLogs(logs.append, permission)
    yield sink
    await sink.close()


def events(*lines: str) -> list[LogEvent]:
    return [LogEvent(number, line) for number, line in enumerate(lines)]


async def test_lines_are_stored_soon_in_one_transaction(sink: FunctionLogs, logs: Logs) -> None:
    sink.start()
    sink.write(FUNCTION, "s", events("a", "b"))
    sink.write(FUNCTION, "other", events("d"))
    sink.write(FUNCTION, "s", events("c"))
    await logs.stored.wait()
    assert (logs.lines(), logs.lines("other")) == (["a", "b", "c"], ["d"])
    assert len(logs.transactions) == 1


async def test_many_lines_do_not_wait(sink: FunctionLogs, logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FLUSH_INTERVAL_S", 1000)
    monkeypatch.setattr(module, "FLUSH_AT_LINES", 3)
    sink.start()
    sink.write(FUNCTION, "s", events("a", "b", "c"))
    await logs.stored.wait()


async def test_what_was_written_can_be_waited_for(sink: FunctionLogs, logs: Logs) -> None:
    await sink.stored()  # nothing was
    sink.start()
    sink.write(FUNCTION, "s", events("a"))
    await sink.stored()
    assert logs.lines() == ["a"]
    await sink.stored()


async def test_the_interval_is_not_waited_for_where_somebody_waits(
    sink: FunctionLogs, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FLUSH_INTERVAL_S", 1000)
    sink.start()
    for line in ("a", "b"):
        sink.write(FUNCTION, "s", events(line))
        await asyncio.gather(sink.stored(), sink.stored())
    assert logs.lines() == ["a", "b"]


async def test_who_waits_for_lines_waits_for_those_that_are_just_being_stored(
    sink: FunctionLogs, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    storing, go_on = asyncio.Event(), asyncio.Event()
    append = logs.append

    async def slowly(entries: Sequence[LogEntry]) -> list[str]:
        storing.set()
        await go_on.wait()
        return await append(entries)

    monkeypatch.setattr(sink, "_append", slowly)
    sink.write(FUNCTION, "s", events("a"))
    flushing = asyncio.create_task(sink.flush())
    await storing.wait()
    waiting = asyncio.create_task(sink.stored())
    other = asyncio.create_task(sink.flush())
    done, _ = await asyncio.wait([waiting, other], timeout=0)
    assert not done
    go_on.set()
    await asyncio.gather(flushing, waiting, other)
    assert logs.lines() == ["a"]


async def test_closing_stores_what_waits(sink: FunctionLogs, logs: Logs) -> None:
    sink.start()
    sink.write(FUNCTION, "s", events("last"))
    await sink.close()
    assert logs.lines() == ["last"]


async def test_closing_does_not_wait_for_a_store_that_never_works(
    sink: FunctionLogs, logs: Logs, caplog: pytest.LogCaptureFixture
) -> None:
    logs.errors = [StoreUnavailable("for ever")] * 1_000_000
    sink.write(FUNCTION, "s", events("lost"))
    await sink.close(timeout_s=0.01)
    assert "were not stored before the end" in caplog.text


async def test_a_store_that_fails_is_tried_again(sink: FunctionLogs, logs: Logs) -> None:
    logs.errors = [StoreUnavailable("later")] * 3
    sink.write(FUNCTION, "s", events("a"))
    await sink.flush()
    assert logs.lines() == ["a"]


async def test_an_error_that_nobody_foresaw_loses_one_batch_and_says_so(
    sink: FunctionLogs, logs: Logs, caplog: pytest.LogCaptureFixture
) -> None:
    logs.errors = [ZeroDivisionError()]
    for line in ("a", "b"):
        sink.write(FUNCTION, "s", events(line))
        await sink.flush()
    assert logs.lines() == ["b"]
    assert "are lost" in caplog.text


@pytest.mark.parametrize("bound", ["MAX_LINES", "MAX_CHARACTERS"])
async def test_lines_beyond_the_bound_are_dropped_counted_and_said(
    sink: FunctionLogs, logs: Logs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, bound: str
) -> None:
    monkeypatch.setattr(module, bound, 2)
    sink.write(FUNCTION, "s", events("a", "b"))
    sink.write(FUNCTION, "s", events("c"))
    with caplog.at_level(logging.WARNING):
        await sink.flush()
    assert logs.lines() == ["a", "b"]
    [record] = [record for record in caplog.records if "dropped" in record.message]
    assert vars(record)["lines"] == 1
    sink.write(FUNCTION, "s", events("d", "e"))
    await sink.flush()
    assert logs.lines() == ["a", "b", "d", "e"]


async def test_lines_that_the_role_may_not_store_are_told_and_forgotten(
    sink: FunctionLogs, logs: Logs, permission: Permission
) -> None:
    permission.denied = {"s"}
    for stream in ("s", "other"):
        sink.write(FUNCTION, stream, events("a"))
    await sink.flush()
    assert permission.refusals == [("fn", "logs:PutLogEvents")]
    assert [[entry.rights.put_events for entry in entries] for entries in logs.transactions] == [[False, True]]
    permission.denied = set()
    sink.write(FUNCTION, "s", events("b"))
    await sink.flush()
    assert [entry.events for entry in logs.transactions[1]] == [[(0, "b")]]


@pytest.mark.parametrize("error", [StoreUnavailable("later"), ComputeError("later")])
async def test_a_question_about_rights_that_fails_is_asked_again(
    sink: FunctionLogs, logs: Logs, permission: Permission, error: Exception
) -> None:
    permission.errors = [error]
    sink.write(FUNCTION, "s", events("a"))
    await sink.flush()
    assert logs.lines() == ["a"]


async def test_after_a_reset_nothing_waits(sink: FunctionLogs, logs: Logs) -> None:
    sink.write(FUNCTION, "s", events("a"))
    sink.reset()
    await sink.flush()
    assert logs.transactions == []


def test_a_transaction_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_LINES", 3)
    monkeypatch.setattr(module, "BATCH_CHARACTERS", 10)
    one, two = ("a", "r", "g", "1"), ("a", "r", "g", "2")
    waiting = {one: [(number, "x") for number in range(4)], two: [(4, "y"), (5, "z" * 10), (6, "y")]}
    assert list(batches(waiting)) == [
        [(*one, [(0, "x"), (1, "x"), (2, "x")])],
        [(*one, [(3, "x")]), (*two, [(4, "y"), (5, "z" * 10)])],
        [(*two, [(6, "y")])],
    ]
