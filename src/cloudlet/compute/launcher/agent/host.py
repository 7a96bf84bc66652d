"""What a kind of isolation has to do for the launcher: `namespaces`, or `bare` where there are none."""

from __future__ import annotations

import socket
from typing import Any, NamedTuple, Protocol

from .cgroups import Group
from .network import Network


class Kit(NamedTuple):
    """What belongs to one sandbox from its beginning to its end."""

    network: Network
    slot: int
    user: int | None
    """The slot's user namespace, as a descriptor, where there are namespaces."""


class Provision(NamedTuple):
    """What a child is told and handed for one launch."""

    spec: dict[str, Any]
    ours: list[tuple[str, int]]
    """Descriptors with their names, to be closed once they are sent."""
    shared: list[tuple[str, int]]
    """Descriptors that belong to something else."""


def cores_leave_the_sandbox() -> bool:
    """True where the core of a crashed process goes to a program or a socket of the host."""
    try:
        with open("/proc/sys/kernel/core_pattern") as file:
            return file.read(1) in ("|", "@")
    except OSError:  # we cannot know
        return True


class Host(Protocol):
    """The means to make sandboxes on this machine."""

    @property
    def is_short(self) -> bool:
        """True when there is something to make ahead."""

    def refill(self) -> None:
        """Make one thing ahead. Raises OSError."""

    def take(self) -> Kit:
        """A kit for a new sandbox. Raises OSError."""

    def take_after(self, kit: Kit) -> Kit:
        """A kit for a sandbox that follows one with `kit`: its user, who owns the files, and a new network.

        Raises OSError.
        """

    def make_socket(self, kit: Kit) -> socket.socket:
        """A TCP socket in the sandbox's network, not connected. Raises OSError."""

    def give_back(self, kit: Kit, sandbox_id: str) -> None:
        """The sandbox is gone, and none follows it."""

    def provide(self, kit: Kit, request: dict[str, Any]) -> Provision:
        """Mounts, users and paths for a launch. `follows` in it is the sandbox whose files it takes over, or empty.

        Raises OSError.
        """

    def become_zygote(self, runtime: dict[str, Any], connection: int) -> None:
        """In a fork of the launcher: be the zygote of `runtime`. Does not come back. Raises OSError."""

    def sweep(self, kit: Kit, group: Group | None) -> None:
        """The sandbox's runtime has ended: end whatever it has left behind."""

    def close(self) -> None:
        """Every sandbox is gone: give back what is left."""
