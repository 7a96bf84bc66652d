"""A zygote as the launcher sees it: how it is started, and what it has been sent."""

from __future__ import annotations

import collections
import os
import signal
import socket
from typing import Any, NoReturn, Sequence

from . import messages, syscalls
from .host import Host
from .launches import Launch

_UNANSWERED = 4
"""Launches that a zygote is sent ahead; more would only fill the socket."""


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
    def start(cls, runtime: dict[str, Any], host: Host) -> ZygoteLink:
        """Fork a process that becomes the zygote of `runtime`. It says when it is up, or why it cannot be."""
        ours, theirs = messages.pair()
        pid = os.fork()
        if pid == 0:
            _become_zygote(runtime, host, theirs)
        theirs.close()
        return cls(runtime["name"], pid, ours)

    @property
    def may_send(self) -> bool:
        """True when a launch waits that the zygote can take now."""
        return self.is_up and bool(self.waiting) and len(self.unanswered) < _UNANSWERED

    def send(self, launch: Launch, spec: dict[str, Any], descriptors: Sequence[int]) -> None:
        """Ask for a fork. Raises OSError, MessageTooLarge."""
        messages.send(self.connection, spec, descriptors)
        self.unanswered.add(launch)

    def abandon(self) -> list[Launch]:
        """The zygote is gone, or has to go: reap it, and return all launches that were its."""
        self.connection.close()
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        return [*self.sandboxes, *self.unanswered, *self.waiting]


def _become_zygote(runtime: dict[str, Any], host: Host, connection: socket.socket) -> NoReturn:
    try:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        host.become_zygote(runtime, connection.fileno())
    except BaseException as error:  # whatever it is, the launcher must hear of it
        messages.send(connection, {"t": "broken", "error": f"{error.__class__.__name__}: {error}"})
    finally:
        os._exit(1)
