"""A zygote: a process with its runtime loaded, which forks sandboxes on request.

It has no thread and no connection but the one to the launcher. It is the parent of every sandbox's two processes,
init and the runtime, so it is who learns how they end.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
from typing import Any, Callable, Protocol

from . import custom_runtime, enter, forking, messages, python_runtime, rootfs, seccomp, syscalls

_SETUP_FAILED = 126


class _Runtime(Protocol):
    """A kind of runtime. Making one may take long; it is done once, in the zygote."""

    def run(self, spec: dict[str, Any]) -> int:
        """In a child that is in its sandbox: be the runtime. Returns the exit status, when it comes back."""


_RUNTIMES: dict[str, Callable[[], _Runtime]] = {
    "python": python_runtime.PythonRuntime,
    "provided": custom_runtime.CustomRuntime,
}


class _Pair:
    """The two processes of one sandbox."""

    def __init__(self, sandbox_id: str, init: int, runtime: int) -> None:
        self.sandbox_id = sandbox_id
        self.init = init
        self.runtime = runtime
        self.alive = {init, runtime}
        self.status = 0


class Zygote:
    """Serves one connection to the launcher until it ends."""

    def __init__(self, connection: socket.socket, pid_namespace: int, kind: str) -> None:
        self._connection = connection
        self._runtime = _RUNTIMES[kind]()
        self._filter = seccomp.build()
        self._sandboxes: dict[int, _Pair] = {}
        self._own_pid_namespace = pid_namespace
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
        messages.send(self._connection, {"t": "up", "pid": os.getpid()})
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

    def _launch(self, spec: dict[str, Any], fds: list[int]) -> Callable[[], int] | None:
        """Fork a sandbox. Returns None in the zygote, and in the child what it has to do."""
        init = 0
        descriptors = enter.Descriptors.from_message(spec["descriptors"], fds)
        try:
            syscalls.unshare(syscalls.CLONE_NEWPID)
            init = os.posix_spawn(rootfs.INIT_PROGRAM, ["init"], {}, file_actions=self._init_actions)
            runtime = forking.fork_into(descriptors.cgroup_folder)
        except OSError as error:
            if init:
                os.kill(init, signal.SIGKILL)
            messages.send(self._connection, {"t": "unforked", "id": spec["id"], "error": str(error)})
            return None
        if runtime == 0:
            return lambda: self._become(spec, descriptors)
        syscalls.setns(self._own_pid_namespace, syscalls.CLONE_NEWPID)
        pair = _Pair(spec["id"], init, runtime)
        self._sandboxes[init] = self._sandboxes[runtime] = pair
        pidfds = [os.pidfd_open(init), os.pidfd_open(runtime)]
        messages.send(self._connection, {"t": "forked", "id": spec["id"]}, pidfds)
        for fd in (*fds, *pidfds):
            os.close(fd)
        return None

    def _become(self, spec: dict[str, Any], descriptors: enter.Descriptors) -> int:
        """In the child: enter the sandbox, say so, and be the runtime. Returns its exit status."""
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            enter.enter(spec, descriptors, self._connection.detach(), self._filter)
        except BaseException as error:
            self._report({"t": "failed", "id": spec["id"], "error": f"{error.__class__.__name__}: {error}"})
            os._exit(_SETUP_FAILED)
        self._report({"t": "ready", "id": spec["id"]})
        os.close(enter.REPORT_FD)
        gc.enable()
        return self._runtime.run(spec)

    def _report(self, message: dict[str, Any]) -> None:
        os.write(enter.REPORT_FD, messages.encode(message))

    def _reap(self) -> None:
        while self._sandboxes:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            pair = self._sandboxes.pop(pid, None)
            if pair is None:
                continue
            pair.alive.discard(pid)
            if pid == pair.runtime:
                pair.status = status
                if pair.init in pair.alive:
                    os.kill(pair.init, signal.SIGKILL)  # and with it whatever the runtime has left behind
            if not pair.alive:
                messages.send(self._connection, {"t": "exited", "id": pair.sandbox_id, "status": pair.status})


def run(connection: socket.socket, pid_namespace: int, kind: str) -> int:
    """Be a zygote until the launcher is gone; in a forked child, be the runtime. Returns the exit status."""
    gc.disable()
    become = Zygote(connection, pid_namespace, kind).serve()
    return become() if become is not None else 0


def main() -> int:
    """Started in its root; arguments: descriptors of the connection and of its pid namespace, the kind of runtime."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    pid_namespace = int(sys.argv[2])
    for fd in (connection.fileno(), pid_namespace):
        os.set_inheritable(fd, False)
    return run(connection, pid_namespace, sys.argv[3])
