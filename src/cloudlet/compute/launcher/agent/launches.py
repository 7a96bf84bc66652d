"""One sandbox as the launcher sees it, from its request to its end, and what must be given back for it."""

from __future__ import annotations

import os
import socket
from typing import Any

from . import cgroups, messages
from .host import Kit


class Launch:
    """What belongs to one sandbox. Everything here is given back exactly once."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.id: str = request["id"]
        self.request = request
        self.kit: Kit | None = None
        self.group: cgroups.Group | None = None
        self.read_ends: list[int] = []
        self.control: socket.socket | None = None
        """The node's end of the line to the supervisor, with extensions."""
        self.init: int | None = None
        """The sandbox's first process (a pidfd): its end is the end of all."""
        self.runtime: int | None = None
        """The process that is the runtime, or starts it (a pidfd)."""
        self.error = ""
        """Why the child could not enter the sandbox, when it said so."""
        self.temporary: int | None = None
        """A hold on its /tmp, where that is a mount of its own."""
        self.is_given_up = False
        """True once the node needs nothing more of it: no other sandbox will follow it."""
        self.is_over_limit = False
        self.is_ready = False
        self.is_handed_over = False

    @property
    def limits(self) -> cgroups.Limits:
        """As the request has them."""
        return cgroups.Limits(
            self.request["memory_mb"] * cgroups.MIB, self.request["ephemeral_storage_mb"] * cgroups.MIB
        )

    @property
    def data_limit_bytes(self) -> int:
        """Where no control group limits its memory: how much every single process may allocate; else 0."""
        if self.group is not None and self.group.limits_memory:
            return 0
        reserved: int = self.request["runtime"].get("reserved_bytes", 0)
        return self.limits.memory_bytes + reserved

    def make_pipe(self, uid: int | None) -> int:
        """A pipe of which the node gets the read end and the sandbox the returned write end.

        It belongs to the sandbox's user, so that /dev/stdout can be opened there.
        """
        read_end, write_end = os.pipe()
        if uid is not None:
            os.fchown(write_end, uid, uid)
        os.set_blocking(read_end, False)
        self.read_ends.append(read_end)
        return write_end

    def make_control(self) -> int:
        """A line between the node and the supervisor, whose end this is; for it to be detached and closed."""
        self.control, theirs = messages.pair()
        self.control.setblocking(False)
        return theirs.detach()

    def hand_over(self) -> tuple[dict[str, Any], list[int]]:
        """What the node is told and given."""
        if self.kit is None or self.init is None or self.runtime is None:
            raise ValueError("not forked yet")
        message: dict[str, Any] = {"t": "launched", "id": self.id}
        if self.group is not None:
            message["group"] = self.group.for_node()
        network = self.kit.network
        self.is_handed_over = True
        sockets = [network.runtime_api.fileno(), network.platform.fileno()]
        control = [self.control.fileno()] if self.control is not None else []
        descriptors = [*sockets, self.init, self.runtime, *self.read_ends, *control]
        message["descriptors"] = len(descriptors)
        return message, descriptors

    def close_shared(self) -> None:
        """Close our copies of what the node has, or of what nobody will have.

        The network itself and the runtime's process are kept to the end: the node may ask for sockets and signals.
        """
        if self.kit is not None:
            self.kit.network.close_listeners()
        if self.control is not None:
            self.control.close()
            self.control = None
        while self.read_ends:
            os.close(self.read_ends.pop())

    def close_ended(self) -> None:
        """Close all that there was of it but its end; it is gone, or will never be."""
        self.close_shared()
        if self.kit is not None:
            self.kit.network.close()
        if self.runtime is not None:
            os.close(self.runtime)
            self.runtime = None

    def close_temporary(self) -> None:
        """Let go of its /tmp."""
        if self.temporary is not None:
            os.close(self.temporary)
            self.temporary = None

    def summary(self) -> dict[str, Any]:
        """What its control group says at the end."""
        if self.group is None:
            return {}
        out_of_memory = self.is_over_limit or self.group.killed_for_memory()
        return {"out_of_memory": out_of_memory, "peak_bytes": self.group.peak_bytes()}
