"""The log of one environment: order, batches, tail."""

import asyncio

import pytest

from cloudlet.compute import function_log
from cloudlet.compute.function_log import TAIL_BYTES, FunctionLog
from tests.support.clock import ManualClock
from tests.support.compute_world import KeptLogs, ScriptedSandbox, function_version, sandbox_spec


@pytest.fixture
def logs() -> KeptLogs:
    return KeptLogs()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def log(logs: KeptLogs, clock: ManualClock) -> FunctionLog:
    return FunctionLog(function_version(), "stream", logs, clock)


async def test_lines_are_kept_until_they_are_flushed(log: FunctionLog, logs: KeptLogs) -> None:
    log.platform("START\n")
    log.platform("END\n")
    assert logs.messages == []
    log.flush()
    assert logs.messages == ["START\n", "END\n"]
    assert logs.streams == ["stream"]


async def test_lines_of_a_long_invocation_are_flushed_after_a_while(
    log: FunctionLog, logs: KeptLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(function_log, "FLUSH_S", 0.001)
    log.platform("START\n")
    log.flush_soon()
    await logs.wait_for("START")
    log.close()


async def test_many_lines_are_flushed_at_once(
    log: FunctionLog, logs: KeptLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(function_log, "BATCH_EVENTS", 10)
    sandbox = ScriptedSandbox(sandbox_spec())
    log.attach(sandbox.output, sandbox.telemetry)
    sandbox.print("line\n" * 12)
    log.drain()
    assert len(logs.messages) == 10
    log.close()
    assert len(logs.messages) == 12
    sandbox.close()


async def test_both_pipes_are_read(log: FunctionLog, logs: KeptLogs) -> None:
    sandbox = ScriptedSandbox(sandbox_spec())
    log.attach(sandbox.output, sandbox.telemetry)
    sandbox.print("printed\n")
    sandbox.log("logged\nover lines")
    log.close()
    assert logs.messages == ["printed\n", "logged\nover lines"]
    sandbox.close()


async def test_a_message_has_its_own_time_on_the_platforms_clock(
    log: FunctionLog, logs: KeptLogs, clock: ManualClock
) -> None:
    sandbox = ScriptedSandbox(sandbox_spec())
    log.attach(sandbox.output, sandbox.telemetry)
    sandbox.log("two seconds ago", microseconds=int((clock.wall() - 2) * 1e6))
    log.close()
    assert logs.events[0][1].timestamp_ms == int((clock.now() - 2) * 1000)
    sandbox.close()


@pytest.mark.parametrize("microseconds", [1, 2**63, 2**64 - 1])
async def test_a_time_that_cannot_be_true_is_replaced_by_now(
    log: FunctionLog, logs: KeptLogs, clock: ManualClock, microseconds: int
) -> None:
    sandbox = ScriptedSandbox(sandbox_spec())
    log.attach(sandbox.output, sandbox.telemetry)
    sandbox.log("nonsense", microseconds=microseconds)
    log.close()
    assert logs.events[0][1].timestamp_ms == int(clock.now() * 1000)
    sandbox.close()


async def test_the_tail_is_the_last_four_kilobytes(log: FunctionLog) -> None:
    log.platform("before\n")
    log.keep_tail(True)
    for number in range(1000):
        log.platform(f"line {number}\n")
    tail = log.tail()
    assert len(tail) == TAIL_BYTES
    assert tail.endswith(b"line 998\nline 999\n")


async def test_one_line_longer_than_the_tail_is_cut_at_its_front(log: FunctionLog) -> None:
    log.keep_tail(True)
    log.platform("x" * TAIL_BYTES + "end\n")
    assert log.tail() == b"x" * (TAIL_BYTES - 4) + b"end\n"


async def test_some_lines_are_not_for_the_tail(log: FunctionLog, logs: KeptLogs) -> None:
    log.keep_tail(True)
    log.platform("INIT_START\n", in_tail=False)
    log.platform("START\n")
    log.keep_tail(True)
    assert log.tail() == b"START\n"
    log.keep_tail(False)
    assert log.tail() == b""
    log.flush()
    assert logs.messages == ["INIT_START\n", "START\n"]


async def test_closing_gives_out_everything(log: FunctionLog, logs: KeptLogs) -> None:
    sandbox = ScriptedSandbox(sandbox_spec())
    log.attach(sandbox.output, sandbox.telemetry)
    log.flush_soon()
    sandbox.print("last words")
    log.close()
    log.close()
    assert logs.messages == ["last words"]
    sandbox.close()
    await asyncio.sleep(0)
