"""The texts that the platform writes: a function's log lines and the errors of an invocation.

They are AWS's, to the letter, in the newer form (with `Status`):
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-invoke-with-errors
"""

import datetime as dt
import hashlib
import math
import re
import signal as signals
from dataclasses import dataclass
from typing import Final, Self

import orjson

from cloudlet.compute.sandbox import ExitStatus

MAX_RESPONSE_BYTES: Final = 6 * 1024 * 1024 + 100
"""Of a buffered response, with AWS's 100 bytes of grace.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""
UNHANDLED: Final = "Unhandled"

EXIT_ERROR: Final = "Runtime.ExitError"
OUT_OF_MEMORY: Final = "Runtime.OutOfMemory"
INVALID_ENTRYPOINT: Final = "Runtime.InvalidEntrypoint"
RESPONSE_TOO_LARGE: Final = "Function.ResponseSizeTooLarge"
TIMED_OUT: Final = "Sandbox.Timedout"

# Go's names of signals, which AWS's texts show (its supervisor is written in Go).
_SIGNAL_NAMES: Final[dict[int, str]] = {
    signals.SIGHUP: "hangup",
    signals.SIGINT: "interrupt",
    signals.SIGQUIT: "quit",
    signals.SIGILL: "illegal instruction",
    signals.SIGTRAP: "trace/breakpoint trap",
    signals.SIGABRT: "aborted",
    signals.SIGBUS: "bus error",
    signals.SIGFPE: "floating point exception",
    signals.SIGKILL: "killed",
    signals.SIGUSR1: "user defined signal 1",
    signals.SIGSEGV: "segmentation fault",
    signals.SIGUSR2: "user defined signal 2",
    signals.SIGPIPE: "broken pipe",
    signals.SIGALRM: "alarm clock",
    signals.SIGTERM: "terminated",
}


class Restoration(float):
    """How long a restore took, in milliseconds, in place of an init phase. `billed_ms` is the runtime's part of it."""

    billed_ms: int

    @classmethod
    def of(cls, duration_ms: float, billed_ms: float) -> Self:
        made = cls(duration_ms)
        made.billed_ms = math.ceil(billed_ms)
        return made


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an init phase or an invocation did not end well, as the platform (not the function) found."""

    status: str
    """`timeout` or `error`, as in the report lines."""
    error_type: str = ""
    message: str = ""
    """What follows `Error: ` in the answer."""
    payload: bytes = b""
    """What the runtime itself said of its error; when there is something, it is the answer."""

    def answer(self, request_id: str) -> bytes:
        """The payload that the caller gets."""
        if self.payload:
            return self.payload
        return error_payload(self.error_type, f"RequestId: {request_id} Error: {self.message}")


def signal_name(number: int) -> str:
    """A signal as AWS's texts have it."""
    return _SIGNAL_NAMES.get(number, f"signal {number}")


def exit_failure(status: ExitStatus) -> Failure:
    """How a runtime ended that should not have."""
    if status.out_of_memory:
        return Failure("error", OUT_OF_MEMORY, "Runtime exited with error: signal: killed")
    if status.signal is not None:
        return Failure("error", EXIT_ERROR, f"Runtime exited with error: signal: {signal_name(status.signal)}")
    if status.code:
        return Failure("error", EXIT_ERROR, f"Runtime exited with error: exit status {status.code}")
    return Failure("error", EXIT_ERROR, "Runtime exited without providing a reason")


def timeout_failure(timeout_s: float) -> Failure:
    """The invocation took longer than the function's timeout."""
    return Failure("timeout", TIMED_OUT, f"Task timed out after {timeout_s:.2f} seconds")


def response_too_large() -> bytes:
    """The payload of an invocation whose response was over the limit."""
    text = f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes)."
    return error_payload(RESPONSE_TOO_LARGE, text)


def error_payload(error_type: str, message: str) -> bytes:
    """An error as an invocation's payload."""
    return orjson.dumps({"errorType": error_type, "errorMessage": message})


def platform_error_type(error_type: str) -> str:
    """A runtime's error type as the report lines show it: the function's own exceptions are `Runtime.Unknown`."""
    if re.match(r"(Runtime|Function)\.[A-Z][a-zA-Z]+", error_type):
        return error_type
    return "Function.Unknown" if error_type.startswith("Function.") else "Runtime.Unknown"


def init_start(runtime_version: str, runtime: str, region: str) -> str:
    """The first line of a log stream. `runtime_version` is `python:3.12.1`: what really runs, as `runtime`."""
    arn = runtime_version_arn(runtime, region)
    return f"INIT_START Runtime Version: {runtime_version}\tRuntime Version ARN: {arn}\n"


def runtime_version_arn(runtime: str, region: str) -> str:
    """The ARN of a runtime's version, stable over time: one for each runtime that functions really run on."""
    return f"arn:aws:lambda:{region}::runtime:{hashlib.sha256(runtime.encode()).hexdigest()}"


def init_report(duration_ms: float, phase: str, failure: Failure | None) -> str:
    """The end of an init phase that failed, or of one that AWS always reports."""
    line = f"INIT_REPORT Init Duration: {duration_ms:.2f} ms\tPhase: {phase}\tStatus: "
    if failure is None:
        return line + "success\n"
    return line + failure.status + (f"\tError Type: {failure.error_type}\n" if failure.status == "error" else "\n")


def restore_start(runtime_version: str, runtime: str, region: str) -> str:
    """The first line of a restored environment's log stream."""
    return init_start(runtime_version, runtime, region).replace("INIT", "RESTORE", 1)


def restore_report(duration_ms: float, failure: Failure | None) -> str:
    """The end of a restore.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-restore
    """
    line = f"RESTORE_REPORT Restore Duration: {duration_ms:.2f} ms"
    if failure is None:
        return line + "\n"
    return f"{line}\tStatus: {failure.status}" + (
        f"\tError Type: {failure.error_type}\n" if failure.status == "error" else "\n"
    )


def timeout_line(request_id: str, timeout_s: float, wall_s: float) -> str:
    """What the log says of a timeout."""
    moment = dt.datetime.fromtimestamp(wall_s, dt.UTC)
    stamp = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
    return f"{stamp} {request_id} Task timed out after {timeout_s:.2f} seconds\n\n"


def fault_line(request_id: str, failure: Failure) -> str:
    """What the log says of an extension that failed, as one event."""
    return f"RequestId: {request_id} Error: {failure.message}\n{failure.error_type}\n"


def billed_ms(duration_ms: float, init_ms: float | None) -> int:
    """Whole milliseconds, rounded up; the init phase counts: https://aws.amazon.com/blogs/compute/aws-lambda-standardizes-billing-for-init-phase/"""
    if init_ms is None:
        return math.ceil(duration_ms)
    if isinstance(init_ms, Restoration):
        return math.ceil(duration_ms) + init_ms.billed_ms
    return math.ceil(duration_ms + init_ms)


def _beginning(init_ms: float) -> str:
    if isinstance(init_ms, Restoration):
        return f"Restore Duration: {init_ms:.2f} ms\tBilled Restore Duration: {init_ms.billed_ms} ms\t"
    return f"Init Duration: {init_ms:.2f} ms\t"


def report_line(
    request_id: str,
    duration_ms: float,
    billed: int,
    memory_mb: int,
    used_mb: int,
    init_ms: float | None,
    failure: Failure | None,
) -> str:
    """The last line of an invocation."""
    line = (
        f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\tBilled Duration: {billed} ms\t"
        f"Memory Size: {memory_mb} MB\tMax Memory Used: {used_mb} MB\t"
    )
    if init_ms is not None:
        line += _beginning(init_ms)
    if failure is None:
        return line + "\n"
    if failure.status == "timeout":
        return line + "Status: timeout\n"
    return line + f"Status: error\tError Type: {failure.error_type}\n"
