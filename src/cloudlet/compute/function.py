"""What the compute engine is asked to run, and what it answers. No AWS API shapes here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from cloudlet.compute.response_stream import ResponseStream
from cloudlet.errors import CloudletError

ON_DEMAND: Final = "on-demand"
SNAP_START: Final = "snap-start"


@dataclass(frozen=True, slots=True)
class FunctionImage:
    """The container image that a function is made of. Its digest is the function's `code_digest`."""

    reference: str
    """Where its parts can be had from when they are not here; empty when they are here for certain."""
    entry_point: tuple[str, ...] | None = None
    """In place of the image's own, where it is not None."""
    command: tuple[str, ...] | None = None
    working_directory: str = ""


@dataclass(frozen=True, slots=True)
class FunctionVersion:
    """One version of a function, with everything that a worker needs to run it."""

    account: str
    region: str
    name: str
    version: str
    """`$LATEST` or a number."""
    environment_id: str
    """Changes with every change of code or configuration; sandboxes of another id serve no new invocation."""
    runtime: str
    """`python3.12`, `provided.al2023` ...; empty for an image."""
    handler: str
    code_digest: str
    """The blob that holds the zip package, or an image's manifest."""
    role_arn: str
    memory_mb: int = 128
    timeout_s: int = 3
    ephemeral_storage_mb: int = 512
    environment: Mapping[str, str] = field(default_factory=dict)
    log_group: str = ""
    log_format: str = "Text"
    """Or `JSON`, and then with levels."""
    application_log_level: str = ""
    system_log_level: str = ""
    layers: tuple[str, ...] = ()
    """The blobs of the layers, lowest first."""
    initialization_type: str = ON_DEMAND
    """AWS_LAMBDA_INITIALIZATION_TYPE; with `snap-start`, environments are restored from a snapshot."""
    image: FunctionImage | None = None
    """Where it is made of a container image: then it has no runtime, handler and layers."""

    @property
    def function_arn(self) -> str:
        """The ARN without a version: what concurrency is counted by."""
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{self.name}"


@dataclass(slots=True)
class Invocation:
    """One event for a function."""

    request_id: str
    payload: bytes
    invoked_function_arn: str
    """As the caller named it: with the alias or version, when it did."""
    client_context: str = ""
    """JSON, as the runtime hands it to the function; empty when there is none."""
    cognito_identity: str = ""
    trace_id: str = ""
    tail_log: bool = False
    is_event: bool = False
    """The platform's own queue runs it: nobody waits, and the rate of such invocations is not limited."""
    stream: ResponseStream | None = None
    """Where a response goes that the function streams; None where it is wanted in one piece."""


@dataclass(slots=True)
class InvocationResult:
    """What came of it. An error of the function is a result, not an exception."""

    payload: bytes
    function_error: str = ""
    """Empty, or `Unhandled`."""
    log_tail: bytes = b""
    """The last 4 KB of this invocation's log, when it was asked for."""
    duration_ms: float = 0.0
    billed_ms: int = 0
    init_ms: float | None = None
    memory_peak_mb: int = 0


class ComputeError(CloudletError):
    """The platform (not the function) could not run an invocation."""


class TooManyRequests(ComputeError):
    """No execution environment is free within the limits."""

    def __init__(self, reason: str, retry_after_s: int | None = None) -> None:
        super().__init__("Rate Exceeded.")
        self.retry_after_s = retry_after_s
        """When to try again, where that is known."""
        self.reason = reason
        """AWS's word: `ReservedFunctionConcurrentInvocationLimitExceeded`, `ConcurrentInvocationLimitExceeded` ..."""


class RuntimeMissing(ComputeError):
    """This machine has no such runtime; the message says how to add it."""


class SandboxFailure(ComputeError):
    """A sandbox could not be made; the message says why."""


@dataclass(frozen=True, slots=True)
class TemporaryCredentials:
    """What a function signs its own calls with."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expiration: float
    """Seconds since the epoch, platform time."""


class CredentialSource(Protocol):
    """Who gives a sandbox the credentials of its function's role."""

    async def credentials(self, function: FunctionVersion) -> TemporaryCredentials:
        """Fresh credentials for the role of `function`. Raises ComputeError when the role cannot be assumed."""


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One line of a function's log."""

    timestamp_ms: int
    message: str


class LogSink(Protocol):
    """Where functions' log lines go. Never blocks an invocation; bounded."""

    def write(self, function: FunctionVersion, log_stream: str, events: Sequence[LogEvent]) -> None:
        """Take the lines; they are stored in batches."""


class CodeSource(Protocol):
    """Where a worker finds unpacked code."""

    async def folder(self, digest: str) -> Path:
        """A read-only folder with the unpacked package of this blob, kept until `release`. Raises ComputeError."""

    def release(self, digest: str) -> None:
        """One who asked for the folder needs it no more."""
