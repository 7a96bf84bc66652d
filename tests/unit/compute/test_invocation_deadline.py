"""One timer for the timeouts of many invocations."""

import asyncio

import pytest

from cloudlet.compute.invocation_deadline import InvocationDeadline
from tests.support.clock import ManualClock


async def test_it_tells_when_the_time_of_an_invocation_is_used_up() -> None:
    clock, passed = ManualClock(), asyncio.Event()
    deadline = InvocationDeadline(clock, passed.set)
    deadline.begin(clock.monotonic(), 0.001)
    clock.advance(1)
    await passed.wait()


async def test_what_has_passed_before_it_was_begun_counts() -> None:
    clock = ManualClock()
    started = clock.monotonic()
    clock.advance(2)
    deadline = InvocationDeadline(clock, lambda: None)
    assert deadline.begin(started, 3) == pytest.approx(1)
    deadline.stop()


async def test_a_later_invocation_has_its_own_time() -> None:
    """The timer of the first fires, and is armed again for what is left of the second's."""
    clock, passed = ManualClock(), asyncio.Event()
    deadline = InvocationDeadline(clock, passed.set)
    looked = asyncio.Event()
    deadline.begin(clock.monotonic(), 0.002)
    clock.advance(0.0015)
    deadline.begin(clock.monotonic(), 0.002)
    clock.advance(0.001)
    asyncio.get_running_loop().call_later(0.003, looked.set)
    await looked.wait()
    assert not passed.is_set()
    clock.advance(0.01)
    await passed.wait()


async def test_one_that_was_stopped_tells_nothing() -> None:
    clock, looked = ManualClock(), asyncio.Event()
    passed: list[bool] = []
    deadline = InvocationDeadline(clock, lambda: passed.append(True))
    deadline.begin(clock.monotonic(), 0.001)
    clock.advance(1)
    deadline.stop()
    asyncio.get_running_loop().call_later(0.002, looked.set)
    await looked.wait()
    assert passed == []
