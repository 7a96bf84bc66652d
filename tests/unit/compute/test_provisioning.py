"""Environments that stay started: taken first, kept, made anew when they are lost."""

from collections.abc import AsyncIterator

import pytest

from cloudlet.compute.function import RuntimeMissing, SandboxFailure
from cloudlet.compute.host import State
from cloudlet.compute.provisioning import (
    FIRST_RETRY_S,
    INIT_FAILURE,
    RENEWAL_MARGIN_S,
    SHORT_LIFE_S,
    Allocation,
    Provisioner,
)
from tests.support.compute_world import function_version
from tests.unit.compute.test_worker_manager import FakeEnvironment, World, settle

FUNCTION = function_version(version="1")
ARN = FUNCTION.function_arn


class ProvisionedWorld(World):
    def __init__(self) -> None:
        super().__init__()
        self.provisioner = Provisioner(self.manager, self.clock)

    def allocation(self) -> Allocation:
        return self.provisioner.allocations(ARN)[FUNCTION.environment_id]

    async def provisioned(self, count: int) -> list[FakeEnvironment]:
        """Have `count` environments kept; those that were started for it."""
        before = len(self.maker.made)
        self.provisioner.provision(ARN, [(FUNCTION, count)])
        await settle()
        for each in self.maker.made[before:]:
            each.ready()
        await settle()
        return self.maker.made[before:]

    async def pass_time(self, duration_s: float) -> None:
        self.clock.advance(duration_s)
        await settle()


@pytest.fixture
async def world() -> AsyncIterator[ProvisionedWorld]:
    world = ProvisionedWorld()
    await world.manager.start()
    yield world
    await world.provisioner.close()
    await world.manager.close()


async def test_environments_are_started_and_say_what_they_are(world: ProvisionedWorld) -> None:
    world.provisioner.provision(ARN, [(FUNCTION, 2)])
    assert (world.allocation(), world.allocation().status) == (Allocation(2, 0), "IN_PROGRESS")
    await world.started(1)
    assert world.allocation() == Allocation(2, 1)
    await world.started(1)
    assert (world.allocation(), world.allocation().status) == (Allocation(2, 2), "READY")
    assert {each.function.initialization_type for each in world.maker.made} == {"provisioned-concurrency"}
    assert world.provisioner.environments == world.manager.idle == 2


async def test_they_are_not_reaped_for_age_or_need(world: ProvisionedWorld) -> None:
    (kept,) = await world.provisioned(1)
    await world.pass_time(86400)
    assert kept.state is State.READY
    assert world.allocation() == Allocation(1, 1)


async def test_they_are_taken_first_and_what_is_more_spills_over(world: ProvisionedWorld) -> None:
    (kept,) = await world.provisioned(1)
    first, second = world.submit(FUNCTION), world.submit(FUNCTION)
    (spilled,) = await world.started()
    assert (kept.running, spilled.running) == (first, second)
    assert spilled.function.initialization_type == "on-demand"
    kept.finish()
    spilled.finish()  # now the one that was used last
    third = world.submit(FUNCTION)
    assert kept.running is third
    kept.finish()
    await world.pass_time(601)
    assert (kept.state, spilled.state) == (State.READY, State.DEAD)


async def test_what_is_lost_is_made_anew(world: ProvisionedWorld) -> None:
    (kept,) = await world.provisioned(1)
    world.submit(FUNCTION)
    await world.pass_time(SHORT_LIFE_S)
    kept.die()
    await settle()
    assert world.allocation().status == "IN_PROGRESS"
    (second,) = await world.started()
    assert world.allocation() == Allocation(1, 1)
    second.die()  # while it is idle, and after a short life
    await settle()
    assert len(world.maker.made) == 2
    await world.pass_time(SHORT_LIFE_S)
    await world.started()
    assert world.allocation() == Allocation(1, 1)


async def test_it_is_replaced_before_its_credentials_are_too_old(world: ProvisionedWorld) -> None:
    world.provisioner.provision(ARN, [(FUNCTION, 1)])
    await settle()
    (old,) = world.maker.made
    old.usable_until = world.clock.now() + 3600
    await world.started()
    await world.pass_time(3600 - RENEWAL_MARGIN_S)
    assert old.state is State.DEAD
    (new,) = await world.started()
    assert new.state is State.READY
    assert world.allocation() == Allocation(1, 1)


async def test_a_failing_init_phase_is_said_and_tried_again_later(world: ProvisionedWorld) -> None:
    world.provisioner.provision(ARN, [(FUNCTION, 1)])
    await settle()
    world.maker.made[0].ready(State.FAILED)
    await settle()
    assert world.allocation() == Allocation(1, 0, INIT_FAILURE)
    assert world.allocation().status == "FAILED"
    assert world.maker.made[0].closes == 1
    await world.pass_time(FIRST_RETRY_S)
    await world.started()
    assert world.allocation() == Allocation(1, 1)


@pytest.mark.parametrize("error", [RuntimeMissing("there is no python"), SandboxFailure("no room"), OSError("odd")])
async def test_what_the_platform_cannot_start_is_said_too(world: ProvisionedWorld, error: Exception) -> None:
    world.maker.failures = [error]
    world.provisioner.provision(ARN, [(FUNCTION, 1)])
    await settle()
    said = "The execution environment could not be started." if isinstance(error, OSError) else str(error)
    assert world.allocation() == Allocation(1, 0, said)


async def test_fewer_end_and_more_start(world: ProvisionedWorld) -> None:
    kept = await world.provisioned(3)
    await world.provisioned(1)
    assert [each.state for each in kept].count(State.DEAD) == 2
    assert len(await world.provisioned(2)) == 1
    assert world.allocation() == Allocation(2, 2)
    world.provisioner.provision(ARN, ())
    await settle()
    assert all(each.state is State.DEAD for each in world.maker.made)
    assert world.provisioner.allocations(ARN) == {}


async def test_what_runs_goes_on_when_it_need_not_stay(world: ProvisionedWorld) -> None:
    (kept,) = await world.provisioned(1)
    running = world.submit(FUNCTION)
    world.provisioner.provision(ARN, ())
    await settle()
    assert kept.running is running
    kept.finish()
    assert kept.closes == 0
    await world.pass_time(601)
    assert kept.closes == 1  # by age, as any other


async def test_another_version_takes_over(world: ProvisionedWorld) -> None:
    (old,) = await world.provisioned(1)
    second = function_version(version="2", environment_id="second")
    world.provisioner.provision(ARN, [(second, 1)])
    (new,) = await world.started()
    assert (old.state, new.state) == (State.DEAD, State.READY)
    assert new.function.version == "2"


async def test_starting_is_given_up_when_it_is_wanted_no_more(world: ProvisionedWorld) -> None:
    world.provisioner.provision(ARN, [(FUNCTION, 1)])
    await settle()
    world.provisioner.provision(ARN, ())
    await settle()
    assert world.maker.made[0].closes == 1
    assert world.manager._pools == {}
