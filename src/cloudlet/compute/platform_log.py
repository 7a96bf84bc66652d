"""The platform's own lines in a function's log: AWS's plain text, or its events as JSON, filtered by level.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
"""

from typing import Protocol

import orjson

from cloudlet.clock import Clock
from cloudlet.compute import log_levels, platform_events, reports
from cloudlet.compute.function import FunctionVersion, Invocation, InvocationResult
from cloudlet.compute.function_log import FunctionLog
from cloudlet.compute.platform_events import Record
from cloudlet.compute.reports import Failure


class PlatformLog(Protocol):
    """What the platform tells of an environment, in its log."""

    def init_start(self, runtime_version: str) -> None:
        """The first line of the environment. `runtime_version` is what really runs: `python:3.12.1`."""

    def init_report(self, duration_ms: float, phase: str, failure: Failure | None) -> None:
        """An init phase is over; `phase` is `init`, or `invoke` when an invocation did it again."""

    def restore_start(self, runtime_version: str) -> None:
        """With SnapStart: the first line of an environment that wakes up from a snapshot."""

    def restore_report(self, duration_ms: float, failure: Failure | None) -> None:
        """It has woken up, or could not."""

    def start(self, invocation: Invocation) -> None:
        """An invocation begins."""

    def fault(self, invocation: Invocation, failure: Failure) -> None:
        """It ends badly, for a reason that the platform has found."""

    def report(self, invocation: Invocation, result: InvocationResult, failure: Failure | None) -> None:
        """It is over."""

    def extension(self, record: Record) -> None:
        """An extension at the end of the init phase (`platform_events.extension`)."""

    def subscription(self, api: str, record: Record) -> None:
        """An extension subscribes to the `Telemetry` or `Logs` API (`platform_events.subscription`)."""


def platform_log(function: FunctionVersion, log: FunctionLog, clock: Clock) -> PlatformLog:
    """The lines of this function, in its format, to `log`."""
    kind = JsonPlatformLog if function.log_format == "JSON" else TextPlatformLog
    return kind(function, log, clock)


class TextPlatformLog:
    """INIT_START, START, END, REPORT."""

    def __init__(self, function: FunctionVersion, log: FunctionLog, clock: Clock) -> None:
        self._function = function
        self._log = log
        self._clock = clock
        self._is_prepared = function.initialization_type != "on-demand"

    def init_start(self, runtime_version: str) -> None:
        function = self._function
        if function.image is not None:  # there is no version of a runtime to tell
            return
        line = reports.init_start(runtime_version, function.runtime, function.region)
        self._log.platform(line, in_tail=False)

    def init_report(self, duration_ms: float, phase: str, failure: Failure | None) -> None:
        # AWS does not report an on-demand init that went well: the first REPORT has its duration.
        if failure is not None or self._is_prepared:
            self._log.platform(reports.init_report(duration_ms, phase, failure))

    def restore_start(self, runtime_version: str) -> None:
        function = self._function
        line = reports.restore_start(runtime_version, function.runtime, function.region)
        self._log.platform(line, in_tail=False)

    def restore_report(self, duration_ms: float, failure: Failure | None) -> None:
        self._log.platform(reports.restore_report(duration_ms, failure))

    def start(self, invocation: Invocation) -> None:
        self._log.platform(f"START RequestId: {invocation.request_id} Version: {self._function.version}\n")

    def fault(self, invocation: Invocation, failure: Failure) -> None:
        if failure.error_type.startswith("Extension."):
            self._log.platform(reports.fault_line(invocation.request_id, failure))
        if failure.status == "timeout":
            timeout_s = self._function.timeout_s
            self._log.platform(reports.timeout_line(invocation.request_id, timeout_s, self._clock.wall()))

    def report(self, invocation: Invocation, result: InvocationResult, failure: Failure | None) -> None:
        self._log.platform(
            f"END RequestId: {invocation.request_id}\n",
            reports.report_line(
                invocation.request_id,
                result.duration_ms,
                result.billed_ms,
                self._function.memory_mb,
                result.memory_peak_mb,
                result.init_ms,
                failure,
            ),
        )

    def extension(self, record: Record) -> None:
        error = f"\tError Type: {record['errorType']}" if "errorType" in record else ""
        events = ", ".join(record["events"])
        self._log.platform(f"EXTENSION\tName: {record['name']}\tState: {record['state']}\tEvents: [{events}]{error}\n")

    def subscription(self, api: str, record: Record) -> None:
        types = ", ".join(kind.capitalize() for kind in record["types"])
        self._log.platform(f"{api.upper()}\tName: {record['name']}\tState: {record['state']}\tTypes: [{types}]\n")


class JsonPlatformLog:
    """platform.initStart, platform.start, platform.report ..., each if its level is not below SystemLogLevel."""

    def __init__(self, function: FunctionVersion, log: FunctionLog, clock: Clock) -> None:
        self._function = function
        self._log = log
        self._clock = clock
        self._lowest = log_levels.BY_NAME.get(function.system_log_level, log_levels.INFO)

    def init_start(self, runtime_version: str) -> None:
        record = platform_events.init_start(self._function, runtime_version, "init")
        self._event("platform.initStart", record, in_tail=False)

    def init_report(self, duration_ms: float, phase: str, failure: Failure | None) -> None:
        self._event("platform.initRuntimeDone", platform_events.init_runtime_done(self._function, phase, failure))
        self._event("platform.initReport", platform_events.init_report(self._function, phase, failure, duration_ms))

    def restore_start(self, runtime_version: str) -> None:
        record = platform_events.restore_start(self._function, runtime_version)
        self._event("platform.restoreStart", record, in_tail=False)

    def restore_report(self, duration_ms: float, failure: Failure | None) -> None:
        self._event("platform.restoreRuntimeDone", platform_events.restore_runtime_done(failure))
        self._event("platform.restoreReport", platform_events.restore_report(failure, duration_ms))

    def start(self, invocation: Invocation) -> None:
        record = platform_events.start(invocation.request_id, self._function.version, invocation.trace_id)
        self._event("platform.start", record)

    def fault(self, invocation: Invocation, failure: Failure) -> None:
        """The reports have the status and the type of the error: nothing of its own."""

    def report(self, invocation: Invocation, result: InvocationResult, failure: Failure | None) -> None:
        status = failure or (Failure("error", "Runtime.Unknown") if result.function_error else None)
        request_id, trace_id = invocation.request_id, invocation.trace_id
        produced = len(result.payload) if failure is None else None
        done = platform_events.runtime_done(request_id, status, trace_id, result.duration_ms, produced)
        self._event("platform.runtimeDone", done)
        record = platform_events.report(
            request_id,
            status,
            trace_id,
            result.duration_ms,
            result.billed_ms,
            self._function.memory_mb,
            result.memory_peak_mb,
            result.init_ms,
        )
        self._event("platform.report", record)

    def extension(self, record: Record) -> None:
        self._event("platform.extension", record)

    def subscription(self, api: str, record: Record) -> None:
        self._event(f"platform.{api.lower()}Subscription", record)

    def _event(self, event_type: str, record: Record, *, in_tail: bool = True) -> None:
        if log_levels.of_event(event_type, record) >= self._lowest:
            event = {"time": platform_events.moment(self._clock.now()), "type": event_type, "record": record}
            self._log.platform(orjson.dumps(event).decode() + "\n", in_tail=in_tail)
