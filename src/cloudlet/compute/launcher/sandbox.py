"""A sandbox in the node's hands."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from cloudlet.compute.sandbox import ExitStatus, SandboxSpec


class SandboxWays(Protocol):
    """What only the launcher can do to a sandbox."""

    def forget(self, sandbox_id: str) -> None:
        """No other sandbox will follow this one."""

    def terminate(self, sandbox_id: str) -> None:
        """Send its runtime SIGTERM."""

    async def new_socket(self, sandbox_id: str) -> socket.socket:
        """Make a socket in its network. Raises OSError."""


class LaunchedSandbox:
    """The `Sandbox` of cloudlet.compute.sandbox, made by the launcher.

    It holds descriptors only: the listening sockets, the read ends of the pipes, and the sandbox's first process,
    whose end is the end of every process in it.
    """

    def __init__(
        self, spec: SandboxSpec, message: Mapping[str, Any], descriptors: Sequence[int], ways: "SandboxWays"
    ) -> None:
        runtime_api, platform, self._init, runtime, self.output, *more = descriptors
        self.spec = spec
        self._ways = ways
        self.runtime_api = socket.socket(fileno=runtime_api)
        self.platform = socket.socket(fileno=platform)
        for listener in (self.runtime_api, self.platform):
            listener.setblocking(False)
        self.control = socket.socket(fileno=more.pop()) if spec.extensions else None
        self.extension_output = more.pop() if spec.extensions else None
        self.telemetry: int | None = more.pop() if more else None
        self.exited: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()
        self.snapshot_bytes: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.pid = _pid_of(runtime)
        """The runtime's process, as this process counts."""
        os.close(runtime)
        self._group: Mapping[str, str] = message.get("group", {})
        self._highest = ""
        self._peak_bytes = 0
        self._is_frozen = False
        self._is_closed = False

    def kill(self) -> None:
        """End the whole process tree at once (SIGKILL). `exited` follows."""
        if not self.exited.done() and not self._is_closed:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._init, signal.SIGKILL)
            self.thaw()  # what is frozen cannot die

    def terminate(self) -> None:
        """Ask the runtime to end (SIGTERM)."""
        if not self.exited.done() and not self._is_closed:
            self._ways.terminate(self.spec.sandbox_id)

    async def new_socket(self) -> socket.socket:
        """A socket in the sandbox's network, not connected. Raises OSError."""
        if self.exited.done() or self._is_closed:
            raise OSError("the sandbox has ended")
        return await self._ways.new_socket(self.spec.sandbox_id)

    def ended(self, message: Mapping[str, Any]) -> None:
        """The launcher says that the whole tree is gone."""
        if not self.exited.done():
            status: int = message["status"]
            self._peak_bytes = max(self._peak_bytes, message.get("peak_bytes", 0))
            killed = os.WIFSIGNALED(status)
            self.exited.set_result(
                ExitStatus(
                    code=None if killed else os.WEXITSTATUS(status),
                    signal=os.WTERMSIG(status) if killed else None,
                    out_of_memory=message.get("out_of_memory", False),
                )
            )

    @property
    def limits_memory(self) -> bool:
        """True where a control group limits and measures its memory."""
        return "highest" in self._group

    def memory_peak_bytes(self) -> int:
        """The most memory that the tree has used so far; its /tmp and what it reads of files do not count."""
        if not self.exited.done() and not self._is_closed:
            with contextlib.suppress(OSError, ValueError):
                self._look_at_memory()
        return self._peak_bytes

    def _look_at_memory(self) -> None:
        if not self.limits_memory:
            self._peak_bytes = max(self._peak_bytes, _most_resident(self.pid))
            return
        highest = _read(self._group["highest"])
        if highest == self._highest:  # as after most invocations: then the rest need not be read
            return
        self._highest = highest
        used = int(_read(self._group["usage"]))
        statistics = dict(line.split() for line in _read(self._group["statistics"]).splitlines())
        files = int(statistics[self._group["files"]])
        self._peak_bytes = max(self._peak_bytes, used - files, int(highest) - files)

    def freeze(self) -> None:
        """Stop the tree between invocations, where the machine can."""
        if "freezer" in self._group and not self.exited.done() and not self._is_closed:
            with contextlib.suppress(OSError):
                _write(self._group["freezer"], self._group["freeze"])
                self._is_frozen = True

    def thaw(self) -> None:
        """Undo `freeze`."""
        if self._is_frozen:
            self._is_frozen = False
            with contextlib.suppress(OSError):
                _write(self._group["freezer"], self._group["thaw"])

    def close(self) -> None:
        """Kill, if need be, and give back sockets and pipes; mounts and cgroup go with the last process."""
        if self._is_closed:
            return
        self.kill()
        self._is_closed = True
        self._ways.forget(self.spec.sandbox_id)
        self.runtime_api.close()
        self.platform.close()
        os.close(self._init)
        os.close(self.output)
        for descriptor in (self.telemetry, self.extension_output):
            if descriptor is not None:
                os.close(descriptor)
        if self.control is not None:
            self.control.close()


def _pid_of(pidfd: int) -> int:
    """The number of a process; the launcher counts otherwise, in a namespace of its own."""
    for line in _read(f"/proc/self/fdinfo/{pidfd}").splitlines():
        if line.startswith("Pid:"):
            return int(line.split()[1])
    return -1


def _read(path: str) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 8192).decode()
    finally:
        os.close(fd)


def _write(path: str, value: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)


def _most_resident(pid: int) -> int:
    """Without a control group: the most that the runtime's process had in memory, what it shares included."""
    for line in _read(f"/proc/{pid}/status").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
