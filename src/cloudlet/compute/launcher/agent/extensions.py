"""In a sandbox with extensions: the process that starts them and the runtime, and tells the node how they end.

It is the sandbox's second process (the first is `init`), so when it ends, everything does. It runs as the function's
own user with all its limits. It keeps the zygote's memory as it was, except that no other process can look into it.

    node --start--> fork the runtime            process ended --> node
    node --signal n--> kill(n)                  file cannot be run --> node
    the node's end is closed --> exit
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
from typing import Any, Callable

from . import syscalls

RUNTIME = -1
_MAX_MESSAGE_BYTES = 4096
_TELEMETRY_FD = 3
_EXCLUDED = (
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_XRAY_CONTEXT_MISSING",
    "AWS_XRAY_DAEMON_ADDRESS",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
)
"""With all that begin with `_`: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html"""


class Supervisor:
    """Parent of a sandbox's extensions and of its runtime."""

    def __init__(self, spec: dict[str, Any], control: int, output: int) -> None:
        self._spec = spec
        self._control = socket.socket(fileno=control)
        self._output = output
        self._pids: dict[int, int] = {}
        """Numbers of processes by their ids."""

    def run(self, become_runtime: Callable[[], int]) -> int:
        """Serve until the node hangs up. Returns in the supervisor, and in the runtime's process when that ends."""
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
        woken = self._watch_children()
        for number, name in enumerate(self._spec["extensions"]):
            self._start_extension(number, name)
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(woken, select.POLLIN)
        while True:
            for fd, _event in poll.poll():
                if fd == woken:
                    os.read(woken, 4096)
                    self._reap()
                    continue
                message = self._receive()
                if message is None:
                    return 0
                if message["t"] == "signal":
                    self._signal(message["process"], message["signal"])
                elif self._start_runtime(woken):
                    return become_runtime()

    def _watch_children(self) -> int:
        woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        return woken

    def _receive(self) -> dict[str, Any] | None:
        try:
            data = self._control.recv(_MAX_MESSAGE_BYTES)
        except OSError:
            data = b""
        message: dict[str, Any] | None = json.loads(data) if data else None
        return message

    def _tell(self, kind: str, process: int, detail: int) -> None:
        message = {"t": kind, "process": process, "detail": detail}
        try:
            self._control.send(json.dumps(message).encode())
        except OSError:  # the node is gone: so shall we be
            pass

    def _start_extension(self, number: int, name: str) -> None:
        path = _path(self._spec["places"]["layers"], name)
        environment = {
            key: value
            for key, value in self._spec["environment"].items()
            if key not in _EXCLUDED and not key.startswith("_")
        }
        actions: list[tuple[int, ...]] = [
            (os.POSIX_SPAWN_DUP2, self._output, 1),
            (os.POSIX_SPAWN_DUP2, self._output, 2),
        ]
        if _is_open(_TELEMETRY_FD):
            actions.append((os.POSIX_SPAWN_CLOSE, _TELEMETRY_FD))
        ignored_by_python = [signal.SIGPIPE, signal.SIGXFSZ]
        try:
            pid = os.posix_spawn(
                path, [path], environment, file_actions=actions, setpgroup=0, setsigdef=ignored_by_python
            )
        except OSError as error:
            self._tell("not started", number, error.errno or 0)
            return
        self._pids[pid] = number

    def _start_runtime(self, woken: int) -> bool:
        """Fork. True in the child, which is to be the runtime."""
        pid = os.fork()
        if pid != 0:
            self._pids[pid] = RUNTIME
            return False
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._control.close()
        for fd in (woken, self._wake, self._output):
            os.close(fd)
        os.setpgid(0, 0)
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
        return True

    def _signal(self, process: int, number: int) -> None:
        for pid, started in self._pids.items():
            if started == process:
                try:
                    # To the group, which each leads, so that a shell script does not outlive what it waits for.
                    (os.kill if number == signal.SIGTERM else os.killpg)(pid, number)
                except OSError:
                    pass

    def _reap(self) -> None:
        while self._pids:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            number = self._pids.pop(pid, None)
            if number is not None:
                self._tell("ended", number, status)


def _path(layers: list[str], name: str) -> str:
    """Where the file is: without namespaces, each layer is at a place of its own, the uppermost first."""
    for layer in layers:
        path = f"{layer}/extensions/{name}"
        if os.path.lexists(path):
            return path
    return f"{layers[0]}/extensions/{name}"


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
