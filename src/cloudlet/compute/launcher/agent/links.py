"""A zygote as the launcher sees it: how it is started, and what it has been sent."""

from __future__ import annotations

import collections
import os
import signal
import socket
from typing import Any, Sequence

from . import messages, rootfs, syscalls, zygote
from .host import Host
from .launches import Launch

_UNANSWERED = 4
"""Launches that a zygote is sent ahead; more would only fill the socket."""
_BOOT = f"import sys; sys.path[0] = {rootfs.AGENT_PARENT!r}; from agent.zygote import main; sys.exit(main())"


class ZygoteLink:
    """The connection to one zygote, and the launches that are its."""

    def __init__(self, name: str, pid: int, connection: socket.socket) -> None:
        self.name = name
        self.pid = pid
        self.connection = connection
        self.waiting: collections.deque[Launch] = collections.deque()
        self.unanswered: set[Launch] = set()
        self.sandboxes: set[Launch] = set()
        self.is_up = False

    @classmethod
    def start(cls, runtime: dict[str, Any], machine: Host) -> ZygoteLink:
        """Fork a process that makes its root and becomes the zygote of `runtime`. It says when it is up, or why not."""
        ours, theirs = messages.pair()
        pid = os.fork()
        if pid == 0:
            _become_zygote(runtime, machine, theirs)
        theirs.close()
        return cls(runtime["name"], pid, ours)

    @property
    def may_send(self) -> bool:
        """True when a launch waits that the zygote can take now."""
        return self.is_up and bool(self.waiting) and len(self.unanswered) < _UNANSWERED

    def send(self, launch: Launch, spec: dict[str, Any], descriptors: Sequence[int]) -> None:
        """Ask for a fork. Raises OSError."""
        messages.send(self.connection, spec, descriptors)
        self.unanswered.add(launch)

    def abandon(self) -> list[Launch]:
        """The zygote is gone: reap it, and return all launches that were its."""
        self.connection.close()
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        return [*self.sandboxes, *self.unanswered, *self.waiting]


def _become_zygote(runtime: dict[str, Any], machine: Host, connection: socket.socket) -> None:
    """In a fork of the launcher. A runtime that brings no interpreter is served by this very process."""
    status = 1
    try:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        rootfs.enter(rootfs.Root.of(runtime, machine.mountpoint, machine.users.base, machine.owner))
        if runtime["kind"] == "python":
            descriptors = (connection.fileno(), machine.pid_namespace)
            for fd in descriptors:
                os.set_inheritable(fd, True)
            command = [runtime["executable"], "-c", _BOOT, *map(str, descriptors), runtime["kind"]]
            os.execve(command[0], command, runtime["environment"])
        status = zygote.run(connection, machine.pid_namespace, runtime["kind"])
    except BaseException as error:  # whatever it is, the launcher must hear of it
        messages.send(connection, {"t": "broken", "error": f"{error.__class__.__name__}: {error}"})
    finally:
        os._exit(status)
