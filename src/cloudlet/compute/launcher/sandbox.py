"""A sandbox in the node's hands."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from cloudlet.compute.sandbox import ExitStatus, SandboxSpec


class LaunchedSandbox:
    """The `Sandbox` of cloudlet.compute.sandbox, made by the launcher.

    It holds descriptors only: the listening sockets, the read ends of the pipes, and the sandbox's first process,
    whose end is the end of every process in it.
    """

    def __init__(self, spec: SandboxSpec, message: Mapping[str, Any], descriptors: Sequence[int]) -> None:
        runtime_api, platform, self._init, self.output, *telemetry = descriptors
        self.spec = spec
        self.runtime_api = socket.socket(fileno=runtime_api)
        self.platform = socket.socket(fileno=platform)
        for listener in (self.runtime_api, self.platform):
            listener.setblocking(False)
        self.telemetry: int | None = telemetry[0] if telemetry else None
        self.exited: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()
        self.pid: int = message["pid"]
        """The runtime's process, as the host counts."""
        self._memory_peak_bytes = 0
        self._is_closed = False

    def kill(self) -> None:
        """End the whole process tree at once (SIGKILL). `exited` follows."""
        if not self.exited.done() and not self._is_closed:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._init, signal.SIGKILL)

    def ended(self, message: Mapping[str, Any]) -> None:
        """The launcher says that the whole tree is gone."""
        if not self.exited.done():
            status: int = message["status"]
            killed = os.WIFSIGNALED(status)
            self.exited.set_result(
                ExitStatus(
                    code=None if killed else os.WEXITSTATUS(status),
                    signal=os.WTERMSIG(status) if killed else None,
                    out_of_memory=message.get("out_of_memory", False),
                )
            )

    def memory_peak_bytes(self) -> int:
        """The most memory that the tree has used so far."""
        return self._memory_peak_bytes

    def freeze(self) -> None:
        """Stop the tree between invocations, where the machine can."""

    def thaw(self) -> None:
        """Undo `freeze`."""

    def close(self) -> None:
        """Kill, if need be, and give back sockets and pipes; mounts and cgroup go with the last process."""
        if self._is_closed:
            return
        self.kill()
        self._is_closed = True
        self.runtime_api.close()
        self.platform.close()
        os.close(self._init)
        os.close(self.output)
        if self.telemetry is not None:
            os.close(self.telemetry)
