"""The platform's events as data: the records of the Telemetry API, and of a function's log when its format is JSON.

Names and fields are those of schema 2022-12-13:
https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from cloudlet.compute.function import FunctionVersion
from cloudlet.compute.reports import Failure, Restoration, runtime_version_arn

Record = dict[str, Any]


def moment(seconds: float) -> str:
    """A time as events have it: ISO 8601, UTC, with milliseconds."""
    at = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def init_start(function: FunctionVersion, runtime_version: str, phase: str) -> Record:
    """platform.initStart. `phase` is `init`, or `invoke` when an invocation does it again."""
    return {
        "initializationType": function.initialization_type,
        "phase": phase,
        **_runtime(function, runtime_version),
        "functionName": function.name,
        "functionVersion": function.version,
        "instanceMaxMemory": function.memory_mb,
    }


def _runtime(function: FunctionVersion, runtime_version: str) -> Record:
    """Nothing of a container image, whose runtime is its own."""
    if function.image is not None:
        return {}
    arn = runtime_version_arn(function.runtime, function.region)
    return {"runtimeVersion": runtime_version, "runtimeVersionArn": arn}


def init_runtime_done(function: FunctionVersion, phase: str, failure: Failure | None) -> Record:
    """platform.initRuntimeDone: the runtime's own part of the init phase is over."""
    return {"initializationType": function.initialization_type, "phase": phase, **_status(failure)}


def init_report(function: FunctionVersion, phase: str, failure: Failure | None, duration_ms: float) -> Record:
    """platform.initReport: the init phase is over, with that of all extensions."""
    record = {"initializationType": function.initialization_type, "phase": phase, **_status(failure)}
    return {**record, "metrics": {"durationMs": _rounded(duration_ms)}}


def restore_start(function: FunctionVersion, runtime_version: str) -> Record:
    """platform.restoreStart"""
    return {
        **_runtime(function, runtime_version),
        "functionName": function.name,
        "functionVersion": function.version,
        "instanceMaxMemory": function.memory_mb,
    }


def restore_runtime_done(failure: Failure | None) -> Record:
    """platform.restoreRuntimeDone: the runtime is loaded, and its after-restore hooks have run."""
    return _status(failure)


def restore_report(failure: Failure | None, duration_ms: float) -> Record:
    """platform.restoreReport"""
    return {**_status(failure), "metrics": {"durationMs": _rounded(duration_ms)}}


def start(request_id: str, version: str, trace_id: str) -> Record:
    """platform.start"""
    return {"requestId": request_id, "version": version, **_tracing(trace_id)}


def runtime_done(
    request_id: str,
    failure: Failure | None,
    trace_id: str,
    duration_ms: float,
    produced_bytes: int | None,
    spans: Sequence[Record] = (),
) -> Record:
    """platform.runtimeDone: the runtime has done its part of an invocation."""
    metrics: Record = {"durationMs": _rounded(duration_ms)}
    if produced_bytes is not None:
        metrics["producedBytes"] = produced_bytes
    record = {"requestId": request_id, **_status(failure), **_tracing(trace_id), "metrics": metrics}
    return {**record, "spans": list(spans)} if spans else record


def report(
    request_id: str,
    failure: Failure | None,
    trace_id: str,
    duration_ms: float,
    billed_ms: int,
    memory_mb: int,
    used_mb: int,
    init_ms: float | None,
    spans: Sequence[Record] = (),
) -> Record:
    """platform.report: the invocation is over, with that of all extensions."""
    metrics: Record = {
        "durationMs": _rounded(duration_ms),
        "billedDurationMs": billed_ms,
        "memorySizeMB": memory_mb,
        "maxMemoryUsedMB": used_mb,
    }
    if isinstance(init_ms, Restoration):
        metrics |= {"restoreDurationMs": _rounded(init_ms), "billedRestoreDurationMs": init_ms.billed_ms}
    elif init_ms is not None:
        metrics["initDurationMs"] = _rounded(init_ms)
    record = {"requestId": request_id, **_status(failure), **_tracing(trace_id), "metrics": metrics}
    return {**record, "spans": list(spans)} if spans else record


def span(name: str, start_s: float, duration_ms: float) -> Record:
    """A part of a time that is reported: responseLatency, responseDuration, extensionOverhead ..."""
    return {"name": name, "start": moment(start_s), "durationMs": _rounded(duration_ms)}


def extension(name: str, state: str, events: Sequence[str], error_type: str = "") -> Record:
    """platform.extension"""
    record: Record = {"name": name, "state": state, "events": list(events)}
    return {**record, "errorType": error_type} if error_type else record


def subscription(name: str, state: str, types: Sequence[str]) -> Record:
    """platform.telemetrySubscription, and platform.logsSubscription of the older API."""
    return {"name": name, "state": state, "types": list(types)}


def logs_dropped(records: int, size_bytes: int, reason: str) -> Record:
    """platform.logsDropped"""
    return {"droppedRecords": records, "droppedBytes": size_bytes, "reason": reason}


def _status(failure: Failure | None) -> Record:
    if failure is None:
        return {"status": "success"}
    if failure.status == "timeout":
        return {"status": "timeout"}
    return {"status": failure.status, "errorType": failure.error_type}


def _tracing(trace_id: str) -> Record:
    return {"tracing": {"type": "X-Amzn-Trace-Id", "value": trace_id}} if trace_id else {}


def _rounded(duration_ms: float) -> float:
    return round(duration_ms, 3)
