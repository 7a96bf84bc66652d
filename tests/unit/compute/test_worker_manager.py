"""Which environment runs what: by example, and by a model that tries everything."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cloudlet.compute import reaping, worker_manager
from cloudlet.compute.active_invocation import ActiveInvocation
from cloudlet.compute.counting import ACCOUNT_LIMIT
from cloudlet.compute.environment_launches import EnvironmentMaker
from cloudlet.compute.function import FunctionVersion, InvocationResult, RuntimeMissing, SandboxFailure, TooManyRequests
from cloudlet.compute.host import State
from cloudlet.compute.launch_gate import LaunchGate
from cloudlet.compute.placement import PlacedWorker, Placement
from cloudlet.compute.snapshots import Reserve
from cloudlet.compute.worker_manager import WorkerManager
from cloudlet.config import MIB
from tests.support.clock import ManualClock
from tests.support.compute_world import GIB, active, function_version


class FakeEnvironment:
    """An environment that does what the test says."""

    def __init__(self, function: FunctionVersion, owner: WorkerManager) -> None:
        self.function = function
        self.owner = owner
        self.state = State.NEW
        self.idle_since = 0.0
        self.is_reset = False
        self.peak_bytes = 8 * MIB
        self.usable_until = float("inf")
        self.running: ActiveInvocation | None = None
        self.served = 0
        self.freezes = 0
        self.closes = 0
        self.ending: Coroutine[Any, Any, None] | None = None
        """Its shutdown phase, if it has one."""
        self._init: asyncio.Future[State] = asyncio.get_running_loop().create_future()

    async def initialize(self) -> None:
        self.state = State.STARTING
        self.owner.environment_launched(self)
        self.state = await self._init

    def ready(self, state: State = State.READY) -> None:
        """The init phase is over."""
        self._init.set_result(state)

    def raises(self, error: Exception) -> None:
        """The platform could not start it."""
        self._init.set_exception(error)

    def begin(self, active: ActiveInvocation) -> None:
        assert self.state in (State.READY, State.FAILED), "began while not ready"
        assert self.running is None, "two invocations at once"
        self.state = State.BUSY
        self.running = active
        self.served += 1

    def finish(self) -> None:
        """Its invocation is over, and it asks for more."""
        self.answer()
        self.come_back()

    def answer(self) -> None:
        """Its invocation is over."""
        done, self.running = self.running, None
        assert done is not None
        self.owner.environment_answered(self)
        done.resolve(InvocationResult(b"done"))

    def come_back(self) -> None:
        """It asks for more."""
        self.state = State.READY
        self.owner.environment_idle(self)

    def die(self) -> None:
        """It ends, with its invocation."""
        done, self.running = self.running, None
        self.state = State.DEAD
        self.owner.environment_dead(self)
        if done is not None:
            done.resolve(InvocationResult(b"crashed", "Unhandled"))

    def is_usable(self, now: float) -> bool:
        return self.state is State.READY and now < self.usable_until

    def freeze(self) -> None:
        self.freezes += 1

    def shut_down(self) -> Coroutine[Any, Any, None] | None:
        if self.ending is None:
            self.close()
            return None
        self.state = State.DEAD
        return self.ending

    def close(self) -> None:
        self.closes += 1
        self.state = State.DEAD
        if self.running is not None:
            self.running.fail(SandboxFailure("closed"))


class FakeMaker:
    """Makes them at once, and remembers them."""

    def __init__(self) -> None:
        self.made: list[FakeEnvironment] = []
        self.failures: list[Exception] = []

    async def ready(self, function: FunctionVersion, reserve: Reserve) -> None:
        """Nothing is needed first."""

    def make_room(self) -> bool:
        return False

    async def create(self, function: FunctionVersion, owner: WorkerManager) -> FakeEnvironment:
        if self.failures:
            raise self.failures.pop(0)
        self.made.append(FakeEnvironment(function, owner))
        return self.made[-1]


class World:
    """A manager of fake environments."""

    def __init__(self, capacity_bytes: int = 4 * GIB, freeze_after_s: float | None = None) -> None:
        self.clock = ManualClock()
        self.maker = FakeMaker()
        self.available_bytes = 100 * GIB
        placed: PlacedWorker[EnvironmentMaker] = PlacedWorker("w", self.maker, capacity_bytes)
        self.placement = Placement([placed], lambda: self.available_bytes, self.clock.monotonic)
        self.manager = WorkerManager(self.placement, self.clock, 600.0, freeze_after_s)

    def submit(self, function: FunctionVersion | None = None) -> ActiveInvocation:
        """Submit an invocation."""
        made = active()
        made.future.add_done_callback(lambda future: future.cancelled() or future.exception())
        self.manager.submit(function or function_version(), made)
        return made

    async def started(self, count: int = 1) -> list[FakeEnvironment]:
        """Let `count` environments that start be ready."""
        await settle()
        starting = [each for each in self.maker.made if each.state is State.STARTING][:count]
        assert len(starting) == count
        for each in starting:
            each.ready()
        await settle()
        return starting


async def settle() -> None:
    """Let all that can go on go on."""
    for _ in range(12):
        await asyncio.sleep(0)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    await world.manager.start()
    yield world
    await world.manager.close()


async def test_the_first_invocation_starts_an_environment(world: World) -> None:
    first = world.submit()
    (environment,) = await world.started()
    assert environment.running is first


async def test_a_warm_environment_is_taken_at_once(world: World) -> None:
    world.submit()
    (environment,) = await world.started()
    environment.finish()
    second = world.submit()
    assert environment.running is second
    assert len(world.maker.made) == 1


async def test_a_burst_goes_wide(world: World) -> None:
    for _ in range(10):
        world.submit()
    await settle()
    assert len(world.maker.made) == 10


async def test_what_becomes_free_first_serves_who_waits_longest(world: World) -> None:
    world.submit()
    (environment,) = await world.started()
    second, third = world.submit(), world.submit()
    await settle()
    environment.finish()
    assert environment.running is second
    environment.finish()
    assert environment.running is third
    spares = await world.started(2)
    assert [spare.running for spare in spares] == [None, None]
    assert world.manager.idle == 2


async def test_a_caller_faster_than_the_runtime_meets_the_same_environment(world: World) -> None:
    world.submit()
    (environment,) = await world.started()
    for _ in range(3):
        environment.answer()
        again = world.submit()
        await settle()
        environment.come_back()
        assert environment.running is again
    assert len(world.maker.made) == 1


async def test_a_second_caller_does_not_wait_for_one_that_comes_back(world: World) -> None:
    world.submit()
    (environment,) = await world.started()
    environment.answer()
    world.submit()
    second = world.submit()
    (_,) = await world.started()
    assert environment.running is None
    environment.come_back()
    assert environment.running is second


async def test_a_runtime_that_does_not_come_back_is_not_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_manager, "GRACE_S", 0.001)
    world.submit()
    (environment,) = await world.started()
    environment.answer()
    waiting = world.submit()
    while len(world.maker.made) == 1:
        await asyncio.sleep(0)
    (other,) = await world.started()
    assert other.running is waiting
    environment.come_back()
    assert world.manager.idle == 1


async def test_a_runtime_that_dies_instead_of_coming_back_is_replaced(world: World) -> None:
    world.submit()
    (environment,) = await world.started()
    environment.answer()
    waiting = world.submit()
    environment.die()
    (other,) = await world.started()
    assert other.running is waiting


async def test_one_that_comes_back_is_no_replacement_for_a_prewarmed_one(world: World) -> None:
    world.submit()
    (environment,) = await world.started()
    environment.answer()
    world.manager.prewarm(function_version(), 1)
    await settle()
    environment.come_back()
    await world.started()
    assert world.manager.idle == 2


async def test_an_environment_that_was_used_is_taken_before_a_new_one(world: World) -> None:
    world.submit()
    (used,) = await world.started()
    used.finish()
    world.manager.prewarm(function_version(), 1)
    (new,) = await world.started()
    world.submit()
    assert (used.served, new.served) == (2, 0)


async def test_what_nobody_needs_any_more_is_not_even_made(world: World) -> None:
    world.manager._launches._gate = LaunchGate(1)
    world.submit()
    (environment,) = await world.started()
    await world.manager._launches._gate.enter("another")
    world.submit()
    await settle()
    environment.finish()
    world.manager._launches._gate.leave()
    await settle()
    assert [each.state for each in world.maker.made] == [State.BUSY]
    assert world.placement.workers[0].charged_bytes == 8 * MIB


async def test_the_most_recently_used_is_taken_first(world: World) -> None:
    for _ in range(3):
        world.submit()
    environments = await world.started(3)
    for index in (1, 2, 0):
        environments[index].finish()
    world.submit()
    assert environments[0].running is not None


async def test_versions_do_not_share_environments(world: World) -> None:
    world.submit(function_version(version="1"))
    (environment,) = await world.started()
    environment.finish()
    world.submit(function_version(version="2"))
    assert environment.running is None


async def test_idle_environments_are_reaped_after_their_time(world: World) -> None:
    for _ in range(2):
        world.submit()
    early, late = await world.started(2)
    early.finish()
    world.clock.advance(300)
    late.finish()
    await settle()
    world.clock.advance(301)
    await settle()
    assert (early.closes, late.closes) == (1, 0)
    world.clock.advance(300)
    await settle()
    assert late.closes == 1
    assert world.manager.environments == 0
    assert world.placement.workers[0].charged_bytes == 0


async def test_an_environment_that_is_used_is_not_reaped(world: World) -> None:
    world.submit()
    (environment,) = await world.started()
    for _ in range(5):
        environment.finish()
        await settle()
        world.clock.advance(500)
        await settle()
        world.submit()
    assert environment.served == 6


async def test_one_whose_credentials_end_is_not_used_again(world: World) -> None:
    world.submit()
    (environment,) = await world.started()
    environment.usable_until = world.clock.now()
    environment.finish()
    assert environment.closes == 1
    world.submit()
    (other,) = await world.started()
    other.finish()
    other.usable_until = world.clock.now()
    world.submit()
    assert (other.closes, other.served) == (1, 1)


async def test_retired_environments_end_and_busy_ones_with_their_invocation(world: World) -> None:
    for _ in range(2):
        world.submit()
    idle, busy = await world.started(2)
    idle.finish()
    world.manager.retire(function_version().function_arn, ["another-id"])
    assert (idle.closes, busy.closes) == (1, 0)
    busy.finish()
    assert busy.closes == 1


async def test_what_is_kept_is_not_retired(world: World) -> None:
    world.submit()
    (environment,) = await world.started()
    environment.finish()
    world.manager.retire(function_version().function_arn, [function_version().environment_id])
    world.manager.retire(function_version("other").function_arn, [])
    assert environment.closes == 0


async def test_who_waits_for_a_retired_version_is_still_served(world: World) -> None:
    first = world.submit()
    world.manager.retire(function_version().function_arn, [])
    (environment,) = await world.started()
    assert environment.running is first
    environment.finish()
    assert environment.closes == 1


async def test_prewarming_starts_as_many_as_asked(world: World) -> None:
    world.manager.prewarm(function_version(), 3)
    await world.started(3)
    assert world.manager.idle == 3
    world.submit()
    await settle()
    assert len(world.maker.made) == 3


async def test_prewarmed_environments_come_on_top_of_those_that_are_needed(world: World) -> None:
    world.manager.prewarm(function_version(), 1)
    world.submit()
    await world.started(2)
    assert world.manager.idle == 1


async def test_a_prewarmed_one_that_fails_is_given_up(world: World) -> None:
    world.manager.prewarm(function_version(), 2)
    await settle()
    first, second = world.maker.made
    first.ready(State.FAILED)
    second.raises(SandboxFailure("no"))
    await settle()
    assert (first.closes, second.closes) == (1, 1)
    assert (world.manager.environments, len(world.maker.made)) == (0, 2)


async def test_a_failed_init_goes_to_who_waits(world: World) -> None:
    first = world.submit()
    await settle()
    world.maker.made[0].ready(State.FAILED)
    await settle()
    assert world.maker.made[0].running is first


async def test_one_of_those_who_wait_hears_why_nothing_started(world: World) -> None:
    first, second = world.submit(), world.submit()
    await settle()
    world.maker.made[0].raises(RuntimeMissing("no such runtime"))
    await settle()
    with pytest.raises(RuntimeMissing):
        await first.future
    await world.started(1)
    assert world.maker.made[1].running is second


async def test_an_unexpected_error_is_no_end_of_the_engine(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.maker.failures.append(ZeroDivisionError())
    first = world.submit()
    with pytest.raises(SandboxFailure, match="could not be started"):
        await first.future
    assert "ZeroDivisionError" in caplog.text
    world.submit()
    await world.started()


async def test_a_dead_environment_is_replaced_for_who_waits(world: World) -> None:
    world.submit()
    (environment,) = await world.started()
    waiting = world.submit()
    environment.die()
    (other,) = await world.started()
    assert other.running is waiting
    assert environment.closes == 1


async def test_an_idle_environment_that_dies_is_forgotten(world: World) -> None:
    world.submit()
    (environment,) = await world.started()
    environment.finish()
    environment.die()
    assert (world.manager.idle, world.manager.environments) == (0, 0)


async def test_who_gives_up_while_waiting_is_forgotten(world: World) -> None:
    first = world.submit()
    await settle()
    assert world.manager.forget(function_version(), first)
    assert not world.manager.forget(function_version(), first)
    (environment,) = await world.started()
    assert environment.running is None


async def test_who_runs_cannot_be_taken_back(world: World) -> None:
    first = world.submit()
    await world.started()
    assert not world.manager.forget(function_version(), first)


async def test_without_memory_the_least_recently_used_idle_one_makes_room() -> None:
    world = World(capacity_bytes=130 * MIB)
    for name in ("a", "b"):
        world.submit(function_version(name))
    first, second = await world.started(2)
    for each in (first, second):
        each.peak_bytes = 64 * MIB
    second.finish()
    first.finish()
    world.submit(function_version("c"))
    await world.started()
    assert (second.closes, first.closes) == (1, 0)
    await world.manager.close()


async def test_without_memory_and_with_nothing_idle_an_invocation_is_refused() -> None:
    world = World(capacity_bytes=64 * MIB)
    world.submit(function_version("a"))
    await settle()
    world.maker.made[0].peak_bytes = 64 * MIB
    await world.started()
    refused = world.submit(function_version("b"))
    with pytest.raises(TooManyRequests) as error:
        await refused.future
    assert error.value.reason == ACCOUNT_LIMIT
    await world.manager.close()


async def test_a_start_waits_for_the_memory_that_other_starts_give_back() -> None:
    world = World(capacity_bytes=100 * MIB)
    calls = [world.submit(function_version(name)) for name in "abc"]
    await settle()
    assert len(world.maker.made) == 1
    for _ in range(3):
        await world.started()
    assert [each.running for each in world.maker.made] == calls
    await world.manager.close()


async def test_memory_pressure_reaps_the_least_recently_used_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaping, "PRESSURE_CHECK_S", 0.001)
    world = World()
    await world.manager.start()
    for _ in range(3):
        world.submit()
    environments = await world.started(3)
    for each in environments:
        each.finish()
    world.clock.advance(1)
    world.available_bytes = 256 * MIB - 9 * MIB
    while world.manager.idle == 3:
        await asyncio.sleep(0)
    assert [each.closes for each in environments] == [1, 1, 0]
    await world.manager.close()


async def test_what_is_idle_for_long_is_frozen_when_so_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaping, "PRESSURE_CHECK_S", 0.001)
    world = World(freeze_after_s=10)
    await world.manager.start()
    for _ in range(2):
        world.submit()
    early, late = await world.started(2)
    early.finish()
    world.clock.advance(11)
    late.finish()
    while not early.freezes:
        await asyncio.sleep(0)
    assert late.freezes == 0
    await world.manager.close()


async def test_closing_fails_what_runs_and_what_waits() -> None:
    world = World()
    await world.manager.start()
    running = world.submit()
    (environment,) = await world.started()
    waiting = world.submit()
    await settle()
    await world.manager.close()
    for each in (running, waiting):
        with pytest.raises(SandboxFailure):
            await each.future
    assert environment.closes == 1
    assert world.placement.workers[0].charged_bytes == 0


NAMES = st.sampled_from("abc")
CAPACITY = 200 * MIB


class ManagerMachine(RuleBasedStateMachine):
    """Any order of invocations, starts, failures, ends, retirements and time."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(worker_manager, "GRACE_S", 1e6)  # it is over when the machine says so
        self.calls: list[tuple[FunctionVersion, ActiveInvocation]] = []
        self.version = 1
        self.run(self.begin())

    async def begin(self) -> None:
        self.world = World(capacity_bytes=CAPACITY)
        await self.world.manager.start()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        async def settled() -> None:
            await work
            await settle()

        self.loop.run_until_complete(settled())

    def function(self, name: str) -> FunctionVersion:
        return function_version(name, environment_id=f"{name}-{self.version}")

    def of(self, *states: State) -> list[FakeEnvironment]:
        return [each for each in self.world.maker.made if each.state in states]

    @rule(name=NAMES)
    def submit(self, name: str) -> None:
        async def work() -> None:
            self.calls.append((self.function(name), self.world.submit(self.function(name))))

        self.run(work())

    @rule(name=NAMES, count=st.integers(1, 2))
    def prewarm(self, name: str, count: int) -> None:
        async def work() -> None:
            self.world.manager.prewarm(self.function(name), count)

        self.run(work())

    @precondition(lambda self: self.of(State.STARTING))
    @rule(data=st.data(), how=st.sampled_from(["ready", "ready", "failed", "raises"]))
    def start(self, data: st.DataObject, how: str) -> None:
        environment = data.draw(st.sampled_from(self.of(State.STARTING)))

        async def work() -> None:
            environment.peak_bytes = data.draw(st.integers(1, 64)) * MIB
            if how == "raises":
                environment.raises(SandboxFailure("no"))
            else:
                environment.ready(State.READY if how == "ready" else State.FAILED)

        self.run(work())

    def busy(self) -> list[FakeEnvironment]:
        return [each for each in self.of(State.BUSY) if each.running is not None]

    def away(self) -> list[FakeEnvironment]:
        return [each for each in self.of(State.BUSY) if each.running is None]

    @precondition(lambda self: self.busy())
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        async def work() -> None:
            data.draw(st.sampled_from(self.busy())).answer()

        self.run(work())

    @precondition(lambda self: self.away())
    @rule(data=st.data(), how=st.sampled_from(["come back", "come back", "die", "grace"]))
    def come_back(self, data: st.DataObject, how: str) -> None:
        environment = data.draw(st.sampled_from(self.away()))

        async def work() -> None:
            if how == "come back":
                environment.come_back()
            elif how == "die":
                environment.die()
            else:
                pool = self.world.manager._pool_of[environment]
                if pool.grace is not None:
                    pool.grace.cancel()
                    self.world.manager._grace_over(pool)

        self.run(work())

    @precondition(lambda self: self.busy())
    @rule(data=st.data(), how=st.sampled_from(["finish", "finish", "expire", "die"]))
    def end(self, data: st.DataObject, how: str) -> None:
        environment = data.draw(st.sampled_from(self.busy()))

        async def work() -> None:
            if how == "expire":
                environment.usable_until = 0.0
            if how == "die":
                environment.die()
            else:
                environment.finish()

        self.run(work())

    @precondition(lambda self: self.of(State.READY))
    @rule(data=st.data())
    def die_while_idle(self, data: st.DataObject) -> None:
        async def work() -> None:
            data.draw(st.sampled_from(self.of(State.READY))).die()

        self.run(work())

    @rule(name=NAMES)
    def change(self, name: str) -> None:
        async def work() -> None:
            self.version += 1
            self.world.manager.retire(function_version(name).function_arn, [f"{name}-{self.version}"])

        self.run(work())

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        async def work() -> None:
            function, call = data.draw(st.sampled_from(self.calls))
            if self.world.manager.forget(function, call):
                call.abandon()

        self.run(work())

    @rule(duration_s=st.sampled_from([1.0, 300.0, 601.0]))
    def wait(self, duration_s: float) -> None:
        async def work() -> None:
            self.world.clock.advance(duration_s)

        self.run(work())

    @invariant()
    def nobody_waits_beside_an_idle_environment(self) -> None:
        for pool in self.world.manager._pools.values():
            assert not (pool.waiting and pool.idle)
            assert pool.wanted <= 0
            assert pool.grace is not None or len(pool.waiting) <= pool.starting
            assert pool.finishing <= pool.environments

    @invariant()
    def every_environment_is_where_its_state_says(self) -> None:
        manager = self.world.manager
        alive = self.of(State.READY, State.BUSY)
        assert set(manager._pool_of) == set(alive)
        assert set(manager._idle) == set(self.of(State.READY))
        assert all(each.closes == 1 for each in self.of(State.DEAD))
        assert manager._room.starting == sum(pool.starting for pool in manager._pools.values())

    @invariant()
    def charges_are_those_of_living_sandboxes(self) -> None:
        manager, worker = self.world.manager, self.world.placement.workers[0]
        assert sum(charge.bytes for charge in manager._charges.values()) == worker.charged_bytes
        assert set(manager._charges) == set(self.of(State.READY, State.BUSY, State.STARTING))

    @invariant()
    def idle_is_in_order_of_last_use(self) -> None:
        times = [each.idle_since for each in self.world.manager._idle]
        assert times == sorted(times)

    def teardown(self) -> None:
        # Whatever happened, every invocation comes to its end.
        for _ in range(200):
            if all(call.is_over for _, call in self.calls):
                break
            for each in self.of(State.STARTING):
                self.run(self._do(each.ready))
            for each in self.busy():
                self.run(self._do(each.answer))
            for each in self.away():
                self.run(self._do(each.come_back))
        assert all(call.is_over for _, call in self.calls)
        self.run(self.world.manager.close())
        assert self.world.placement.workers[0].charged_bytes == 0
        self.loop.close()
        self.patch.undo()

    async def _do(self, what: Any) -> None:
        what()


TestManagerMachine = ManagerMachine.TestCase
TestManagerMachine.settings = settings(max_examples=80, stateful_step_count=50, deadline=None)
