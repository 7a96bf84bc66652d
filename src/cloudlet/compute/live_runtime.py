"""What runs in an environment: a sandbox with the runtime and what is beside it; after its end, the next sandbox."""

import asyncio
from typing import Final, Protocol

from cloudlet.compute import api_messages, reports, shutdown, snap_start
from cloudlet.compute.api_messages import ApiRequest
from cloudlet.compute.beside import Beside
from cloudlet.compute.extension import Poller
from cloudlet.compute.extension_host import BesideEvents
from cloudlet.compute.function import SNAP_START, FunctionVersion
from cloudlet.compute.function_log import FunctionLog
from cloudlet.compute.host import Host, Preparation
from cloudlet.compute.reports import Failure
from cloudlet.compute.runtime_api import READY, RuntimeApi
from cloudlet.compute.runtime_process import ProcessEvents, RuntimeProcess
from cloudlet.compute.sandbox import Sandbox, SandboxSpec
from cloudlet.compute.variables import variables

MEMORY_SAMPLE_S: Final = 0.02
"""Memory is looked at after each invocation, but not more often than this: in less time nobody fills much of it."""
SHORT_S: Final = 0.005
"""An invocation that was shorter can not have filled much either: after those it is looked at less often."""
SHORT_MEMORY_SAMPLE_S: Final = 0.2


class RuntimeOwner(ProcessEvents, BesideEvents, Protocol):
    """Who is told what the runtime, its process and its extensions do."""

    def runtime_launched(self) -> None:
        """Its sandbox has been made, or could not be."""


class LiveRuntime:
    """The sandbox of an environment: launched, initialised, frozen, ended, and launched again."""

    def __init__(
        self, function: FunctionVersion, preparation: Preparation, host: Host, log: FunctionLog, owner: RuntimeOwner
    ) -> None:
        self.api: RuntimeApi | None = None
        """Where it asks for invocations, once it was ready."""
        self.beside: Beside | None = None
        """The extensions, where there are any."""
        self.launched_at = 0.0
        """When the last sandbox was there, on the monotonic clock."""
        self.peak_bytes = 0
        """The most memory that was seen in use."""
        self._sampled_at = 0.0
        self._process: RuntimeProcess | None = None
        self._ready: asyncio.Future[Failure | None] | None = None
        self.is_frozen = False
        """True between `freeze` and `thaw`."""
        self._function = function
        self._preparation = preparation
        self._host = host
        self._clock = host.clock
        self._log = log
        self._owner = owner

    @property
    def process(self) -> RuntimeProcess:
        """The one that was launched last; there must be one."""
        assert self._process is not None, "not launched"
        return self._process

    @property
    def is_starting(self) -> bool:
        """True while `start` waits for the runtime to be ready."""
        return self._ready is not None

    @property
    def are_all_waiting(self) -> bool:
        """With extensions: do they, and the runtime, wait for what comes next?"""
        beside = self.beside
        return beside is not None and self.process.api.state == READY and beside.host.all_waiting

    # -- start

    async def start(self, limit_s: float, phase: str) -> tuple[float, Failure | None]:
        """Launch a sandbox and wait until its runtime is ready; how long that took (ms), and what went wrong.

        `phase` is `init`, or `invoke` when it is done again. Raises RuntimeMissing, SandboxFailure.
        """
        started = self._clock.monotonic()
        failure = self._preparation.obstacle
        if failure is None:
            self._ready = asyncio.get_running_loop().create_future()
            process = await self._launch(phase)
            failure = await self._until_ready(self._ready, limit_s)
            self._ready = None
            self.api = process.api
            if failure is None and process.has_exited:
                failure = reports.exit_failure(await process.end())
            if self.beside is not None:
                self.beside.events.init_over(failure, (self._clock.monotonic() - started) * 1000)
            if failure is not None:
                await self.end_failed_start()
        return (self._clock.monotonic() - started) * 1000, failure

    async def _launch(self, phase: str) -> RuntimeProcess:
        before, process = self._process, RuntimeProcess(self._owner)
        self._process = process
        beside = self.beside = self._new_beside(phase) if self._preparation.extensions else None
        launched = beside.host.launched if beside is not None else None
        try:
            await process.launch(self._host.launcher, self.spec(before), self._host.serve_platform, launched)
        finally:
            if before is not None:
                before.close()
            self._owner.runtime_launched()
        sandbox = process.sandbox
        self.launched_at = self._clock.monotonic()
        self._log.attach(sandbox.output, sandbox.telemetry, sandbox.extension_output)
        self.launched(sandbox)
        return process

    async def _until_ready(self, ready: "asyncio.Future[Failure | None]", limit_s: float) -> Failure | None:
        timer = asyncio.get_running_loop().call_later(limit_s, self.settle, Failure("timeout"))
        failure = await ready
        timer.cancel()
        return failure

    def settle(self, failure: Failure | None) -> None:
        """The start is over: well, or with this failure. Does nothing when it already was."""
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(failure)

    def launched(self, sandbox: Sandbox) -> None:
        """For who wants more of a sandbox than that its runtime is ready."""
        if (debugger := self._host.debuggers.get(self._function.environment_id)) is not None:
            debugger.launched(sandbox)

    def spec(self, before: RuntimeProcess | None) -> SandboxSpec:
        """What the launcher is asked for; the sandbox of `before` leaves its /tmp."""
        function, preparation = self._function, self._preparation
        return SandboxSpec(
            sandbox_id=self._host.ids.hex(32),
            runtime=function.runtime,
            handler=function.handler,
            code=preparation.code,
            layers=preparation.layers,
            environment=variables(function, preparation.credentials, self._log.stream, preparation.image_environment),
            memory_mb=function.memory_mb,
            ephemeral_storage_mb=function.ephemeral_storage_mb,
            follows=before.sandbox.spec.sandbox_id if before is not None and before.is_launched else "",
            extensions=preparation.extensions,
            container=preparation.container,
            snapshot=preparation.snapshot,
        )

    # -- what is beside the runtime

    def _new_beside(self, phase: str) -> Beside:
        return Beside.make(self._function, self._preparation, self._host, self._log, self._owner, phase)

    def extension_calls(self, request: ApiRequest, poller: Poller) -> None:
        """A call of the Extensions, Telemetry or Logs API, or of what SnapStart adds to the Runtime API."""
        beside = self.beside
        if request.path == snap_start.CREDENTIALS_PATH or request.path.startswith(snap_start.RESTORE_PREFIX):
            self._snap_start_calls(request, poller)
            return
        if beside is None:
            beside = self._new_beside("init")
            if self._ready is None:
                beside.host.close_registration()
            else:  # an internal one, the first: from now on there are extensions here
                beside.host.launched(self.process.sandbox)
                self.beside = beside
        beside.host.handle(request, poller)

    def _snap_start_calls(self, request: ApiRequest, poller: Poller) -> None:
        """Whoever calls is this sandbox: the token of its variables says nothing more."""
        if self._function.initialization_type != SNAP_START:
            poller.answer(api_messages.NOT_FOUND)
        elif request.path == snap_start.CREDENTIALS_PATH:
            poller.answer(snap_start.credentials_answer(self._preparation.credentials, self._clock))
        elif request.path == snap_start.RESTORE_ERROR_PATH:
            poller.answer(api_messages.ACCEPTED)
            self.settle(snap_start.HOOK_ERROR)
        else:
            poller.answer(api_messages.NOT_FOUND)

    # -- while it runs

    def sample_memory(self) -> None:
        """Look at how much memory is in use."""
        if self._process is not None:
            self._sampled_at = self._clock.monotonic()
            self.peak_bytes = max(self.peak_bytes, self._process.sandbox.memory_peak_bytes())

    def sample_memory_after(self, invocation_s: float) -> None:
        """Look at it after an invocation that lasted for so long, unless that was done a moment ago."""
        interval_s = SHORT_MEMORY_SAMPLE_S if invocation_s < SHORT_S else MEMORY_SAMPLE_S
        if self._clock.monotonic() - self._sampled_at > interval_s:
            self.sample_memory()

    def freeze(self) -> None:
        """Stop all that runs in the sandbox, unless somebody looks into it."""
        if not self.is_frozen and self._function.environment_id not in self._host.debuggers:
            self.process.sandbox.freeze()
            self.is_frozen = True
            if self.beside is not None:
                self.beside.host.freeze()

    def thaw(self) -> None:
        """Undo `freeze`."""
        if self.is_frozen:
            self.process.sandbox.thaw()
            self.is_frozen = False
            if self.beside is not None:
                self.beside.host.thaw()

    # -- the end

    async def end_failed_start(self) -> None:
        """End a sandbox whose init failed, and keep what it wrote."""
        self.sample_memory()
        beside, self.beside = self.beside, None
        await self._end(beside, shutdown.FAILURE)
        self.detach()

    async def end_in_order(self, reason: str) -> None:
        """End the sandbox, and let extensions hear of it first."""
        await self._end(self.beside, reason)
        self.beside = None

    async def _end(self, beside: Beside | None, reason: str) -> None:
        process = self.process
        process.hush()
        if beside is not None:
            await beside.end(process.sandbox, reason)
        await process.end()

    def detach(self) -> None:
        """Listen no more to a sandbox that has ended."""
        self._log.detach()
        self.process.hang_up()

    def close(self) -> None:
        """Kill what runs and give everything back. May be called twice."""
        if self.beside is not None:
            self.beside.host.close()
        if self._process is not None:
            self._process.close()
