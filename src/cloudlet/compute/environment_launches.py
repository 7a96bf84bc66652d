"""New environments: each gets its room first, then its turn at the launcher, then its init phase.

    make: room taken --worker--> an environment --launch: the gate lets in so many--> sandbox made --> init phase

Only the making of a sandbox holds a place at the gate: an init phase may take as long as it likes.
"""

from typing import TYPE_CHECKING, Final, Protocol

from cloudlet.compute.function import SNAP_START, FunctionVersion
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
        """Have what environments of `function` start from, which takes room of its own. Raises ComputeError."""

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

    async def make(self, function: FunctionVersion) -> ManagedEnvironment:
        """An environment that has its room, not yet started. Raises ComputeError."""
        if function.initialization_type == SNAP_START:  # before environments that wait for it have all the room
            for worker in self._placement.workers:
                await worker.maker.ready(function, self._room.take_now)
        charge = await self._room.take(function)
        try:
            environment = await charge.worker.maker.create(function, self._owner)
        except BaseException:
            charge.release()
            raise
        self.charges[environment] = charge
        return environment

    async def launch(self, pool: Pool, environment: ManagedEnvironment, *, always: bool = False) -> None:
        """The init phase, once it is this pool's turn; nothing, when by then nobody needs it any more."""
        await self._gate.enter(pool)
        self._launching.add(environment)
        try:
            if always or pool.wanted >= 0:
                await environment.initialize()
        finally:
            self.launched(environment)

    def launched(self, environment: ManagedEnvironment) -> None:
        """Its sandbox is made: the launcher is free for another one. May be called twice."""
        if environment in self._launching:
            self._launching.discard(environment)
            self._gate.leave()
