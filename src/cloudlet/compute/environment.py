"""An execution environment: a function version's sandbox through its init phase, its invocations and its end.

    NEW --initialize--> STARTING --the runtime asks for an event--> READY <--> BUSY --> DEAD
                           |                                                    | timeout, crash
                           +--failed or too slow--> FAILED <--------------------+
                                                      +--the next invocation tries the init again--> BUSY, DEAD

A reset leaves /tmp as it was: the sandbox that follows takes it over.

What AWS promises of each phase: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

import asyncio
import datetime as dt
import math
from collections.abc import Coroutine
from typing import Any, Final, Protocol

from cloudlet.compute import api_messages, reports, shutdown, snap_start
from cloudlet.compute.active_invocation import ActiveInvocation
from cloudlet.compute.api_messages import ApiRequest
from cloudlet.compute.beside import Beside
from cloudlet.compute.extension import Poller
from cloudlet.compute.function import (
    ON_DEMAND,
    SNAP_START,
    ComputeError,
    FunctionVersion,
    InvocationResult,
    SandboxFailure,
)
from cloudlet.compute.function_log import FunctionLog
from cloudlet.compute.host import Host, Preparation, State
from cloudlet.compute.platform_log import platform_log
from cloudlet.compute.reports import Failure
from cloudlet.compute.runtime_api import READY, RuntimeApi, invocation_event
from cloudlet.compute.runtime_process import RuntimeProcess
from cloudlet.compute.sandbox import ExitStatus, Sandbox, SandboxSpec
from cloudlet.compute.variables import variables
from cloudlet.config import MIB

INIT_LIMIT_S: Final = 10.0
PREPARED_INIT_LIMIT_S: Final = 130.0
"""With provisioned concurrency or SnapStart, or the function's timeout when that is longer."""
CREDENTIALS_MARGIN_S: Final = 60.0
"""Credentials outlive the last invocation that may begin with them by this much."""
MEMORY_SAMPLE_S: Final = 0.02
"""Memory is looked at after each invocation, but not more often than this: in less time nobody fills much of it."""


class EnvironmentOwner(Protocol):
    """Who is told when an environment can take an invocation, and when never again."""

    def environment_launched(self, environment: "Environment") -> None:
        """Its sandbox has been made, or could not be: the launcher is free for others."""

    def environment_answered(self, environment: "Environment") -> None:
        """Its invocation is over, and it will wait for the next in a moment."""

    def environment_idle(self, environment: "Environment") -> None:
        """It waits for an invocation."""

    def environment_dead(self, environment: "Environment") -> None:
        """It will serve nothing any more; close it."""


class Environment:
    """One execution environment. Not safe for threads; lives in the event loop."""

    def __init__(
        self, function: FunctionVersion, preparation: Preparation, host: Host, owner: EnvironmentOwner
    ) -> None:
        self.function = function
        self.state = State.NEW
        self.idle_since = 0.0
        """Platform time when it last began to wait; set by the owner."""
        self.peak_bytes = 0
        """The most memory that it was seen to use."""
        now = host.clock.now()
        self.log_stream = f"{_date(now)}/[{function.version}]{host.ids.hex(32)}"
        self.usable_until = preparation.credentials.expiration - function.timeout_s - CREDENTIALS_MARGIN_S
        """Platform time after which its credentials are too old for another invocation."""
        self._preparation = preparation
        self._host = host
        self._owner = owner
        self._clock = host.clock
        self._log = FunctionLog(function, self.log_stream, host.logs, host.clock)
        self._lines = platform_log(function, self._log, host.clock)
        self._process: RuntimeProcess | None = None
        self._api: RuntimeApi | None = None
        self._beside: Beside | None = None
        """The extensions, where there are any."""
        self._reason = shutdown.SPINDOWN
        """What extensions are told of why it ends."""
        self._ready: asyncio.Future[Failure | None] | None = None
        self._active: ActiveInvocation | None = None
        self._verdict: Failure | None = None
        """Why the sandbox was killed, once it was."""
        self._init_ms: float | None = None
        self._deadline = 0.0
        """When the last invocation that was begun has to be over, on the monotonic clock."""
        self._timer: asyncio.TimerHandle | None = None
        self._retry: asyncio.Task[None] | None = None
        self._resetting: asyncio.Task[None] | None = None
        self._sampled = 0.0
        self._launched_at = 0.0
        """When the last sandbox was there, on the monotonic clock."""
        self._is_frozen = False
        self._is_closed = False
        self._has_served = False
        """True once an init phase has succeeded: then a sandbox that ends is followed by another."""

    # -- the init phase

    async def initialize(self) -> None:
        """The init phase. The environment is READY afterwards, or FAILED: then the first invocation tries again.

        Raises RuntimeMissing, SandboxFailure.
        """
        function, log = self.function, self._log
        log.keep_tail(True)
        log.flush_soon()
        if self._preparation.snapshot:
            await self._restore()
            return
        self._lines.init_start(self._preparation.runtime_version)
        is_prepared = function.initialization_type != ON_DEMAND
        is_debugged = function.environment_id in self._host.debuggers
        limit_s = max(PREPARED_INIT_LIMIT_S, function.timeout_s) if is_prepared or is_debugged else INIT_LIMIT_S
        self.state = State.STARTING
        duration_ms, failure = await self._start_runtime(limit_s, "init")
        self._lines.init_report(duration_ms, "init", failure)
        if failure is None:
            self._init_ms = duration_ms
            self._sample_memory()
            self._has_served = True
            self.state = State.READY
        else:
            log.flush()
            self.state = State.FAILED

    async def _restore(self, phase: str = "init") -> None:
        """With SnapStart: in place of an init phase, wake up from a snapshot; READY afterwards.

        Raises RestoreFailed, RestoreTimedOut, RuntimeMissing, SandboxFailure.
        """
        self._lines.restore_start(self._preparation.runtime_version)
        self.state = State.STARTING
        duration_ms, failure = await self._start_runtime(snap_start.RESTORE_LIMIT_S, phase)
        self._lines.restore_report(duration_ms, failure)
        if failure is not None:
            self._log.flush()
            raise snap_start.restore_error(failure)
        self._init_ms = reports.Restoration.of(duration_ms, (self._clock.monotonic() - self._launched_at) * 1000)
        self._sample_memory()
        self._has_served = True
        self.state = State.READY

    async def _start_runtime(self, limit_s: float, phase: str) -> tuple[float, Failure | None]:
        """Launch a sandbox and wait until its runtime is ready; how long that took, and what went wrong."""
        started = self._clock.monotonic()
        failure = self._preparation.obstacle
        if failure is None:
            loop = asyncio.get_running_loop()
            self._ready = loop.create_future()
            self._verdict = None
            before, process = self._process, RuntimeProcess(self)
            self._process = process
            beside = self._beside = self._new_beside(phase) if self._preparation.extensions else None
            launched = beside.host.launched if beside is not None else None
            try:
                await process.launch(self._host.launcher, self._spec(before), self._host.serve_platform, launched)
            finally:
                if before is not None:
                    before.close()
                self._owner.environment_launched(self)
            sandbox = process.sandbox
            self._launched_at = self._clock.monotonic()
            self._log.attach(sandbox.output, sandbox.telemetry, sandbox.extension_output)
            self._launched(sandbox)
            timer = loop.call_later(limit_s, self._settle_init, Failure("timeout"))
            failure = await self._ready
            timer.cancel()
            self._ready = None
            self._api = process.api
            if failure is None and process.has_exited:
                failure = reports.exit_failure(await process.end())
            if self._beside is not None:
                self._beside.events.init_over(failure, (self._clock.monotonic() - started) * 1000)
            if failure is not None:
                await self._end_process(process)
        return (self._clock.monotonic() - started) * 1000, failure

    def _launched(self, sandbox: Sandbox) -> None:
        """For who wants more of a sandbox than that its runtime is ready."""
        if (debugger := self._host.debuggers.get(self.function.environment_id)) is not None:
            debugger.launched(sandbox)

    def _spec(self, before: RuntimeProcess | None) -> SandboxSpec:
        function, preparation = self.function, self._preparation
        return SandboxSpec(
            sandbox_id=self._host.ids.hex(32),
            runtime=function.runtime,
            handler=function.handler,
            code=preparation.code,
            layers=preparation.layers,
            environment=variables(function, preparation.credentials, self.log_stream, preparation.image_environment),
            memory_mb=function.memory_mb,
            ephemeral_storage_mb=function.ephemeral_storage_mb,
            follows=before.sandbox.spec.sandbox_id if before is not None and before.is_launched else "",
            extensions=preparation.extensions,
            container=preparation.container,
            snapshot=preparation.snapshot,
        )

    def _new_beside(self, phase: str) -> Beside:
        return Beside.make(self.function, self._preparation, self._host, self._log, self, phase)

    def _settle_init(self, failure: Failure | None) -> None:
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(failure)

    async def _end_process(self, process: RuntimeProcess) -> None:
        """End a runtime whose init failed, and keep what it wrote."""
        self._sample_memory()
        process.hush()
        beside, self._beside = self._beside, None
        if beside is not None:
            await beside.end(process.sandbox, shutdown.FAILURE)
        await process.end()
        self._log.detach()
        process.hang_up()

    # -- invocations

    def begin(self, active: ActiveInvocation) -> None:
        """Run an invocation; `active` is resolved when it has ended. The environment must be READY or FAILED."""
        active.started = self._clock.monotonic()
        self._active = active
        log = self._log
        if active.invocation.tail_log:
            log.keep_tail(True)
        elif self._init_ms is not None or self.state is State.FAILED:
            log.keep_tail(False)
        if self.state is State.FAILED:
            self.state = State.BUSY
            self._retry = asyncio.create_task(self._begin_with_init(active), name=f"init {self.log_stream}")
        else:
            self.state = State.BUSY
            self._deliver(active)

    async def _begin_with_init(self, active: ActiveInvocation) -> None:
        """The init phase once more, now as a part of the invocation and of its timeout (AWS: a suppressed init)."""
        if self._preparation.snapshot:
            await self._begin_with_restore(active)
            return
        try:
            duration_ms, failure = await self._start_runtime(self.function.timeout_s, "invoke")
        except ComputeError as error:
            self._active = None
            self._die()
            active.fail(error)
            return
        if self.state is State.DEAD:
            return
        if failure is None:
            self._has_served = True
            self.state = State.BUSY
            self._deliver(active)
            return
        self._lines.init_report(duration_ms, "invoke", failure)
        self._lines.start(active.invocation)
        self._fail(reports.timeout_failure(self.function.timeout_s) if failure.status == "timeout" else failure)

    async def _begin_with_restore(self, active: ActiveInvocation) -> None:
        try:
            await self._restore("invoke")
        except ComputeError as error:
            self._active = None
            self._die()
            active.fail(error)
            return
        if self._active is active:
            self.state = State.BUSY
            active.started = self._clock.monotonic()
            self._deliver(active)

    def _deliver(self, active: ActiveInvocation) -> None:
        function, invocation, clock = self.function, active.invocation, self._clock
        api = self._api
        assert api is not None, "not initialised"
        if self._is_frozen:
            self.thaw()
        self._lines.start(invocation)
        self._log.flush_soon()
        self._deadline = active.started + function.timeout_s
        left_s = self._deadline - clock.monotonic()
        deadline_ms = int((clock.wall() + left_s) * 1000)
        if self._beside is not None:
            self._beside.begin(active, deadline_ms)
        api.deliver(
            invocation.request_id,
            invocation_event(
                invocation.request_id,
                invocation.payload or b"{}",
                deadline_ms,
                invocation.invoked_function_arn,
                invocation.trace_id,
                invocation.client_context,
                invocation.cognito_identity,
            ),
            invocation.stream,
        )
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(left_s, self._on_timer)

    def _on_timer(self) -> None:
        # One timer watches many invocations: it is armed again for what is left, not anew for each.
        self._timer = None
        if self.state is not State.BUSY or self._verdict is not None:
            return
        left_s = self._deadline - self._clock.monotonic()
        if left_s > 0:
            self._timer = asyncio.get_running_loop().call_later(left_s, self._on_timer)
            return
        # Also a runtime that has answered but does not come back for the next event is out of its time.
        self._sample_memory()
        self._verdict = reports.timeout_failure(self.function.timeout_s)
        if self._beside is None:
            self._live_process.kill()
        else:
            self._fail(self._verdict)  # what still runs is told so, in the shutdown phase

    def _fail(self, failure: Failure) -> None:
        """End the active invocation, and with it this environment, as the platform has to."""
        active = self._active
        assert active is not None, "no invocation"
        self._log.drain()
        self._reason = shutdown.TIMEOUT if failure.status == "timeout" else shutdown.FAILURE
        self._lines.fault(active.invocation, failure)
        result = self._finish(active, failure.answer(active.invocation.request_id), reports.UNHANDLED, failure)
        if self._has_served and self._beside is not None:
            self._verdict = failure
            self._resetting = asyncio.create_task(self._reset_in_order(self._beside), name=f"end {self.log_stream}")
        elif self._has_served and self._live_process.has_exited:
            self._reset()
        else:
            self._die()
        active.resolve(result)

    def _reset(self) -> None:
        """The sandbox has ended; the environment stays, and the next invocation starts another in its place.

        https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-invoke-with-errors
        """
        self._log.detach()
        self._live_process.hang_up()
        self.state = State.FAILED
        self._owner.environment_idle(self)

    async def _reset_in_order(self, beside: Beside) -> None:
        """Let extensions hear of the end of their sandbox first."""
        process = self._live_process
        process.hush()
        await beside.end(process.sandbox, self._reason)
        await process.end()
        self._beside = self._resetting = None
        if self.state is not State.DEAD:
            self._reset()

    def _finish(
        self, active: ActiveInvocation, payload: bytes, function_error: str, failure: Failure | None
    ) -> InvocationResult:
        """Write the last lines of an invocation, and say what came of it."""
        log, invocation = self._log, active.invocation
        self._active = None
        duration_ms = (self._clock.monotonic() - active.started) * 1000
        log.drain()
        used_mb = self._used_mb(failure)
        if failure is not None and failure.status == "timeout":
            duration_ms = self.function.timeout_s * 1000.0
        init_ms, self._init_ms = self._init_ms, None
        billed = reports.billed_ms(duration_ms, init_ms)
        result = InvocationResult(payload, function_error, b"", duration_ms, billed, init_ms, used_mb)
        self._lines.report(invocation, result, failure)
        if invocation.tail_log:
            result.log_tail = log.tail()
            log.keep_tail(False)
        log.flush()
        return result if self._beside is None else self._beside.finish(active, result, failure)

    def _used_mb(self, failure: Failure | None) -> int:
        if failure is not None:
            if failure.error_type == reports.OUT_OF_MEMORY:
                return self.function.memory_mb
        elif self._init_ms is not None or self._clock.monotonic() - self._sampled > MEMORY_SAMPLE_S:
            self._sample_memory()
        return min(self.function.memory_mb, math.ceil(self.peak_bytes / MIB))

    def _sample_memory(self) -> None:
        if self._process is not None:
            self._sampled = self._clock.monotonic()
            self.peak_bytes = max(self.peak_bytes, self._process.sandbox.memory_peak_bytes())

    # -- what the runtime does (RuntimeEvents, ProcessEvents)

    def runtime_ready(self) -> None:
        if self._beside is not None:
            self._beside.runtime_ready(self._active, is_init=self._ready is not None)
            self._look_if_over()
        elif self._ready is not None:
            self._settle_init(None)
        elif self.state is State.BUSY and self._active is None and self._verdict is None:
            self.state = State.READY
            self._owner.environment_idle(self)

    def runtime_answered(self, payload: bytes, is_error: bool) -> None:
        active = self._active
        if self._beside is not None:
            self._beside.runtime_answered(active, payload, reports.UNHANDLED if is_error else "")
        elif active is not None and self._verdict is None:
            self._owner.environment_answered(self)
            active.resolve(self._finish(active, payload, reports.UNHANDLED if is_error else "", None))

    def runtime_answer_too_large(self) -> None:
        self.runtime_answered(reports.response_too_large(), True)

    def runtime_init_failed(self, payload: bytes, error_type: str) -> None:
        self._settle_init(Failure("error", reports.platform_error_type(error_type), payload=payload))

    def runtime_exited(self, status: ExitStatus) -> None:
        failure = reports.exit_failure(status)
        self._break(failure if self._beside is None else self._beside.blame(failure))

    def _break(self, failure: Failure) -> None:
        """The runtime or an extension is gone."""
        if self._ready is not None:
            self._settle_init(failure)
        elif self._active is not None:
            self._sample_memory()
            self._fail(self._verdict or failure)
        elif self.state is not State.DEAD:
            self._reason = shutdown.FAILURE
            self._die()

    # -- what extensions do (BesideEvents)

    def extension_calls(self, request: ApiRequest, poller: Poller) -> None:
        beside = self._beside
        if request.path == snap_start.CREDENTIALS_PATH or request.path.startswith(snap_start.RESTORE_PREFIX):
            self._snap_start_calls(request, poller)
            return
        if beside is None:
            beside = self._new_beside("init")
            if self._ready is None:
                beside.host.close_registration()
            else:  # an internal one, the first: from now on there are extensions here
                beside.host.launched(self._live_process.sandbox)
                self._beside = beside
        beside.host.handle(request, poller)

    def _snap_start_calls(self, request: ApiRequest, poller: Poller) -> None:
        """Whoever calls is this sandbox: the token of its variables says nothing more."""
        if self.function.initialization_type != SNAP_START:
            poller.answer(api_messages.NOT_FOUND)
        elif request.path == snap_start.CREDENTIALS_PATH:
            poller.answer(snap_start.credentials_answer(self._preparation.credentials))
        elif request.path == snap_start.RESTORE_ERROR_PATH:
            poller.answer(api_messages.ACCEPTED)
            self._settle_init(snap_start.HOOK_ERROR)
        else:
            poller.answer(api_messages.NOT_FOUND)

    def extensions_wait(self) -> None:
        self._look_if_over()

    def extension_failed(self, failure: Failure) -> None:
        self._break(failure)

    def runtime_ended(self, status: ExitStatus) -> None:
        self._live_process.runtime_ended(status)

    def _look_if_over(self) -> None:
        """With extensions: are the init phase, or the invocation, over for the runtime and for all of them?"""
        beside = self._beside
        if beside is None or self._live_process.api.state != READY or not beside.host.all_waiting:
            return
        if self._ready is not None:
            self._settle_init(None)
        elif (active := self._active) is not None and beside.part is not None and self._verdict is None:
            result = self._finish(active, beside.part.payload, beside.part.function_error, None)
            self.state = State.READY
            active.resolve(result)
            self._owner.environment_idle(self)

    # -- between invocations and at the end

    def freeze(self) -> None:
        """Stop all that runs in the sandbox until the next invocation, unless somebody looks into it."""
        is_debugged = self.function.environment_id in self._host.debuggers
        if self.state is State.READY and not self._is_frozen and not is_debugged:
            self._live_process.sandbox.freeze()
            self._is_frozen = True
            if self._beside is not None:
                self._beside.host.freeze()

    def thaw(self) -> None:
        """Undo `freeze`."""
        if self._is_frozen:
            self._live_process.sandbox.thaw()
            self._is_frozen = False
            if self._beside is not None:
                self._beside.host.thaw()

    def is_usable(self, now: float) -> bool:
        """True when another invocation may begin at the platform's time `now`."""
        is_there = self.is_reset or (self.state is State.READY and not self._live_process.has_exited)
        return is_there and now < self.usable_until

    @property
    def is_reset(self) -> bool:
        """True while it waits for the invocation that starts its next sandbox."""
        return self.state is State.FAILED and self._has_served

    def shut_down(self) -> Coroutine[Any, Any, None] | None:
        """End it in order. Returns None when that is done, as it is without extensions, or else what is left to do."""
        beside = self._beside
        if beside is None or self._is_closed or not beside.host.says_goodbye:
            self.close()
            return None
        self.state = State.DEAD
        if self._resetting is not None:  # they are being told already
            return self._close_after(self._resetting)
        self.thaw()
        active, self._active = self._active, None
        if active is not None:
            active.fail(SandboxFailure("The node is stopping."))
        return self._end_in_order(beside)

    async def _close_after(self, resetting: asyncio.Task[None]) -> None:
        await asyncio.wait([resetting])
        self.close()

    async def _end_in_order(self, beside: Beside) -> None:
        try:
            await beside.end(self._live_process.sandbox, self._reason)
        finally:
            self.close()

    def close(self) -> None:
        """Kill what runs in it and give everything back. An invocation that runs fails. May be called twice."""
        if self._is_closed:
            return
        self._is_closed = True
        self.state = State.DEAD
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for task in (self._retry, self._resetting):
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        self._log.close()
        if self._beside is not None:
            self._beside.host.close()
        if self._process is not None:
            self._process.close()
        self._preparation.release()
        active, self._active = self._active, None
        if active is not None:
            active.fail(SandboxFailure("The node is stopping."))

    @property
    def _live_process(self) -> RuntimeProcess:
        assert self._process is not None, "not launched"
        return self._process

    def _die(self) -> None:
        self.state = State.DEAD
        self._owner.environment_dead(self)


def _date(moment: float) -> str:
    return f"{dt.datetime.fromtimestamp(moment, dt.UTC):%Y/%m/%d}"
