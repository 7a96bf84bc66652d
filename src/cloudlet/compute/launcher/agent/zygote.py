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
from typing import Any, Callable

from . import custom_runtime, enter, messages, python_runtime, rootfs, seccomp, syscalls

_Runtime = Callable[["dict[str, Any]"], int]
_RUNTIMES: dict[str, tuple[Callable[[], None], _Runtime]] = {
    "python": (python_runtime.preload, python_runtime.run),
    "provided": (custom_runtime.preload, custom_runtime.run),
}
_SETUP_FAILED = 126


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
        self._preload, self._run = _RUNTIMES[kind]
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
        self._preload()
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
        try:
            syscalls.unshare(syscalls.CLONE_NEWPID)
            init = os.posix_spawn(rootfs.INIT_PROGRAM, ["init"], {}, file_actions=self._init_actions)
            runtime = os.fork()
        except OSError as error:
            if init:
                os.kill(init, signal.SIGKILL)
            messages.send(self._connection, {"t": "unforked", "id": spec["id"], "error": str(error)})
            return None
        if runtime == 0:
            return lambda: self._become(spec, fds)
        syscalls.setns(self._own_pid_namespace, syscalls.CLONE_NEWPID)
        pair = _Pair(spec["id"], init, runtime)
        self._sandboxes[init] = self._sandboxes[runtime] = pair
        pidfd = os.pidfd_open(init)
        messages.send(self._connection, {"t": "forked", "id": spec["id"], "pid": runtime}, [pidfd])
        for fd in (*fds, pidfd):
            os.close(fd)
        return None

    def _become(self, spec: dict[str, Any], fds: list[int]) -> int:
        """In the child: enter the sandbox, say so, and be the runtime. Returns its exit status."""
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            descriptors = enter.Descriptors.from_message(spec["descriptors"], fds)
            enter.enter(spec, descriptors, self._connection.detach(), self._filter)
        except BaseException as error:
            self._report({"t": "failed", "id": spec["id"], "error": f"{error.__class__.__name__}: {error}"})
            os._exit(_SETUP_FAILED)
        self._report({"t": "ready", "id": spec["id"]})
        os.close(enter.REPORT_FD)
        gc.enable()
        return self._run(spec)

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
