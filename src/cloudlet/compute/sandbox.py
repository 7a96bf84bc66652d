"""The secure environment of one execution environment, whatever makes it: namespaces now, microVMs later."""

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Container:
    """What a sandbox runs whose root is a container image, in place of a runtime and code."""

    name: str
    """The same for sandboxes of the same image only."""
    layers: tuple[Path, ...]
    """The unpacked layers, the lowest first."""
    command: tuple[str, ...]
    directory: str


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """What a launcher needs to make one sandbox and start a runtime in it."""

    sandbox_id: str
    """32 hexadecimal digits, unique."""
    runtime: str
    """The runtime's name, which `runtimes` resolves: `python3.12`, `provided.al2023`; empty for an image."""
    handler: str
    code: Path | None
    """Mounted read-only at /var/task; None for an image."""
    layers: tuple[Path, ...]
    """Merged read-only at /opt, later ones over earlier ones."""
    environment: Mapping[str, str]
    """All variables but AWS_LAMBDA_RUNTIME_API and AWS_ENDPOINT_URL, which the launcher adds."""
    memory_mb: int
    ephemeral_storage_mb: int
    follows: str = ""
    """The sandbox whose place this one takes, which has ended and is not closed: it gets its /tmp."""
    extensions: tuple[str, ...] = ()
    """The files of /opt/extensions, which are started before the runtime."""
    container: Container | None = None
    """The image that the sandbox is made of, where it is one."""
    takes_snapshot: bool = False
    """Its runtime offers itself for a snapshot after the init phase, and runs nothing."""
    snapshot: str = ""
    """The snapshot (the id of the sandbox that it was taken from) that its runtime wakes up from, if any."""


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """How a sandbox's first process ended."""

    code: int | None
    """The exit status, or None when a signal ended it."""
    signal: int | None
    out_of_memory: bool = False


class Sandbox(Protocol):
    """A running sandbox. Its runtime connects to `runtime_api` and polls for invocations."""

    spec: SandboxSpec
    runtime_api: socket.socket
    """Listening inside the sandbox's network; whoever connects is this sandbox."""
    platform: socket.socket
    """The same for the platform's own endpoint (AWS_ENDPOINT_URL)."""
    output: int
    """Read end (non-blocking) of the pipe that is the standard output and error of the sandbox."""
    telemetry: int | None
    """Read end (non-blocking) of the framed log pipe (_LAMBDA_TELEMETRY_LOG_FD), for runtimes that use it."""
    extension_output: int | None
    """The same as `output` for all external extensions, where there are any."""
    control: socket.socket | None
    """With external extensions: the line to the process that starts them and the runtime (`supervisor`)."""
    exited: asyncio.Future[ExitStatus]
    """Done when the whole process tree is gone."""
    snapshot_bytes: asyncio.Future[int]
    """With `takes_snapshot`: done when it is taken, with its size. SandboxFailure says why it could not be."""

    def kill(self) -> None:
        """End the whole process tree at once (SIGKILL). `exited` follows."""

    def terminate(self) -> None:
        """Ask the runtime to end (SIGTERM). Without external extensions only: else `control` is the way."""

    async def new_socket(self) -> socket.socket:
        """A TCP socket in the sandbox's network, not connected and non-blocking. Raises OSError."""

    def memory_peak_bytes(self) -> int:
        """The most memory that the tree has used so far."""

    def freeze(self) -> None:
        """Stop the tree between invocations, where the machine can (cgroup freezer); else nothing."""

    def thaw(self) -> None:
        """Undo `freeze`."""

    def close(self) -> None:
        """Kill, if need be, and give back sockets, pipes, mounts and cgroup. May be called twice."""


class Launcher(Protocol):
    """Makes sandboxes. One for a worker; a small process of its own, never the node."""

    async def start(self) -> None:
        """Be ready. Raises SandboxFailure when this machine cannot isolate as configured."""

    async def prepare(self, runtime: str) -> None:
        """Make the first launch of `runtime` a fast one (start its zygote). Raises RuntimeMissing."""

    def retire(self, container: Container) -> None:
        """No sandbox of this image will be asked for in a while."""

    async def launch(self, spec: SandboxSpec) -> Sandbox:
        """A new sandbox with its runtime starting in it. Raises RuntimeMissing, SandboxFailure."""

    def has_snapshot(self, snapshot: str) -> bool:
        """True while sandboxes can be launched from it."""

    def drop_snapshot(self, snapshot: str) -> None:
        """It is needed no more."""

    async def close(self) -> None:
        """Kill every sandbox and end the launcher's processes."""
