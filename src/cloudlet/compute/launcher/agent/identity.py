"""Who a sandbox is: a user namespace per sandbox, and a user of the host that nobody else is.

Inside every sandbox there are two users: root (0), who owns the files, and `sbx_user1051` (993), who runs the
function, as on AWS. Outside, where the launcher may map users (root):

    inside 0    -> base            one user for all sandboxes, who owns nothing and runs nothing but their process 1
    inside 993  -> base + n        the sandbox's own

An ordinary user can map one user only, himself: the launcher becomes root of a user namespace of its own, in which
the sandboxes' namespaces lie; 993 is the ordinary user, and root is nobody.
"""

from __future__ import annotations

import os
from typing import NoReturn

from . import syscalls

SANDBOX_UID = 993
SANDBOX_GID = 990
SANDBOX_USER = "sbx_user1051"

_UNUSED_FIRST = 1_900_000_000
"""Above what distributions and systemd hand out (https://systemd.io/UIDS-GIDS/), below 2^31."""
_BLOCK = 65536
_BLOCKS = 3000


def _mapped(map_file: str) -> list[tuple[int, int, int]]:
    with open(map_file) as lines:
        return [(int(a), int(b), int(c)) for a, b, c in (line.split() for line in lines)]


def become_root_of_own_namespace() -> None:
    """For an ordinary user: root of a new user namespace, in which that is all there is. Raises OSError."""
    uid, gid = os.geteuid(), os.getegid()
    syscalls.unshare(syscalls.CLONE_NEWUSER)
    for path, line in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{path}", "w") as file:
            file.write(line)


class Users:
    """Hands out users and their namespaces, and takes them back when a sandbox is gone."""

    def __init__(self, base: int | None) -> None:
        self.base = base
        """The host's user that stands for root inside; None where only one user can be mapped."""
        self._next_slot = 1
        self._free: list[tuple[int, int]] = []

    @classmethod
    def detect(cls, instance: int) -> Users:
        """Look at what this process may map. `instance` keeps launchers of one host apart."""
        largest = max(_mapped("/proc/self/uid_map"), key=lambda entry: entry[2])
        first, _outside, count = largest
        if count > _UNUSED_FIRST + _BLOCK * _BLOCKS:
            return cls(_UNUSED_FIRST + _BLOCK * (instance % _BLOCKS))
        if count >= _BLOCK // 2:  # a container's root: the upper half of what it has
            return cls(first + count // 2)
        return cls(None)

    def owner_namespace(self) -> int | None:
        """The user namespace in which files of the host's root are root's inside, for idmapped mounts."""
        if self.base is None:
            return None
        line = f"0 {self.base} 1"
        return make_namespace(line, line)

    def take(self) -> tuple[int, int]:
        """A slot's number and its user namespace. The namespace stays open until the process ends."""
        if self._free:
            return self._free.pop()
        slot, self._next_slot = self._next_slot, self._next_slot + 1
        if self.base is None:
            return slot, make_namespace(f"{SANDBOX_UID} 0 1", f"{SANDBOX_GID} 0 1")
        own = self.base + slot
        return slot, make_namespace(
            f"0 {self.base} 1\n{SANDBOX_UID} {own} 1", f"0 {self.base} 1\n{SANDBOX_GID} {own} 1"
        )

    def give_back(self, slot: int, namespace: int) -> None:
        """The slot's sandbox is gone: no process and no file of its user is left."""
        self._free.append((slot, namespace))


def make_namespace(uid_map: str, gid_map: str) -> int:
    """A user namespace with these maps, as a descriptor that keeps it alive. Raises OSError."""
    ready, tell_ready = os.pipe()
    released, release = os.pipe()
    child = os.fork()
    if child == 0:
        _hold_namespace(tell_ready, released, release)
    try:
        os.close(released)
        os.close(tell_ready)
        pid = os.read(ready, 32).decode()
        if not pid:
            raise OSError("no further user namespace can be made (see /proc/sys/user/max_user_namespaces)")
        for name, content in (("uid_map", uid_map), ("gid_map", gid_map)):
            with open(f"/proc/{pid}/{name}", "w") as file:
                file.write(content)
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(ready)
        os.close(release)
        os.waitpid(child, 0)


def _hold_namespace(tell_ready: int, released: int, release: int) -> NoReturn:
    """In a child: be in a new user namespace, tell under which number /proc knows us, and wait."""
    try:
        os.close(release)
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        os.write(tell_ready, os.readlink("/proc/self").encode())
        os.close(tell_ready)
        os.read(released, 1)
    finally:
        os._exit(0)


def become(user: int) -> None:
    """Enter the user namespace `user` and be the sandbox's user in it, without any supplementary group."""
    syscalls.setns(user, syscalls.CLONE_NEWUSER)
    try:
        os.setgroups([])
    except PermissionError:  # an ordinary user's namespace has setgroups denied: there are none to lose
        pass
    os.setresgid(SANDBOX_GID, SANDBOX_GID, SANDBOX_GID)
    os.setresuid(SANDBOX_UID, SANDBOX_UID, SANDBOX_UID)
