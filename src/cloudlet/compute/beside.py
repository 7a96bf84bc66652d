"""An environment's extensions as its phases see them: what each phase means for them, and what is told of it."""

import dataclasses

from cloudlet.compute import shutdown
from cloudlet.compute.active_invocation import ActiveInvocation
from cloudlet.compute.extension_host import BesideEvents, ExtensionHost
from cloudlet.compute.function import FunctionVersion, InvocationResult
from cloudlet.compute.function_log import FunctionLog
from cloudlet.compute.host import Host, Preparation
from cloudlet.compute.phase_events import PhaseEvents, RuntimePart
from cloudlet.compute.reports import Failure
from cloudlet.compute.sandbox import Sandbox


class Beside:
    """What is beside the runtime in one sandbox."""

    __slots__ = ("_clock", "events", "host", "part")

    def __init__(self, host: ExtensionHost, events: PhaseEvents, given: Host) -> None:
        self.host = host
        self.events = events
        self.part: RuntimePart | None = None
        """The runtime's part of the active invocation."""
        self._clock = given.clock

    @classmethod
    def make(
        cls,
        function: FunctionVersion,
        preparation: Preparation,
        given: Host,
        log: FunctionLog,
        owner: BesideEvents,
        phase: str,
    ) -> "Beside":
        """For an environment whose init phase begins now. `phase` is `init`, or `invoke` when it is done again."""
        host = ExtensionHost(function, preparation.extensions, given, log, owner)
        events = PhaseEvents(function, host, given.clock, phase, restores=bool(preparation.snapshot))
        events.init_began(preparation.runtime_version)
        return cls(host, events, given)

    def begin(self, active: ActiveInvocation, deadline_ms: int) -> None:
        """An invocation begins."""
        self.part = RuntimePart(self._clock.monotonic())
        self.events.start(active)
        self.host.invoke(active.invocation, deadline_ms)

    def runtime_ready(self, active: ActiveInvocation | None, *, is_init: bool) -> None:
        """The runtime has done its part of the init phase, or of the invocation."""
        if is_init:
            self.host.runtime_ready()
            self.events.init_runtime_done(None)
        elif active is not None and self.part is not None:
            self.events.runtime_done(active, self.part, None)

    def runtime_answered(self, active: ActiveInvocation | None, payload: bytes, function_error: str) -> None:
        """The caller has the answer at once, unless the whole log is wanted with it."""
        part = self.part
        if active is None or part is None or part.answered is not None:
            return
        part.answered = self._clock.monotonic()
        part.payload, part.function_error = payload, function_error
        if not active.invocation.tail_log:
            duration_ms = (part.answered - active.started) * 1000
            part.result = InvocationResult(payload, function_error, duration_ms=duration_ms)
            active.answer(part.result)

    def finish(self, active: ActiveInvocation, result: InvocationResult, failure: Failure | None) -> InvocationResult:
        """The invocation is over. Who has its answer already has the figures now, too."""
        part, self.part = self.part, None
        if part is None:  # its init failed
            part = RuntimePart(active.started)
        self.events.report(active, part, result, failure)
        if part.result is None:
            return result
        given = part.result
        given.duration_ms, given.billed_ms = result.duration_ms, result.billed_ms
        given.init_ms, given.memory_peak_mb = result.init_ms, result.memory_peak_mb
        return given

    def blame(self, failure: Failure) -> Failure:
        """The runtime is gone; an extension may have said before that this would come of it."""
        if not self.host.first_error or failure.status != "error":
            return failure
        return dataclasses.replace(failure, error_type=self.host.first_error)

    async def end(self, sandbox: Sandbox, reason: str) -> None:
        """The shutdown phase, if anybody wants to hear of it; then there is nothing beside the runtime any more."""
        try:
            if self.host.says_goodbye:
                await shutdown.shut_down(self.host, sandbox, self._clock, reason)
        finally:
            self.host.close()
