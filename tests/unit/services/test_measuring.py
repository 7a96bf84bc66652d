"""What services measure of themselves is stored some seconds later, or is lost without harm."""

from collections.abc import Iterable

from cloudlet.services.measurements import Measurement
from cloudlet.services.measuring import Measuring
from cloudlet.store.base import StoreUnavailable
from tests.support.clock import ManualClock


class World:
    """What is counted, and where it goes."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.stored: list[str] = []
        self.counted: list[str] = []
        self.measuring = Measuring("numbers", self.record, ManualClock(), self.take)

    def count(self, name: str) -> None:
        self.measuring.mark()
        self.counted.append(name)

    async def take(self, since_s: float) -> list[Measurement]:
        counted, self.counted = self.counted, []
        return [Measurement("1", "r", "N", name, (), "Count", since_s, {1.0: 1}) for name in counted]

    async def record(self, measurements: Iterable[Measurement]) -> None:
        if self.errors:
            raise self.errors.pop()
        self.stored += [one.name for one in measurements]


async def test_what_the_store_does_not_take_waits_for_it() -> None:
    world = World()
    world.errors = [StoreUnavailable("away")]
    world.count("first")
    await world.measuring.flush()
    world.count("second")
    await world.measuring.flush()
    assert world.stored == ["first", "second"]


async def test_what_cannot_be_stored_at_all_is_lost_and_the_rest_goes_on() -> None:
    """The loop that stores must not end by it: what is counted then would never be stored, nor given up."""
    world = World()
    world.errors = [ValueError("no number")]
    world.count("first")
    await world.measuring.flush()
    world.count("second")
    await world.measuring.flush()
    assert world.stored == ["second"]
