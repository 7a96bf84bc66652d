"""Isolation by namespaces: the launcher's side of it."""

from __future__ import annotations

import json
import os
import signal
import socket
from typing import Any, Callable

from . import container_root, identity, image_root, mounts, network, rootfs, syscalls, zygote
from .cgroups import Group
from .host import Kit, Provision, cores_leave_the_sandbox

_STOCK = 16
"""Kits made ahead. Making one takes 1.5 ms, a third of a cold start."""
_HOST_NAME = "sandbox"
PLACES = {
    "task": "/var/task",
    "layers": ["/opt"],
    "runtime": "/var/runtime",
    "interpreter": "/var/lang/bin/{}",
    "temporary": "/tmp",
}
"""Where a function finds things: AWS's own paths."""
_BOOT = f"import sys; sys.path[0] = {rootfs.AGENT_PARENT!r}; from agent.zygote import main; sys.exit(main())"


class Namespaces:
    """Makes what sandboxes in namespaces need."""

    def __init__(self, mountpoint: str, instance: int) -> None:
        self._mountpoint = mountpoint
        self._pid_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self._users = identity.Users.detect(instance)
        self._owner = self._users.owner_namespace()
        self._layers = mounts.Layers(os.path.dirname(mountpoint), self._owner)
        self._network = network.leave_host()
        self._kinds = syscalls.CLONE_NEWNS | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS
        if os.path.exists("/proc/self/ns/cgroup"):
            self._kinds |= syscalls.CLONE_NEWCGROUP
        self._cores_leave = cores_leave_the_sandbox()
        self._stock: list[Kit] = []

    @property
    def is_short(self) -> bool:
        """True when the stock of kits is not full."""
        return len(self._stock) < _STOCK

    def refill(self) -> None:
        """Make a kit. Raises OSError."""
        self._stock.append(self._make())

    def take(self) -> Kit:
        """From the stock, or a new one. Raises OSError."""
        return self._stock.pop() if self._stock else self._make()

    def _make(self) -> Kit:
        slot, user = self._users.take()
        try:
            return Kit(network.make_isolated(self._network), slot, user)
        except BaseException:
            self._users.give_back(slot, user)
            raise

    def take_after(self, kit: Kit) -> Kit:
        """The user of `kit` with a network of its own. Raises OSError."""
        return kit._replace(network=network.make_isolated(self._network))

    def make_socket(self, kit: Kit) -> socket.socket:
        """Made in the sandbox's own network. Raises OSError."""
        return kit.network.make_socket(self._network)

    def give_back(self, kit: Kit, sandbox_id: str) -> None:  # noqa: ARG002 - of the interface
        """The user is free again; a network is not used twice."""
        kit.network.close()
        if kit.user is not None:
            self._users.give_back(kit.slot, kit.user)

    def provide(self, kit: Kit, request: dict[str, Any]) -> Provision:
        """Detached mounts of the code and the layers. Raises OSError."""
        ours = []
        if request["layers"]:
            ours.append(("layers", self._layers.tree(request["layers"])))
        try:
            if request["code"]:
                ours.append(("code", mounts.detach(request["code"], owner=self._owner)))
        except BaseException:
            for _name, fd in ours:
                os.close(fd)
            raise
        shared = [(name, fd) for name, fd in (("user", kit.user), ("network", kit.network.namespace)) if fd is not None]
        spec = {
            "hostname": _HOST_NAME,
            "owner_uid": self._users.base,
            "uid": self._users.base + kit.slot if self._users.base is not None else None,
            "namespaces": self._kinds,
            "cores_leave": self._cores_leave,
            "places": PLACES,
            "environment": {},
        }
        return Provision(spec, ours, shared)

    def become_zygote(self, runtime: dict[str, Any], connection: int) -> None:
        """Make its root, and start its interpreter there; this very process serves runtimes that bring none."""
        root = rootfs.Root.of(runtime, self._mountpoint, self._users.base, self._owner)
        rootfs.enter(_builder(root))
        settings = {
            "kind": runtime["kind"],
            "language": runtime.get("settings", {}),
            "runtime": PLACES["runtime"],
            "pid_namespace": self._pid_namespace,
        }
        if runtime["kind"] == "python":
            for fd in (connection, self._pid_namespace):
                os.set_inheritable(fd, True)
            command = [runtime["executable"], "-c", _BOOT, str(connection), json.dumps(settings)]
            os.execve(command[0], command, runtime["environment"])
        _keep_only(connection, self._pid_namespace)
        os._exit(zygote.run(connection, settings))

    def sweep(self, kit: Kit, group: Group | None) -> None:
        """Nothing is left: the first process has taken all with it."""

    def close(self) -> None:
        """Everything ends with this process."""


def _builder(root: rootfs.Root) -> rootfs.Builder:
    if root.layers:
        return container_root.ContainerBuilder(root)
    return rootfs.Builder(root) if root.image is None else image_root.ImageBuilder(root)


def _keep_only(*descriptors: int) -> None:
    """Close all others: the connection to the node, above all, must end with the launcher."""
    first = 3
    for fd in sorted(descriptors):
        syscalls.close_range(first, fd - 1)
        first = fd + 1
    syscalls.close_range(first)


def take_over(state: str, node: socket.socket, clean_up: Callable[[], None]) -> Namespaces:
    """Become as privileged as this machine allows, in a process namespace of our own. Raises OSError.

    Returns in a forked child that is process 1 of that namespace: its end, in whatever way, is the end of every
    zygote and sandbox. The caller itself gives up the connection to the node, waits for that end, calls `clean_up`
    and exits.
    """
    mountpoint = os.path.join(state, "root")
    os.makedirs(mountpoint, exist_ok=True)
    instance = os.getpid()
    try:
        syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWPID)
    except PermissionError:
        identity.become_root_of_own_namespace()
        syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWPID)
    syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_SLAVE)
    _continue_in_child(node, clean_up)
    return Namespaces(mountpoint, instance)


def _continue_in_child(node: socket.socket, clean_up: Callable[[], None]) -> None:
    alive, held = os.pipe()  # `held` stays open in the child until it ends
    child = os.fork()
    if child == 0:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        os.close(alive)
        return
    os.close(held)
    node.close()
    os.read(alive, 1)
    # Now, not when the child can be waited for: the kernel first waits for all its processes to die, and a frozen
    # one does not before it is thawed.
    try:
        clean_up()
    finally:
        _pid, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
