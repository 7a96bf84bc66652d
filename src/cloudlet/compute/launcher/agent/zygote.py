"""A zygote: a process with its runtime loaded, which forks sandboxes on request.

It has no thread and no connection but the one to the launcher. It is the parent of every sandbox's two processes,
init and the runtime, so it is who learns how they end. Without namespaces there is no init.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
from typing import Any, Callable, Protocol

from . import (
    container_runtime,
    custom_runtime,
    enter,
    extensions,
    forking,
    messages,
    orphans,
    program_runtime,
    python_runtime,
    rootfs,
    syscalls,
)

_SETUP_FAILED = 126


class _Runtime(Protocol):
    """A kind of runtime. Making one may take long; it is done once, in the zygote."""

    def run(self, spec: dict[str, Any]) -> int:
        """In a child that is in its sandbox: be the runtime. Returns the exit status, when it comes back."""


class _Pair:
    """The processes of one sandbox that are the zygote's children."""

    def __init__(self, sandbox_id: str, init: int | None, runtime: int) -> None:
        self.sandbox_id = sandbox_id
        self.init = init
        self.runtime = runtime
        self.alive = {runtime} if init is None else {init, runtime}
        self.status = 0


class Zygote:
    """Serves one connection to the launcher until it ends."""

    def __init__(self, connection: socket.socket, settings: dict[str, Any]) -> None:
        self._connection = connection
        self._pid_namespace: int | None = settings["pid_namespace"]
        self._runtime = _runtime(settings)
        self._walls = enter.Walls.build()
        self._sandboxes: dict[int, _Pair] = {}
        lifeline, self._lifeline_end = os.pipe()
        self._init_actions = [
            (os.POSIX_SPAWN_DUP2, lifeline, 0),
            (os.POSIX_SPAWN_CLOSE, 1),
            (os.POSIX_SPAWN_CLOSE, 2),
        ]

    def serve(self) -> Callable[[], int] | None:
        """Answer requests. Returns None when the launcher is gone, and in a forked child: what to do there."""
        gc.collect()
        gc.freeze()
        messages.send(self._connection, {"t": "up"})
        poll = self._watch_children()
        while True:
            for fd, _event in poll.poll():
                if fd != self._connection.fileno():
                    os.read(fd, 4096)
                    self._reap()
                    continue
                received = messages.receive(self._connection)
                if received is None:
                    return None
                become = self._launch(*received)
                if become is not None:
                    return become

    def _watch_children(self) -> select.poll:
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        poll.register(woken, select.POLLIN)
        return poll

    def _launch(self, request: dict[str, Any], fds: list[int]) -> Callable[[], int] | None:
        """Fork a sandbox. Returns None in the zygote, and in the child what it has to do."""
        init = None
        try:
            descriptors = enter.Descriptors.from_message(request["descriptors"], fds)
            if self._pid_namespace is not None:
                syscalls.unshare(syscalls.CLONE_NEWPID)
                init = os.posix_spawn(rootfs.INIT_PROGRAM, ["init"], {}, file_actions=self._init_actions)
            runtime = forking.fork_into(descriptors.cgroup_folder)
        except OSError as error:
            if init is not None:
                os.kill(init, signal.SIGKILL)
            self._leave_namespace()
            messages.send(self._connection, {"t": "unforked", "id": request["id"], "error": str(error)})
            _close(fds)
            return None
        if runtime == 0:
            return lambda: self._become(request["id"], descriptors)
        self._leave_namespace()
        pair = _Pair(request["id"], init, runtime)
        self._sandboxes.update(dict.fromkeys(pair.alive, pair))
        pidfds = [os.pidfd_open(runtime if init is None else init), os.pidfd_open(runtime)]
        messages.send(self._connection, {"t": "forked", "id": request["id"]}, pidfds)
        _close([*fds, *pidfds])
        return None

    def _leave_namespace(self) -> None:
        """Let the next children be in the zygote's own process namespace again."""
        if self._pid_namespace is not None:
            syscalls.setns(self._pid_namespace, syscalls.CLONE_NEWPID)

    def _become(self, sandbox_id: str, descriptors: enter.Descriptors) -> int:
        """In the child: enter the sandbox, say so, and be the runtime. Returns its exit status."""
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            spec = messages.from_file(descriptors.spec)
            enter.enter(spec, descriptors, self._connection.fileno(), self._walls)
            self._connection.detach()
        except BaseException as error:
            report = {"t": "failed", "id": sandbox_id, "error": f"{error.__class__.__name__}: {error}"}
            _report(report, self._connection.fileno())
            os._exit(_SETUP_FAILED)
        _report({"t": "ready", "id": sandbox_id}, enter.REPORT_FD)
        os.close(enter.REPORT_FD)
        gc.enable()
        if spec["extensions"]:
            beside = extensions.Supervisor(spec, enter.CONTROL_FD, enter.EXTENSION_OUTPUT_FD)
            return beside.run(lambda: self._runtime.run(spec))
        return self._runtime.run(spec)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            pair = self._sandboxes.pop(pid, None)
            if pair is None:
                continue
            pair.alive.discard(pid)
            if pid == pair.runtime:
                pair.status = status
                self._end(pair)
            if not pair.alive:
                messages.send(self._connection, {"t": "exited", "id": pair.sandbox_id, "status": pair.status})

    def _end(self, pair: _Pair) -> None:
        """The runtime has ended: so does all that it has left behind."""
        if pair.init is None:
            orphans.sweep(pair.runtime, {other.runtime for other in self._sandboxes.values()})
        elif pair.init in pair.alive:
            os.kill(pair.init, signal.SIGKILL)


def _runtime(settings: dict[str, Any]) -> _Runtime:
    if settings["kind"] == "python":
        return python_runtime.PythonRuntime(settings["runtime"])
    if settings["kind"] in program_runtime.KINDS:
        return program_runtime.ProgramRuntime(settings)
    if settings["kind"] == "container":
        return container_runtime.ContainerRuntime()
    return custom_runtime.CustomRuntime()


def _report(message: dict[str, Any], fd: int) -> None:
    """To the launcher. Every packet is whole, so it may come between those of the zygote itself."""
    try:
        os.write(fd, messages.encode(message))
    except OSError:  # the descriptors were half-way changed: then the exit status has to say it
        pass


def _close(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)


def run(connection: int, settings: dict[str, Any]) -> int:
    """Be a zygote until the launcher is gone; in a forked child, be the runtime. Returns the exit status."""
    gc.disable()
    syscalls.leave_session_keyring()
    become = Zygote(socket.socket(fileno=connection), settings).serve()
    return become() if become is not None else 0


def main() -> int:
    """Started in its root; arguments: the descriptor of the connection, and the settings."""
    connection, settings = int(sys.argv[1]), json.loads(sys.argv[2])
    for fd in (connection, settings["pid_namespace"]):
        if fd is not None:
            os.set_inheritable(fd, False)
    return run(connection, settings)
