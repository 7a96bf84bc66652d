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
        self.process = os.pidfd_open(pid)
        """Readable when it has ended. Its connection need not end then: a child that was frozen on its way into its
        sandbox has it too."""
        self.connection = connection
        self.waiting: collections.deque[Launch] = collections.deque()
        self.unanswered: set[Launch] = set()
        self.sandboxes: set[Launch] = set()
        self.is_up = False
        self.is_retired = False
        """True once it is to end as soon as it has no sandbox any more."""

    @classmethod
    def start(cls, runtime: dict[str, Any], host: Host) -> ZygoteLink:
        """Fork a process that becomes the zygote of `runtime`. It says when it is up, or why it cannot be.

        Raises OSError where the machine has no room for another process.
        """
        ours, theirs = messages.pair()
        with theirs:
            try:
                pid = os.fork()
                if pid == 0:
                    _become_zygote(runtime, host, theirs)
                return cls(runtime["name"], pid, ours)
            except OSError:
                ours.close()
                raise

    @property
    def may_send(self) -> bool:
        """True when a launch waits that the zygote can take now."""
        return self.is_up and bool(self.waiting) and len(self.unanswered) < _UNANSWERED

    @property
    def is_unused(self) -> bool:
        """True when it has no sandbox, and none is asked for."""
        return not (self.waiting or self.unanswered or self.sandboxes)

    def send(self, launch: Launch, descriptors: Sequence[tuple[str, int]]) -> None:
        """Ask for a fork. Raises OSError.

        What is to be run is in the file `spec` among the descriptors, not in the message: every sandbox is a copy of
        its zygote's memory, so the zygote must never have read any function's variables.
        """
        message = {"id": launch.id, "descriptors": [name for name, _fd in descriptors]}
        messages.send(self.connection, message, [fd for _name, fd in descriptors])
        self.unanswered.add(launch)

    def abandon(self) -> list[Launch]:
        """The zygote is gone, or has to go; return all launches that were its."""
        self.connection.close()
        try:
            signal.pidfd_send_signal(self.process, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.close(self.process)
        return [*self.sandboxes, *self.unanswered, *self.waiting]


def _become_zygote(runtime: dict[str, Any], host: Host, connection: socket.socket) -> NoReturn:
    try:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        host.become_zygote(runtime, connection.fileno())
    except BaseException as error:  # whatever it is, the launcher must hear of it
        messages.send(connection, {"t": "broken", "error": f"{error.__class__.__name__}: {error}"})
    finally:
        os._exit(1)
