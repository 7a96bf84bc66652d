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
from typing import Any, ClassVar, Final, Protocol

from cloudlet.compute import reports, shutdown
from cloudlet.compute.active_invocation import ActiveInvocation
from cloudlet.compute.api_messages import ApiRequest
from cloudlet.compute.beside import Beside
from cloudlet.compute.extension import Poller
from cloudlet.compute.function import ComputeError, FunctionVersion, InvocationResult, SandboxFailure
from cloudlet.compute.function_log import FunctionLog
from cloudlet.compute.host import Host, Preparation, State
from cloudlet.compute.init_phase import InitPhase
from cloudlet.compute.invocation_deadline import InvocationDeadline
from cloudlet.compute.live_runtime import LiveRuntime
from cloudlet.compute.platform_log import platform_log
from cloudlet.compute.reports import Failure
from cloudlet.compute.runtime_api import invocation_event
from cloudlet.compute.sandbox import ExitStatus
from cloudlet.config import MIB

CREDENTIALS_MARGIN_S: Final = 60.0
"""Credentials outlive the last invocation that may begin with them by this much."""


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

    runtime_kind: ClassVar[type[LiveRuntime]] = LiveRuntime

    def __init__(
        self, function: FunctionVersion, preparation: Preparation, host: Host, owner: EnvironmentOwner
    ) -> None:
        self.function = function
        self.state = State.NEW
        self.idle_since = 0.0
        """Platform time when it last began to wait; set by the owner."""
        today = dt.datetime.fromtimestamp(host.clock.now(), dt.UTC)
        self.log_stream = f"{today:%Y/%m/%d}/[{function.version}]{host.ids.hex(32)}"
        self.usable_until = preparation.credentials.expiration - function.timeout_s - CREDENTIALS_MARGIN_S
        """Platform time after which its credentials are too old for another invocation."""
        self._preparation = preparation
        self._owner = owner
        self._clock = host.clock
        self._log = FunctionLog(function, self.log_stream, host.logs, host.clock)
        self._lines = platform_log(function, self._log, host.clock)
        self._runtime = self.runtime_kind(function, preparation, host, self._log, self)
        self._init = InitPhase(function, preparation, host, self._runtime, self._lines)
        self._deadline = InvocationDeadline(host.clock, self._deadline_passed)
        self._active: ActiveInvocation | None = None
        self._verdict: Failure | None = None
        """Why the sandbox was killed, once it was."""
        self._reason = shutdown.SPINDOWN
        """What extensions are told of why it ends."""
        self._init_ms: float | None = None
        """How long the init phase took, until an invocation has told it."""
        self._retry: asyncio.Task[None] | None = None
        self._resetting: asyncio.Task[None] | None = None
        self._is_closed = False
        self._has_served = False
        """True once an init phase has succeeded: then a sandbox that ends is followed by another."""

    @property
    def peak_bytes(self) -> int:
        """The most memory that it was seen to use."""
        return self._runtime.peak_bytes

    # -- the init phase

    async def initialize(self) -> None:
        """The init phase. The environment is READY afterwards, or FAILED: then the first invocation tries again.

        Raises RestoreFailed, RestoreTimedOut, RuntimeMissing, SandboxFailure.
        """
        self._log.keep_tail(True)
        self._log.flush_soon()
        self.state = State.STARTING
        failure = await self._init.run()
        if failure is None:
            self._init_ms = self._init.duration_ms
            self._runtime.sample_memory()
            self._has_served = True
            self.state = State.READY
        else:
            self._log.flush()
            self.state = State.FAILED

    async def _begin_with_init(self, active: ActiveInvocation) -> None:
        """Run an invocation after another init phase."""
        self._verdict = None
        try:
            failure = await self._init.run_again()
        except ComputeError as error:
            self._active = None
            self._die()
            active.fail(error)
            return
        if self.state is State.DEAD:
            return
        if failure is None:
            if self._init.is_restore:  # it has a duration of its own, and is no part of the invocation's
                self._init_ms = self._init.duration_ms
                self._runtime.sample_memory()
                active.started = self._clock.monotonic()
            self._has_served = True
            self._deliver(active)
            return
        self._init.report_again(failure)
        self._lines.start(active.invocation)
        self._fail(reports.timeout_failure(self.function.timeout_s) if failure.status == "timeout" else failure)

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

    def _deliver(self, active: ActiveInvocation) -> None:
        invocation, clock, runtime = active.invocation, self._clock, self._runtime
        api = runtime.api
        assert api is not None, "not initialised"
        if runtime.is_frozen:
            runtime.thaw()
        self._lines.start(invocation)
        self._log.flush_soon()
        left_s = self._deadline.begin(active.started, self.function.timeout_s)
        deadline_ms = int((clock.wall() + left_s) * 1000)
        if runtime.beside is not None:
            runtime.beside.begin(active, deadline_ms)
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

    def _deadline_passed(self) -> None:
        # Also a runtime that has answered but does not come back for the next event is out of its time.
        if self.state is not State.BUSY or self._verdict is not None:
            return
        self._runtime.sample_memory()
        self._verdict = reports.timeout_failure(self.function.timeout_s)
        if self._runtime.beside is None:
            self._runtime.process.kill()
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
        if self._has_served and self._runtime.beside is not None:
            self._verdict = failure
            self._resetting = asyncio.create_task(self._reset_in_order(), name=f"end {self.log_stream}")
        elif self._has_served and self._runtime.process.has_exited:
            self._reset()
        else:
            self._die()
        active.resolve(result)

    def _reset(self) -> None:
        """The sandbox has ended; the environment stays, and the next invocation starts another in its place.

        https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-invoke-with-errors
        """
        self._deadline.stop()
        self._runtime.detach()
        self.state = State.FAILED
        self._owner.environment_idle(self)

    async def _reset_in_order(self) -> None:
        """Let extensions hear of the end of their sandbox first."""
        await self._runtime.end_in_order(self._reason)
        self._resetting = None
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
        used_mb = self._used_mb(failure, duration_ms / 1000)
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
        beside = self._runtime.beside
        return result if beside is None else beside.finish(active, result, failure)

    def _used_mb(self, failure: Failure | None, duration_s: float) -> int:
        runtime, memory_mb = self._runtime, self.function.memory_mb
        if failure is not None:
            if failure.error_type == reports.OUT_OF_MEMORY:
                return memory_mb
        elif self._init_ms is not None:
            runtime.sample_memory()
        else:
            runtime.sample_memory_after(duration_s)
        return min(memory_mb, math.ceil(runtime.peak_bytes / MIB))

    # -- what the runtime does (RuntimeOwner)

    def runtime_launched(self) -> None:
        self._owner.environment_launched(self)

    def runtime_ready(self) -> None:
        runtime = self._runtime
        if runtime.beside is not None:
            runtime.beside.runtime_ready(self._active, is_init=runtime.is_starting)
            self._look_if_over()
        elif runtime.is_starting:
            runtime.settle(None)
        elif self.state is State.BUSY and self._active is None and self._verdict is None:
            self.state = State.READY
            self._owner.environment_idle(self)

    def runtime_answered(self, payload: bytes, is_error: bool) -> None:
        active, beside = self._active, self._runtime.beside
        if beside is not None:
            beside.runtime_answered(active, payload, reports.UNHANDLED if is_error else "")
        elif active is not None and self._verdict is None:
            self._owner.environment_answered(self)
            active.resolve(self._finish(active, payload, reports.UNHANDLED if is_error else "", None))

    def runtime_answer_too_large(self) -> None:
        self.runtime_answered(reports.response_too_large(), True)

    def runtime_init_failed(self, payload: bytes, error_type: str) -> None:
        self._runtime.settle(Failure("error", reports.platform_error_type(error_type), payload=payload))

    def runtime_exited(self, status: ExitStatus) -> None:
        failure, beside = reports.exit_failure(status), self._runtime.beside
        self._break(failure if beside is None else beside.blame(failure))

    def _break(self, failure: Failure) -> None:
        """The runtime or an extension is gone."""
        if self._runtime.is_starting:
            self._runtime.settle(failure)
        elif self._active is not None:
            self._runtime.sample_memory()
            self._fail(self._verdict or failure)
        elif self.state is not State.DEAD:
            self._reason = shutdown.FAILURE
            self._die()

    # -- what extensions do (RuntimeOwner)

    def extension_calls(self, request: ApiRequest, poller: Poller) -> None:
        self._runtime.extension_calls(request, poller)

    def extensions_wait(self) -> None:
        self._look_if_over()

    def extension_failed(self, failure: Failure) -> None:
        self._break(failure)

    def runtime_ended(self, status: ExitStatus) -> None:
        self._runtime.process.runtime_ended(status)

    def _look_if_over(self) -> None:
        """With extensions: are the init phase, or the invocation, over for the runtime and for all of them?"""
        runtime, beside = self._runtime, self._runtime.beside
        if beside is None or not runtime.are_all_waiting:
            return
        if runtime.is_starting:
            runtime.settle(None)
        elif (active := self._active) is not None and beside.part is not None and self._verdict is None:
            result = self._finish(active, beside.part.payload, beside.part.function_error, None)
            self.state = State.READY
            active.resolve(result)
            self._owner.environment_idle(self)

    # -- between invocations and at the end

    def freeze(self) -> None:
        """Stop all that runs in the sandbox until the next invocation."""
        if self.state is State.READY:
            self._runtime.freeze()

    def is_usable(self, now: float) -> bool:
        """True when another invocation may begin at the platform's time `now`."""
        is_there = self.is_reset or (self.state is State.READY and not self._runtime.process.has_exited)
        return is_there and now < self.usable_until

    @property
    def is_reset(self) -> bool:
        """True while it waits for the invocation that starts its next sandbox."""
        return self.state is State.FAILED and self._has_served

    def shut_down(self) -> Coroutine[Any, Any, None] | None:
        """End it in order. Returns None when that is done, as it is without extensions, or else what is left to do."""
        beside = self._runtime.beside
        if beside is None or self._is_closed or not beside.host.says_goodbye:
            self.close()
            return None
        self.state = State.DEAD
        if self._resetting is not None:  # they are being told already
            return self._close_after(self._resetting)
        self._runtime.thaw()
        active, self._active = self._active, None
        if active is not None:
            active.fail(SandboxFailure("The node is stopping."))
        return self._end_in_order(beside)

    async def _close_after(self, resetting: asyncio.Task[None]) -> None:
        await asyncio.wait([resetting])
        self.close()

    async def _end_in_order(self, beside: Beside) -> None:
        try:
            await beside.end(self._runtime.process.sandbox, self._reason)
        finally:
            self.close()

    def close(self) -> None:
        """Kill what runs in it and give everything back. An invocation that runs fails. May be called twice."""
        if self._is_closed:
            return
        self._is_closed = True
        self.state = State.DEAD
        self._deadline.stop()
        for task in (self._retry, self._resetting):
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        self._log.close()
        self._runtime.close()
        self._preparation.release()
        active, self._active = self._active, None
        if active is not None:
            active.fail(SandboxFailure("The node is stopping."))

    def _die(self) -> None:
        self.state = State.DEAD
        self._owner.environment_dead(self)
