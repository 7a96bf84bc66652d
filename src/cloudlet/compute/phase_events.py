"""What an environment tells those that subscribed to its telemetry, phase by phase."""

from dataclasses import dataclass

from cloudlet.clock import Clock
from cloudlet.compute import platform_events
from cloudlet.compute.active_invocation import ActiveInvocation
from cloudlet.compute.extension_host import ExtensionHost
from cloudlet.compute.function import FunctionVersion, InvocationResult
from cloudlet.compute.reports import Failure


@dataclass(slots=True)
class RuntimePart:
    """The runtime's part of an invocation, as far as it has come; times on the monotonic clock."""

    started: float
    answered: float | None = None
    payload: bytes = b""
    function_error: str = ""
    done: float | None = None
    result: InvocationResult | None = None
    """What the caller has been given while extensions were still at work."""


class PhaseEvents:
    """The events of one environment with extensions. Costs nothing while nobody has subscribed."""

    def __init__(
        self, function: FunctionVersion, beside: ExtensionHost, clock: Clock, phase: str, *, restores: bool = False
    ) -> None:
        """`restores`: in place of an init phase there is a restore, with SnapStart."""
        self._function = function
        self._restores = restores
        self._beside = beside
        self._clock = clock
        self._phase = phase
        self._is_runtime_initialised = False

    def init_began(self, runtime_version: str) -> None:
        """The init phase begins: nobody can have subscribed yet, but who does will be told."""
        now = self._clock.now()
        if self._restores:
            record = platform_events.restore_start(self._function, runtime_version)
            self._beside.init_began(now, "platform.restoreStart", record)
        else:
            record = platform_events.init_start(self._function, runtime_version, self._phase)
            self._beside.init_began(now, "platform.initStart", record)

    def init_runtime_done(self, failure: Failure | None) -> None:
        """The runtime has asked for its first event, or never will. Only the first call counts."""
        if self._is_runtime_initialised:
            return
        self._is_runtime_initialised = True
        if not self._beside.has_subscribers:
            return
        if self._restores:
            self._beside.platform("platform.restoreRuntimeDone", platform_events.restore_runtime_done(failure))
        else:
            record = platform_events.init_runtime_done(self._function, self._phase, failure)
            self._beside.platform("platform.initRuntimeDone", record)

    def init_over(self, failure: Failure | None, duration_ms: float) -> None:
        """The init phase is over."""
        self.init_runtime_done(failure)
        self._beside.init_over()
        if not self._beside.has_subscribers:
            return
        if self._restores:
            self._beside.platform("platform.restoreReport", platform_events.restore_report(failure, duration_ms))
        else:
            record = platform_events.init_report(self._function, self._phase, failure, duration_ms)
            self._beside.platform("platform.initReport", record)

    def start(self, active: ActiveInvocation) -> None:
        """An invocation begins."""
        if self._beside.has_subscribers:
            given = active.invocation
            record = platform_events.start(given.request_id, self._function.version, given.trace_id)
            self._beside.platform("platform.start", record)

    def runtime_done(self, active: ActiveInvocation, part: RuntimePart, failure: Failure | None) -> None:
        """The runtime has done its part, or never will. Only the first call for an invocation counts."""
        if part.done is not None:
            return
        part.done = self._clock.monotonic()
        if not self._beside.has_subscribers:
            return
        given = active.invocation
        status = failure or (Failure("error", "Runtime.Unknown") if part.function_error else None)
        spans = []
        produced = None
        if part.answered is not None:
            produced = len(part.payload)
            latency_ms = (part.answered - part.started) * 1000
            overhead_ms = (part.done - part.answered) * 1000
            spans = [
                platform_events.span("responseLatency", self._wall_time(part.started), latency_ms),
                platform_events.span("responseDuration", self._wall_time(part.answered), 0.0),
                platform_events.span("runtimeOverhead", self._wall_time(part.answered), overhead_ms),
            ]
        duration_ms = (part.done - part.started) * 1000
        record = platform_events.runtime_done(given.request_id, status, given.trace_id, duration_ms, produced, spans)
        self._beside.platform("platform.runtimeDone", record)

    def report(
        self, active: ActiveInvocation, part: RuntimePart, result: InvocationResult, failure: Failure | None
    ) -> None:
        """The invocation is over; `result` has its figures."""
        self.runtime_done(active, part, failure)
        if not self._beside.has_subscribers:
            return
        given = active.invocation
        if failure is not None and failure.status != "timeout":
            self._beside.platform("platform.fault", f"RequestId: {given.request_id} Error: {failure.message}")
        self._beside.platform("platform.end", {"requestId": given.request_id})
        done = part.done or part.started
        overhead_ms = max(0.0, (self._clock.monotonic() - done) * 1000)
        record = platform_events.report(
            given.request_id,
            failure or (Failure("error", "Runtime.Unknown") if result.function_error else None),
            given.trace_id,
            result.duration_ms,
            result.billed_ms,
            self._function.memory_mb,
            result.memory_peak_mb,
            result.init_ms,
            [platform_events.span("extensionOverhead", self._wall_time(done), overhead_ms)],
        )
        self._beside.platform("platform.report", record)

    def _wall_time(self, monotonic: float) -> float:
        """The platform's time of a moment of the monotonic clock."""
        return self._clock.now() - (self._clock.monotonic() - monotonic)
