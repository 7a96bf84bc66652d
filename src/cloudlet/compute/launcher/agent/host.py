"""What this machine lets the launcher do, taken once at its start."""

from __future__ import annotations

import os
import signal
from typing import NamedTuple

from . import cgroups, identity, mounts, network, syscalls


class Host(NamedTuple):
    """The means to make sandboxes."""

    mountpoint: str
    """An empty folder; things are mounted at it in private namespaces only."""
    users: identity.Users
    owner: int | None
    """The user namespace that shows the host's root as root inside, where files can be shown so."""
    layers: mounts.Layers
    groups: cgroups.Hierarchy | None
    pid_namespace: int
    """The launcher's own, which zygotes come back to."""
    network: int
    """A namespace with nothing in it: launcher and zygotes need no network."""

    def code(self, folder: str) -> int:
        """A detached mount of a function's code. Raises OSError."""
        return mounts.detach(folder, owner=self.owner)


def take_over(state: str) -> Host:
    """Become as privileged as this machine allows, in a process namespace of our own. Raises OSError.

    Returns in a forked child that is process 1 of that namespace: its end, in whatever way, is the end of every
    zygote and sandbox. The caller itself waits for it and exits as it did.
    """
    mountpoint = os.path.join(state, "root")
    os.makedirs(mountpoint, exist_ok=True)
    instance = os.getpid()
    groups = cgroups.detect()  # before this process is in a namespace, where it would see less
    try:
        syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWPID)
    except PermissionError:
        identity.become_root_of_own_namespace()
        syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWPID)
    syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_SLAVE)
    _continue_in_child()
    pid_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    users = identity.Users.detect(instance)
    owner = users.owner_namespace()
    return Host(mountpoint, users, owner, mounts.Layers(mountpoint, owner), groups, pid_namespace, network.leave_host())


def _continue_in_child() -> None:
    child = os.fork()
    if child == 0:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        return
    syscalls.close_range(3)  # so that the node's connection ends with the child
    _pid, status = os.waitpid(child, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
