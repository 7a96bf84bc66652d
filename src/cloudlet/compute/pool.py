"""The environments of one function version, and the invocations that wait for one."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from cloudlet.compute.active_invocation import ActiveInvocation
from cloudlet.compute.function import FunctionVersion
from cloudlet.compute.host import State

PoolKey = tuple[str, str, str, str, str]


class ManagedEnvironment(Protocol):
    """What the manager knows of an environment (`environment.Environment`)."""

    state: State
    idle_since: float
    usable_until: float

    @property
    def peak_bytes(self) -> int:
        """The most memory that it was seen to use."""

    @property
    def is_reset(self) -> bool:
        """Does it wait for the invocation that starts its next sandbox?"""

    async def initialize(self) -> None:
        """Be READY or FAILED. Raises ComputeError."""

    def begin(self, active: ActiveInvocation) -> None:
        """Run an invocation."""

    def is_usable(self, now: float) -> bool:
        """May another invocation begin?"""

    def freeze(self) -> None:
        """Stop until the next invocation."""

    def shut_down(self) -> Coroutine[Any, Any, None] | None:
        """End it in order: None when that is done, or what is left to do; `close` is called then."""

    def close(self) -> None:
        """End it at once, whatever it does. May be called twice."""


class Pool:
    """The environments of one function version, and who waits for one."""

    __slots__ = (
        "environments",
        "finishing",
        "function",
        "grace",
        "idle",
        "is_retired",
        "prewarming",
        "provisioned",
        "provisioning",
        "starting",
        "waiting",
    )

    def __init__(self, function: FunctionVersion) -> None:
        self.function = function
        self.environments: set[ManagedEnvironment] = set()
        """Those that have started: idle and busy."""
        self.idle: list[ManagedEnvironment] = []
        """The most recently used last."""
        self.finishing: set[ManagedEnvironment] = set()
        """Those that have answered and will ask for the next invocation in a moment."""
        self.grace: asyncio.TimerHandle | None = None
        """While it runs, who waits is left to those that finish."""
        self.waiting: deque[ActiveInvocation] = deque()
        self.starting = 0
        self.prewarming = 0
        """Environments to start beyond those that somebody waits for."""
        self.provisioned: dict[ManagedEnvironment, Callable[[], None]] = {}
        """Those that are kept, and who is told when one is lost. When idle they are the last in `idle`: taken first."""
        self.provisioning = 0
        """Of these, how many are being started."""
        self.is_retired = False

    @property
    def wanted(self) -> int:
        """How many more environments should start; below 0, how many of those that start are not needed any more."""
        unserved = max(0, len(self.waiting) - len(self.finishing))
        return unserved + self.prewarming - self.starting

    @property
    def is_empty(self) -> bool:
        """True when nothing would be lost with this pool."""
        return not (self.environments or self.waiting or self.starting or self.prewarming or self.provisioning)

    def keeps_idle(self, environment: ManagedEnvironment) -> bool:
        """True for a provisioned environment that waits for an invocation."""
        return environment in self.provisioned and environment in self.idle

    def add_idle(self, environment: ManagedEnvironment, is_new: bool) -> bool:
        """It waits for an invocation; true when it is kept, however long that takes.

        A new one is the least recently used.
        """
        idle = self.idle
        if environment in self.provisioned:
            idle.append(environment)
            return True
        place = 0 if is_new else len(idle)
        if self.provisioned:
            while place and idle[place - 1] in self.provisioned:
                place -= 1
        idle.insert(place, environment)
        return False


def pool_key(function: FunctionVersion) -> PoolKey:
    """What tells function versions apart, also those of an older configuration."""
    return (function.account, function.region, function.name, function.version, function.environment_id)
