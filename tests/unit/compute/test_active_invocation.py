"""An invocation comes to its end once, and gives back its concurrency with it."""

import asyncio

import pytest

from cloudlet.compute.active_invocation import ActiveInvocation
from cloudlet.compute.function import InvocationResult, SandboxFailure
from cloudlet.compute.meter import Outcome
from tests.support.compute_world import invocation

DONE = InvocationResult(b"done")


class Counted:
    """An invocation, and how often its concurrency was given back."""

    def __init__(self) -> None:
        self.releases = 0
        self.future: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
        self.active = ActiveInvocation(invocation(), self.future, self._release)

    def _release(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.releases += 1


async def test_a_result_reaches_the_caller() -> None:
    counted = Counted()
    assert not counted.active.is_over
    counted.active.resolve(DONE)
    assert await counted.future is DONE
    assert counted.outcome is DONE
    assert counted.active.is_over


async def test_an_error_of_the_platform_reaches_the_caller() -> None:
    counted = Counted()
    counted.active.fail(SandboxFailure("no"))
    with pytest.raises(SandboxFailure):
        await counted.future


async def test_only_the_first_end_counts() -> None:
    counted = Counted()
    counted.active.resolve(DONE)
    counted.active.fail(SandboxFailure("late"))
    counted.active.resolve(InvocationResult(b"later"))
    counted.active.abandon()
    assert await counted.future is DONE
    assert counted.releases == 1


async def test_a_caller_who_went_away_is_no_error() -> None:
    for error in (None, SandboxFailure("no")):
        counted = Counted()
        counted.future.cancel()
        if error is None:
            counted.active.resolve(DONE)
        else:
            counted.active.fail(error)
        assert counted.releases == 1


async def test_what_is_abandoned_is_cancelled() -> None:
    counted = Counted()
    counted.active.abandon()
    assert counted.future.cancelled()
    assert counted.releases == 1
