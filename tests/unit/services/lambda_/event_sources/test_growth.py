"""How many batches may be under way."""

from cloudlet.services.lambda_.event_sources.growth import MAXIMUM, START, Growth
from tests.support.clock import ManualClock


def test_few_at_first_and_more_while_there_is_more_to_do() -> None:
    clock = ManualClock()
    growth = Growth(clock)
    assert growth.allowed == START
    clock.advance(60)
    assert growth.allowed == START
    growth.saturated()
    clock.advance(60)
    assert growth.allowed == START + 300
    clock.advance(600)
    assert growth.allowed == MAXIMUM


def test_it_begins_anew_when_there_is_nothing_to_do() -> None:
    clock = ManualClock()
    growth = Growth(clock)
    growth.saturated()
    clock.advance(60)
    growth.starved()
    assert growth.allowed == START


def test_a_maximum_holds_from_the_beginning() -> None:
    clock = ManualClock()
    growth = Growth(clock, 2)
    growth.saturated()
    clock.advance(60)
    assert growth.allowed == 2
    growth.running = 2
    assert growth.is_full


def test_it_begins_with_what_is_provisioned() -> None:
    clock = ManualClock()
    growth = Growth(clock, 100, 20)
    assert growth.allowed == 20
    growth.saturated()
    clock.advance(600)
    assert growth.allowed == 100
    growth.starved()
    assert growth.allowed == 20


def test_throttles_halve_it_but_never_to_nothing() -> None:
    growth = Growth(ManualClock())
    for _ in range(10):
        growth.throttled()
    assert growth.allowed == 1
