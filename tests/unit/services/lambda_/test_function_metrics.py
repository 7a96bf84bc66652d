"""What functions do is counted, under all of AWS's dimensions, and stored some seconds later."""

from collections.abc import Iterable

import pytest

from cloudlet.compute.counting import Counting
from cloudlet.compute.function import FunctionVersion, Invocation, InvocationResult, SandboxFailure, TooManyRequests
from cloudlet.compute.meter import Outcome
from cloudlet.services.lambda_.function_metrics import FunctionMetrics
from cloudlet.services.measurements import Measurement
from cloudlet.store.base import StoreUnavailable
from tests.support.clock import ManualClock

ACCOUNT, REGION = "111111111111", "us-east-1"
Dimensions = tuple[tuple[str, str], ...]


def arn(name: str = "fn", qualifier: str = "", account: str = ACCOUNT) -> str:
    return f"arn:aws:lambda:{REGION}:{account}:function:{name}" + (f":{qualifier}" if qualifier else "")


def version(name: str = "fn", number: str = "$LATEST", account: str = ACCOUNT) -> FunctionVersion:
    return FunctionVersion(account, REGION, name, number, "e", "python3.12", "app.handler", "digest", "role")


def result(duration_ms: float = 5.0, error: str = "") -> InvocationResult:
    return InvocationResult(b"1", error, b"", duration_ms)


class World:
    """Metrics, the concurrency that they look at, and what they have stored."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.counting = Counting(10)
        self.metrics = FunctionMetrics(self._record, self.clock)
        self.stored: list[Measurement] = []
        self.fail = False

    async def _record(self, measurements: Iterable[Measurement]) -> None:
        if self.fail:
            raise StoreUnavailable("no")
        self.stored += measurements

    def run(self, *outcomes: Outcome, name: str = "fn", qualifier: str = "", number: str = "$LATEST") -> None:
        """Invocations that run at the same time."""
        function, invocation = version(name, number), Invocation("r", b"", arn(name, qualifier))
        slots = [self.counting.acquire(function) for _ in outcomes]
        begun = [self.metrics.begin(function, invocation, slot) for slot in slots]
        for slot, running, outcome in zip(slots, begun, outcomes, strict=True):
            slot.release()
            running.end(outcome)

    async def values(self) -> dict[tuple[str, Dimensions], dict[float, float]]:
        """What is stored anew, by metric and dimensions."""
        self.stored.clear()
        await self.metrics.flush()
        found = {(one.name, one.dimensions): dict(one.values) for one in self.stored}
        assert len(found) == len(self.stored)
        return found


@pytest.fixture
def world() -> World:
    return World()


FUNCTION: Dimensions = (("FunctionName", "fn"),)
BARE: Dimensions = (("FunctionName", "fn"), ("Resource", "fn"))
LIVE: Dimensions = (("FunctionName", "fn"), ("Resource", "fn:live"))


async def test_an_invocation_is_counted_for_the_function_its_name_and_the_account(world: World) -> None:
    world.run(result(5.123456), result(5.12, "Unhandled"))
    found = await world.values()
    for dimensions in ((), FUNCTION, BARE):
        assert found["Invocations", dimensions] == {1.0: 2}
        assert found["Errors", dimensions] == {1.0: 1, 0.0: 1}
        assert found["Throttles", dimensions] == {0.0: 2}
        assert found["Duration", dimensions] == {5.12: 2}
    assert found["ConcurrentExecutions", FUNCTION] == found["ConcurrentExecutions", ()] == {1: 1, 2: 1}
    assert found["UnreservedConcurrentExecutions", ()] == {1: 1, 2: 1}
    assert {name for name, _ in found} == {
        *("Invocations", "Errors", "Throttles", "Duration", "ConcurrentExecutions", "UnreservedConcurrentExecutions"),
    }
    assert {(one.namespace, one.account, one.region) for one in world.stored} == {("AWS/Lambda", ACCOUNT, REGION)}
    assert {one.unit for one in world.stored if one.name == "Duration"} == {"Milliseconds"}
    assert await world.values() == {}


async def test_an_alias_has_its_own_and_so_have_the_versions_that_it_leads_to(world: World) -> None:
    world.run(result(), qualifier="live", number="1")
    world.run(result(), result(), qualifier="live", number="2")
    world.run(result(), qualifier="2", number="2")
    found = await world.values()
    assert found["Invocations", FUNCTION] == {1.0: 4}
    assert found["Invocations", LIVE] == {1.0: 3}
    assert found["Invocations", (*LIVE, ("ExecutedVersion", "1"))] == {1.0: 1}
    assert found["Invocations", (*LIVE, ("ExecutedVersion", "2"))] == {1.0: 2}
    assert found["Invocations", (("FunctionName", "fn"), ("Resource", "fn:2"))] == {1.0: 1}
    assert len([name for name, _ in found if name == "Invocations"]) == 6


async def test_what_is_refused_is_a_throttle_and_no_invocation(world: World) -> None:
    world.metrics.throttled(version(), Invocation("r", b"", arn()))
    world.run(TooManyRequests("later"), result())
    found = await world.values()
    assert found["Throttles", FUNCTION] == {1.0: 2, 0.0: 1}
    assert found["Invocations", FUNCTION] == {1.0: 1}


async def test_what_the_platform_could_not_do_is_neither(world: World) -> None:
    world.run(SandboxFailure("no"), None)
    assert {name for name, _ in await world.values()} == {"ConcurrentExecutions", "UnreservedConcurrentExecutions"}


async def test_reserved_concurrency_is_no_unreserved_one(world: World) -> None:
    world.counting.configure(ACCOUNT, REGION, 10, {arn(): 5})
    world.run(result(), result())
    found = await world.values()
    assert found["ConcurrentExecutions", ()] == {1: 1, 2: 1}
    assert ("UnreservedConcurrentExecutions", ()) not in found


async def test_provisioned_concurrency_and_what_goes_beyond_it(world: World) -> None:
    world.counting.configure(ACCOUNT, REGION, 10, {}, {arn(): {"1": 2}})
    world.run(result(), result(), result(), qualifier="1", number="1")
    found = await world.values()
    one: Dimensions = (("FunctionName", "fn"), ("Resource", "fn:1"))
    assert found["ProvisionedConcurrencyInvocations", one] == {1.0: 2}
    assert found["ProvisionedConcurrencySpilloverInvocations", one] == {1.0: 1}
    # They are told of when all have begun.
    assert found["ProvisionedConcurrentExecutions", one] == {2: 2}
    assert found["ProvisionedConcurrencyUtilization", one] == {1.0: 2}
    assert found["UnreservedConcurrentExecutions", ()] == {1: 1}


async def test_events_have_their_own(world: World) -> None:
    world.metrics.event(arn(), "AsyncEventsReceived")
    world.metrics.event(arn(), "AsyncEventAge", 120.0, "Milliseconds")
    world.metrics.event(arn(), "AsyncEventAge", 80.0, "Milliseconds")
    found = await world.values()
    assert found["AsyncEventsReceived", FUNCTION] == {1.0: 1}
    assert found["AsyncEventAge", FUNCTION] == {120.0: 1, 80.0: 1}
    assert {name for name, _ in found} == {"AsyncEventsReceived", "AsyncEventAge"}


async def test_what_still_runs_when_it_is_stored_is_counted_when_it_ends(world: World) -> None:
    function, invocation = version(), Invocation("r", b"", arn())
    slot = world.counting.acquire(function)
    running = world.metrics.begin(function, invocation, slot)
    first = await world.values()
    assert first["ConcurrentExecutions", FUNCTION] == {1: 1}
    await world.values()
    world.run(result())
    assert (await world.values())["ConcurrentExecutions", FUNCTION] == {2: 1}
    slot.release()
    running.end(result())
    last = await world.values()
    assert last["Invocations", FUNCTION] == {1.0: 1}
    world.run(result())
    assert (await world.values())["ConcurrentExecutions", ()] == {1: 1}


async def test_accounts_are_told_apart(world: World) -> None:
    other = "222222222222"
    for account in (ACCOUNT, other):
        function = version(account=account)
        slot = world.counting.acquire(function)
        world.metrics.begin(function, Invocation("r", b"", arn(account=account)), slot).end(result())
    await world.metrics.flush()
    whole = [one for one in world.stored if one.name == "Invocations" and not one.dimensions]
    assert {(one.account, tuple(one.values.items())) for one in whole} == {
        (ACCOUNT, ((1.0, 1),)),
        (other, ((1.0, 1),)),
    }


async def test_it_belongs_to_the_moment_when_it_began_to_be_counted(world: World) -> None:
    world.run(result())
    moment = world.clock.now()
    world.clock.advance(3600)
    await world.metrics.flush()
    assert {one.moment_s for one in world.stored} == {moment}


async def test_a_store_that_fails_is_tried_again(world: World) -> None:
    world.fail = True
    world.run(result())
    await world.metrics.flush()
    world.run(result())
    await world.metrics.flush()
    world.fail = False
    await world.metrics.flush()
    counted = [one for one in world.stored if (one.name, one.dimensions) == ("Invocations", FUNCTION)]
    assert [dict(one.values) for one in counted] == [{1.0: 1}, {1.0: 1}]
    assert await world.values() == {}


async def test_what_is_counted_is_stored_without_being_asked_and_at_the_end(world: World) -> None:
    world.metrics.measuring.start()
    world.run(result())
    await world.metrics.measuring.close()
    assert any(one.name == "Invocations" for one in world.stored)


async def test_a_node_that_is_emptied_forgets_what_it_counted(world: World) -> None:
    world.run(result())
    world.metrics.reset()
    assert await world.values() == {}
