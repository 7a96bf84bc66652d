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


class TakingEnvironment(Environment):
    """Made for one snapshot."""

    def __init__(self, function: FunctionVersion, preparation: Preparation, host: Host) -> None:
        super().__init__(function, preparation, host, _Nobody())
        self._failure: Failure | None = None

    async def take(self) -> tuple[str, int]:
        """The snapshot's name, and its size in bytes. Raises SnapshotFailed, RuntimeMissing, SandboxFailure."""
        try:
            await self.initialize()
            if self.state is not State.READY:
                raise snap_start.snapshot_error(self._failure or Failure("error", "Runtime.Unknown"))
            process = self._live_process
            sandbox = process.sandbox
            await self._end_process(process)
            return sandbox.spec.sandbox_id, sandbox.snapshot_bytes.result()
        finally:
            self.close()

    def _spec(self, before: RuntimeProcess | None) -> SandboxSpec:
        return replace(super()._spec(before), takes_snapshot=True, snapshot="")

    def _launched(self, sandbox: Sandbox) -> None:
        sandbox.snapshot_bytes.add_done_callback(self._taken)

    def _taken(self, snapshot: "asyncio.Future[int]") -> None:
        if snapshot.cancelled() or self._is_closed:
            return
        error = snapshot.exception()
        self._settle_init(Failure("error", "Runtime.SnapshotError", str(error)) if error is not None else None)

    def _settle_init(self, failure: Failure | None) -> None:
        if self._ready is not None and not self._ready.done():
            self._failure = failure
        super()._settle_init(failure)

    def runtime_ready(self) -> None:
        """It asks for an invocation: it never offered itself."""
        self._settle_init(Failure("error", "Runtime.SnapshotError", "the runtime does not know of SnapStart"))
