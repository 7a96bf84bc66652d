"""Provisioned concurrency: environments of a function version that are started ahead of invocations, and stay.

Each of them has a keeper, a task that starts one, and another one when that is lost: killed by a timeout, crashed, or
too old for its credentials. What cannot be started is tried again, later and later.

https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from cloudlet.clock import Clock
from cloudlet.compute.function import ComputeError, FunctionVersion
from cloudlet.compute.pool import ManagedEnvironment

INITIALIZATION_TYPE: Final = "provisioned-concurrency"
INIT_FAILURE: Final = "FUNCTION_ERROR_INIT_FAILURE"
"""AWS's reason when the function's own init phase fails."""
FIRST_RETRY_S: Final = 5.0
LAST_RETRY_S: Final = 300.0
SHORT_LIFE_S: Final = 1.0
"""One that is lost sooner is not replaced at once, for the next one may fare no better."""
RENEWAL_MARGIN_S: Final = 300.0
"""An environment is replaced this long before its credentials are too old."""

logger = logging.getLogger(__name__)


class InitFailed(ComputeError):
    """The function's init phase failed."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """How far the provisioning of a version has come."""

    requested: int = 0
    allocated: int = 0
    reason: str = ""
    """Why it fails, while it does."""

    @property
    def status(self) -> str:
        """AWS's word."""
        if self.reason:
            return "FAILED"
        return "READY" if self.allocated >= self.requested else "IN_PROGRESS"


class Starter(Protocol):
    """What starts environments that stay: the worker manager."""

    async def start_provisioned(self, function: FunctionVersion, lost: Callable[[], None]) -> ManagedEnvironment:
        """A started environment, for which `lost` is called when it ends. Raises InitFailed, ComputeError."""

    def release_provisioned(self, environment: ManagedEnvironment) -> None:
        """It need not stay any more."""


class _Version:
    """The environments of one function version."""

    def __init__(self, function: FunctionVersion) -> None:
        self.function = function
        self.keepers: list[asyncio.Task[None]] = []
        self.ready = 0
        self.reasons: dict[asyncio.Task[None] | None, str] = {}

    @property
    def allocation(self) -> Allocation:
        return Allocation(len(self.keepers), self.ready, next(iter(self.reasons.values()), ""))


class Provisioner:
    """Keeps environments started, on one node."""

    def __init__(self, starter: Starter, clock: Clock) -> None:
        self._starter = starter
        self._clock = clock
        self._versions: dict[str, dict[str, _Version]] = {}
        """By the function's ARN, then by environment id."""
        self._ending: set[asyncio.Task[None]] = set()

    def provision(self, function_arn: str, targets: Sequence[tuple[FunctionVersion, int]]) -> None:
        """Keep so many environments of these versions of the function, and none of its others."""
        versions = self._versions.setdefault(function_arn, {})
        wanted = {function.environment_id: (function, count) for function, count in targets if count > 0}
        for environment_id in list(versions):
            if environment_id not in wanted:
                self._resize(versions.pop(environment_id), 0)
        for environment_id, (function, count) in wanted.items():
            if environment_id not in versions:
                versions[environment_id] = _Version(function)
            self._resize(versions[environment_id], count)
        if not versions:
            del self._versions[function_arn]

    def allocations(self, function_arn: str) -> Mapping[str, Allocation]:
        """How far each version of a function is, by its environment id."""
        return {name: version.allocation for name, version in self._versions.get(function_arn, {}).items()}

    @property
    def environments(self) -> int:
        """How many are ready, of all functions."""
        return sum(version.ready for versions in self._versions.values() for version in versions.values())

    async def close(self) -> None:
        """Keep nothing any more."""
        for function_arn in list(self._versions):
            self.provision(function_arn, ())
        await asyncio.gather(*self._ending, return_exceptions=True)

    def _resize(self, version: _Version, count: int) -> None:
        while len(version.keepers) > count:
            keeper = version.keepers.pop()
            self._ending.add(keeper)
            keeper.add_done_callback(self._ending.discard)
            keeper.cancel()
        while len(version.keepers) < count:
            name = f"keep {version.function.name}:{version.function.version}"
            version.keepers.append(asyncio.create_task(self._keep(version), name=name))

    async def _keep(self, version: _Version) -> None:
        """Have one environment started, until cancelled."""
        me = asyncio.current_task()
        retry_s = FIRST_RETRY_S
        try:
            while True:
                lost = asyncio.Event()
                try:
                    environment = await self._starter.start_provisioned(version.function, lost.set)
                except Exception as error:
                    version.reasons[me] = _reason(version.function, error)
                    await self._clock.sleep(retry_s)
                    retry_s = min(retry_s * 2, LAST_RETRY_S)
                    continue
                version.reasons.pop(me, None)
                retry_s = FIRST_RETRY_S
                started = self._clock.monotonic()
                await self._stay(version, environment, lost)
                if self._clock.monotonic() - started < SHORT_LIFE_S:
                    await self._clock.sleep(SHORT_LIFE_S)
        finally:
            version.reasons.pop(me, None)

    async def _stay(self, version: _Version, environment: ManagedEnvironment, lost: asyncio.Event) -> None:
        """Return when the environment is lost or too old; give it back in every case."""
        version.ready += 1
        too_old = asyncio.ensure_future(self._clock.sleep_until(environment.usable_until - RENEWAL_MARGIN_S))
        gone = asyncio.ensure_future(lost.wait())
        try:
            await asyncio.wait([too_old, gone], return_when=asyncio.FIRST_COMPLETED)
        finally:
            version.ready -= 1
            too_old.cancel()
            gone.cancel()
            self._starter.release_provisioned(environment)


def _reason(function: FunctionVersion, error: Exception) -> str:
    if isinstance(error, InitFailed):
        return INIT_FAILURE
    if not isinstance(error, ComputeError):
        logger.exception("provisioned concurrency of %s could not be started", function.function_arn)
        return "The execution environment could not be started."
    return str(error)
