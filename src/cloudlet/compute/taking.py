"""An environment that is started to be copied: SnapStart's init phase, at the publication of a version.

It runs the init phase and the before-snapshot hooks. Then its runtime offers itself to the launcher, is copied, and has
done what it was for: it never runs an invocation.
"""

import asyncio
from dataclasses import replace

from cloudlet.compute import snap_start
from cloudlet.compute.environment import Environment
from cloudlet.compute.function import FunctionVersion
from cloudlet.compute.host import Host, Preparation, State
from cloudlet.compute.live_runtime import LiveRuntime
from cloudlet.compute.reports import Failure
from cloudlet.compute.runtime_process import RuntimeProcess
from cloudlet.compute.sandbox import Sandbox, SandboxSpec


class _Nobody:
    """Owner of an environment that serves nothing."""

    def environment_launched(self, environment: Environment) -> None:
        pass

    def environment_answered(self, environment: Environment) -> None:
        pass

    def environment_idle(self, environment: Environment) -> None:
        pass

    def environment_dead(self, environment: Environment) -> None:
        pass


class TakingRuntime(LiveRuntime):
    """Ready when it has been copied."""

    failure: Failure | None = None
    """Why it has not been."""

    def spec(self, before: RuntimeProcess | None) -> SandboxSpec:
        return replace(super().spec(before), takes_snapshot=True, snapshot="")

    def launched(self, sandbox: Sandbox) -> None:
        sandbox.snapshot_bytes.add_done_callback(self._taken)

    def _taken(self, snapshot: "asyncio.Future[int]") -> None:
        if not snapshot.cancelled():
            error = snapshot.exception()
            self.settle(Failure("error", "Runtime.SnapshotError", str(error)) if error is not None else None)

    def settle(self, failure: Failure | None) -> None:
        if self.is_starting and self.failure is None:
            self.failure = failure
        super().settle(failure)


class TakingEnvironment(Environment):
    """Made for one snapshot."""

    _runtime: TakingRuntime
    runtime_kind = TakingRuntime

    def __init__(self, function: FunctionVersion, preparation: Preparation, host: Host) -> None:
        super().__init__(function, preparation, host, _Nobody())

    async def take(self) -> tuple[str, int]:
        """The snapshot's name, and its size in bytes. Raises SnapshotFailed, RuntimeMissing, SandboxFailure."""
        runtime = self._runtime
        try:
            await self.initialize()
            if self.state is not State.READY:
                raise snap_start.snapshot_error(runtime.failure or Failure("error", "Runtime.Unknown"))
            sandbox = runtime.process.sandbox
            await runtime.end_failed_start()
            return sandbox.spec.sandbox_id, sandbox.snapshot_bytes.result()
        finally:
            self.close()

    def runtime_ready(self) -> None:
        """It asks for an invocation: it never offered itself."""
        self._runtime.settle(Failure("error", "Runtime.SnapshotError", "the runtime does not know of SnapStart"))
