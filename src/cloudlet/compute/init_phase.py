"""The init phase of an environment, or with SnapStart the restore that takes its place.

    on demand, within 10 s --failed--> once more, as a part of the first invocation and of its timeout
    provisioned, for SnapStart's snapshot, or debugged: within 130 s, or the function's timeout when that is longer
    from a snapshot --failed--> the invocation fails; the next tries it again

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib
"""

from typing import Final

from cloudlet.clock import Clock
from cloudlet.compute import reports, snap_start
from cloudlet.compute.function import ON_DEMAND, FunctionVersion
from cloudlet.compute.host import Host, Preparation
from cloudlet.compute.live_runtime import LiveRuntime
from cloudlet.compute.platform_log import PlatformLog
from cloudlet.compute.reports import Failure

INIT_LIMIT_S: Final = 10.0
PREPARED_INIT_LIMIT_S: Final = 130.0
"""With provisioned concurrency or SnapStart, or the function's timeout when that is longer."""


class InitPhase:
    """Makes an environment's runtime ready, and tells the function's log how that went."""

    def __init__(
        self, function: FunctionVersion, preparation: Preparation, host: Host, runtime: LiveRuntime, lines: PlatformLog
    ) -> None:
        self.duration_ms = 0.0
        """How long it took the last time; a `reports.Restoration` when it was a restore."""
        self._function = function
        self._runtime_version = preparation.runtime_version
        self.is_restore = bool(preparation.snapshot)
        self._debuggers = host.debuggers
        self._clock: Clock = host.clock
        self._runtime = runtime
        self._lines = lines

    async def run(self) -> Failure | None:
        """Ahead of invocations. Raises RestoreFailed, RestoreTimedOut, RuntimeMissing, SandboxFailure."""
        if self.is_restore:
            await self._restore("init")
            return None
        self._lines.init_start(self._runtime_version)
        self.duration_ms, failure = await self._runtime.start(self._limit_s(), "init")
        self._lines.init_report(self.duration_ms, "init", failure)
        return failure

    async def run_again(self) -> Failure | None:
        """As a part of an invocation and of its timeout (AWS: a suppressed init); the caller reports a failure.

        Raises the same.
        """
        if self.is_restore:
            await self._restore("invoke")
            return None
        self.duration_ms, failure = await self._runtime.start(self._function.timeout_s, "invoke")
        return failure

    def report_again(self, failure: Failure) -> None:
        """`run_again` has failed."""
        self._lines.init_report(self.duration_ms, "invoke", failure)

    def _limit_s(self) -> float:
        function = self._function
        is_prepared = function.initialization_type != ON_DEMAND
        is_debugged = function.environment_id in self._debuggers
        return max(PREPARED_INIT_LIMIT_S, function.timeout_s) if is_prepared or is_debugged else INIT_LIMIT_S

    async def _restore(self, phase: str) -> None:
        self._lines.restore_start(self._runtime_version)
        duration_ms, failure = await self._runtime.start(snap_start.RESTORE_LIMIT_S, phase)
        self._lines.restore_report(duration_ms, failure)
        if failure is not None:
            raise snap_start.restore_error(failure)
        since_launch_ms = (self._clock.monotonic() - self._runtime.launched_at) * 1000
        self.duration_ms = reports.Restoration.of(duration_ms, since_launch_ms)
