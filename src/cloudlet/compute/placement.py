"""Where a new sandbox goes, and whether there is room for it.

Memory is overcommitted, as on AWS: a function's configured memory is what it may use, and most use a fraction. The
policy, in the order in which it protects the machine:

1. A sandbox that **starts** is charged what its function version was last seen to use, or `FIRST_GUESS_MB` (its
   configured memory, when that is less) when it has never run.
2. A sandbox that **has started** is charged the most that it was seen to use, measured after its init phase and after
   invocations; at least `LEAST_MB`.
3. The charges of a worker never exceed its capacity (`sandbox_memory_mb`, or three quarters of the machine's memory),
   and the machine keeps `FLOOR_BYTES` really available, whoever else uses memory on it.
4. When there is no room, idle sandboxes are reaped, least recently used first; when none is left the invocation is
   refused with TooManyRequests. It never waits for a running invocation: that one may be waiting for it.
5. Within its configured memory a sandbox may still grow: then 3 is watched, and the cgroup's limit ends the one that
   goes over its own.

So 1,000 idle 128 MB functions of 8 MB each are charged 8 GB. A dense packing is preferred; among workers that are
equally full, the one with fewer sandboxes of the same function (their loads peak together).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from cloudlet.compute.function import ComputeError, FunctionVersion
from cloudlet.config import MIB

FIRST_GUESS_MB: Final = 64
LEAST_MB: Final = 4
FLOOR_BYTES: Final = 256 * MIB
LEASE_S: Final = 7 * 3600.0
"""Workers are leased for 6 to 8 hours, then renewed or drained."""
MEMORY_READ_S: Final = 0.05
"""What the machine has left is read again after this time; in between, charges are subtracted from it."""
EXPECTATIONS: Final = 10_000
"""Function versions whose use of memory is remembered."""

MakerT = TypeVar("MakerT")


class NoRoom(ComputeError):
    """No worker has memory left for another sandbox."""


@dataclass(eq=False, slots=True)
class PlacedWorker(Generic[MakerT]):
    """A worker as placement sees it."""

    worker_id: str
    maker: MakerT
    """What makes environments there."""
    capacity_bytes: int
    lease_until: float = float("inf")
    """Platform time until which new sandboxes may go there."""
    charged_bytes: int = 0
    sandboxes: dict[str, int] = field(default_factory=dict)
    """How many there are, by the ARN of their function."""


class Charge(Generic[MakerT]):
    """The memory that one sandbox is charged, on the worker where it is."""

    __slots__ = ("_placement", "bytes", "function", "worker")

    def __init__(
        self, placement: "Placement[MakerT]", worker: PlacedWorker[MakerT], function: FunctionVersion, size: int
    ) -> None:
        self._placement: Placement[MakerT] | None = placement
        self.worker = worker
        self.function = function
        self.bytes = size

    def settle(self, used_bytes: int) -> None:
        """Charge what the sandbox was measured to use."""
        if self._placement is not None:
            self._placement.learn(self.function, used_bytes)
            self._change(max(used_bytes, LEAST_MB * MIB))

    def hold(self, size: int) -> None:
        """Charge `size` for something that is no sandbox: nothing is learned from it."""
        if self._placement is not None:
            self._change(max(size, LEAST_MB * MIB))

    def release(self) -> None:
        """The sandbox is gone. May be called twice."""
        if self._placement is not None:
            self._change(0)
            arn = self.function.function_arn
            left = self.worker.sandboxes.pop(arn) - 1
            if left:
                self.worker.sandboxes[arn] = left
            self._placement = None

    def _change(self, size: int) -> None:
        assert self._placement is not None, "released"
        self.worker.charged_bytes += size - self.bytes
        self._placement.available_changed(self.bytes - size)
        self.bytes = size


class Placement(Generic[MakerT]):
    """Chooses workers. `available` says how many bytes the machine really has left."""

    def __init__(
        self,
        workers: Sequence[PlacedWorker[MakerT]],
        available: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.workers = list(workers)
        self._read_available = available
        self._monotonic = monotonic
        self._available = 0
        self._available_read = -MEMORY_READ_S
        self._expected: dict[str, int] = {}

    def place(self, function: FunctionVersion, now: float) -> Charge[MakerT]:
        """Find room for a sandbox of `function` at the platform's time `now`. Raises NoRoom."""
        size = self._expected.get(function.environment_id) or min(function.memory_mb, FIRST_GUESS_MB) * MIB
        arn = function.function_arn
        best: PlacedWorker[MakerT] | None = None
        for worker in self.workers:
            fits = worker.charged_bytes + size <= worker.capacity_bytes and now < worker.lease_until
            if fits and (best is None or self._rank(worker, arn) > self._rank(best, arn)):
                best = worker
        if best is None or not self.has_room(size):
            raise NoRoom(f"There is no memory left for a sandbox of {function.name}.")
        best.charged_bytes += size
        best.sandboxes[arn] = best.sandboxes.get(arn, 0) + 1
        self.available_changed(-size)
        return Charge(self, best, function, size)

    def has_room(self, size: int = 0) -> bool:
        """True while the machine keeps its floor, also with `size` bytes less."""
        now = self._monotonic()
        if now - self._available_read > MEMORY_READ_S:
            self._available = self._read_available()
            self._available_read = now
        return self._available - size >= FLOOR_BYTES

    def learn(self, function: FunctionVersion, used_bytes: int) -> None:
        """Remember what a sandbox of this version uses."""
        expected = self._expected
        if len(expected) >= EXPECTATIONS:
            del expected[next(iter(expected))]
        expected[function.environment_id] = max(used_bytes, LEAST_MB * MIB)

    def available_changed(self, size: int) -> None:
        """Charges changed since the machine's memory was read."""
        self._available += size

    def _rank(self, worker: PlacedWorker[MakerT], arn: str) -> tuple[float, int]:
        return worker.charged_bytes / worker.capacity_bytes, -worker.sandboxes.get(arn, 0)
