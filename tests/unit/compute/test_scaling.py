"""How fast functions may grow."""

import pytest

from cloudlet.compute import scaling
from cloudlet.compute.counting import ACCOUNT_LIMIT
from cloudlet.compute.environment_launches import EnvironmentMaker
from cloudlet.compute.function import TooManyRequests
from cloudlet.compute.placement import PlacedWorker, Placement
from cloudlet.compute.scaling import ScalingRate
from cloudlet.compute.worker_manager import WorkerManager
from tests.support.clock import ManualClock
from tests.support.compute_world import GIB, function_version
from tests.unit.compute.test_worker_manager import World, settle


def test_a_function_grows_by_so_many_and_then_steadily() -> None:
    clock = ManualClock()
    rate = ScalingRate(10, clock)
    assert [rate.take("a") for _ in range(11)] == [True] * 10 + [False]
    assert rate.take("b")
    assert rate.retry_after_s("a") == 1
    clock.advance(1)
    assert [rate.take("a") for _ in range(2)] == [True, False]
    clock.advance(100)
    assert [rate.take("a") for _ in range(11)] == [True] * 10 + [False]


def test_a_slow_rate_says_how_long_to_wait() -> None:
    rate = ScalingRate(1, ManualClock())
    assert (rate.take("a"), rate.take("a"), rate.retry_after_s("a")) == (True, False, 10)


def test_without_a_limit_all_may_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    rate = ScalingRate(0, ManualClock())
    assert all(rate.take("a") for _ in range(5000))
    monkeypatch.setattr(scaling, "MAX_FUNCTIONS", 2)
    bounded = ScalingRate(1, ManualClock())
    assert all(bounded.take(name) for name in "abc")
    assert len(bounded._left) == 2


async def test_who_comes_while_the_function_grows_too_fast_is_refused() -> None:
    world = World()
    placed: PlacedWorker[EnvironmentMaker] = PlacedWorker("w", world.maker, 4 * GIB)
    placement = Placement([placed], lambda: 100 * GIB, world.clock.monotonic)
    world.manager = WorkerManager(placement, world.clock, 600.0, scaling_rate=2)
    first, second, third = (world.submit() for _ in range(3))
    with pytest.raises(TooManyRequests) as caught:
        await third.future
    assert (caught.value.reason, caught.value.retry_after_s) == (ACCOUNT_LIMIT, 5)
    environments = await world.started(2)
    assert [each.running for each in environments] == [first, second]
    environments[0].finish()
    world.submit()  # what has started serves as before
    assert environments[0].served == 2
    world.clock.advance(5)
    world.submit(function_version())
    await settle()
    assert len(world.maker.made) == 3
    await world.manager.close()
