"""One sandbox as the launcher sees it, from its request to its end, and what must be given back for it."""

from __future__ import annotations

import os
from typing import Any

from . import network


class Launch:
    """What belongs to one sandbox. Everything here is given back exactly once."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.id: str = request["id"]
        self.request = request
        self.network: network.Network | None = None
        self.user: tuple[int, int] | None = None
        self.read_ends: list[int] = []
        self.pid = 0
        self.pidfd: int | None = None
        self.error = ""
        """Why the child could not enter the sandbox, when it said so."""
        self.is_ready = False
        self.is_handed_over = False

    def make_pipe(self) -> int:
        """A pipe of which the node gets the read end and the sandbox the returned write end."""
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        self.read_ends.append(read_end)
        return write_end

    def descriptors_for_node(self) -> list[int]:
        """The listening sockets, the first process, the pipes."""
        assert self.network is not None
        assert self.pidfd is not None
        return [self.network.runtime_api.fileno(), self.network.platform.fileno(), self.pidfd, *self.read_ends]

    def close_descriptors(self) -> None:
        """Close our copies of what the node has, or of what nobody will have."""
        if self.network is not None:
            self.network.close()
            self.network = None
        if self.pidfd is not None:
            os.close(self.pidfd)
            self.pidfd = None
        while self.read_ends:
            os.close(self.read_ends.pop())
