"""New environments: each gets its room first, then its turn at the launcher, then its init phase.

    make: room taken --the gate lets in so many--> worker: an environment --launch: sandbox made --> init phase

Only the making of a sandbox holds a place at the gate: an init phase may take as long as it likes.
"""

from typing import TYPE_CHECKING, Final, Protocol

from cloudlet.compute.function import FunctionVersion
from cloudlet.compute.launch_gate import LaunchGate
from cloudlet.compute.placement import Charge, Placement
from cloudlet.compute.pool import ManagedEnvironment, Pool
from cloudlet.compute.room import Room
from cloudlet.compute.snapshots import Reserve

if TYPE_CHECKING:
    from cloudlet.compute.worker_manager import WorkerManager

LAUNCHES_AT_ONCE: Final = 16
"""More would only make each of them slower."""


class EnvironmentMaker(Protocol):
    """What makes environments on one worker (`worker.Worker`)."""

    async def ready(self, function: FunctionVersion, reserve: Reserve) -> None:
        """Have what environments of `function` start from, which may take room of its own. Raises ComputeError."""

    def make_room(self) -> bool:
        """Give up something that could be made again; false when there is nothing."""

    async def create(self, function: FunctionVersion, owner: "WorkerManager") -> ManagedEnvironment:
        """A new environment, not yet initialised. Raises ComputeError."""


class EnvironmentLaunches:
    """Makes and launches the environments of a node."""

    def __init__(
        self, placement: "Placement[EnvironmentMaker]", room: "Room[EnvironmentMaker]", owner: "WorkerManager"
    ) -> None:
        """`owner` owns the environments."""
        self.charges: dict[ManagedEnvironment, Charge[EnvironmentMaker]] = {}
        """What room each environment has; taken out by who ends it."""
        self._placement = placement
        self._room = room
        self._owner = owner
        self._gate = LaunchGate(LAUNCHES_AT_ONCE)
        self._launching: set[ManagedEnvironment] = set()

    async def make(self, pool: Pool, function: FunctionVersion, *, always: bool = False) -> ManagedEnvironment | None:
        """An environment that has its room and its place at the gate, to be launched. Raises ComputeError.

        None when by the time of its turn nobody needs it any more, as where many short invocations wait.
        """
        for worker in self._placement.workers:  # may take long, and room: before anything is held that others wait for
            await worker.maker.ready(function, self._room.take_now)
        charge = await self._room.take(function)
        environment: ManagedEnvironment | None = None
        try:
            await self._gate.enter(pool)
            try:
                if always or pool.wanted >= 0:
                    environment = await charge.worker.maker.create(function, self._owner)
            finally:
                if environment is None:
                    self._gate.leave()
        finally:
            if environment is None:
                charge.release()
        if environment is not None:
            self.charges[environment] = charge
            self._launching.add(environment)
        return environment

    async def launch(self, environment: ManagedEnvironment) -> None:
        """The init phase of one that was made. Raises ComputeError."""
        try:
            await environment.initialize()
        finally:
            self.launched(environment)

    def launched(self, environment: ManagedEnvironment) -> None:
        """Its sandbox is made: the launcher is free for another one. May be called twice."""
        if environment in self._launching:
            self._launching.discard(environment)
            self._gate.leave()
