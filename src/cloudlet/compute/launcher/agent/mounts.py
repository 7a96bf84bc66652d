"""Detached mounts: a folder of the host as a descriptor, which a process in another root can attach.

So a zygote and its sandboxes never see the host's files: what they need is handed to them.
"""

from __future__ import annotations

import collections
import errno
import os
from typing import Sequence

from . import syscalls

READ_ONLY = syscalls.MOUNT_ATTR_RDONLY | syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NODEV
_SINGLE_LAYER = 1
_CACHED_MERGES = 64
# statvfs and mount(2) give the same meaning the same bit for these.
_LOCKABLE = syscalls.MS_RDONLY | syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC | 1024 | 2048


def detach(path: str, attributes: int = READ_ONLY, owner: int | None = None, recursive: bool = True) -> int:
    """A detached copy of the mount at `path`.

    `owner` is a user namespace that says as whom the files of the host's root appear; file systems that cannot do
    that (idmapped mounts) show them as nobody's.
    """
    flag = syscalls.AT_RECURSIVE if recursive else 0
    tree = syscalls.open_tree(path, flag)
    try:
        if owner is not None:
            try:
                syscalls.mount_setattr(
                    tree, "", syscalls.MOUNT_ATTR_IDMAP, syscalls.AT_EMPTY_PATH | flag, user_namespace=owner
                )
            except OSError:  # who owns the files is cosmetic: they are read-only
                pass
        try:
            syscalls.mount_setattr(tree, "", attributes, syscalls.AT_EMPTY_PATH | flag)
        except OSError as error:
            if error.errno != errno.ENOSYS:
                raise
    except BaseException:
        os.close(tree)
        raise
    return tree


def attach(tree: int, target: str, attributes: int = READ_ONLY) -> None:
    """Attach what `detach` gave at `target`, and close the descriptor."""
    try:
        syscalls.move_mount(tree, target)
    finally:
        os.close(tree)
    current = os.statvfs(target).f_flag
    if current & attributes != attributes:  # Linux before 5.12: set now what `detach` could not
        flags = syscalls.MS_REMOUNT | syscalls.MS_BIND | (current & _LOCKABLE) | attributes
        syscalls.mount(None, target, None, flags)


class Layers:
    """The mounts for /opt: one layer as it is, several merged by overlayfs, each merge made once.

    A merge stays mounted in the launcher's own namespace: before Linux 6.15 only an attached mount can be copied.
    """

    def __init__(self, staging: str, owner: int | None) -> None:
        self._staging = staging
        """A folder of the launcher's own, to make folders in."""
        self._owner = owner
        self._merged: collections.OrderedDict[tuple[str, ...], str] = collections.OrderedDict()
        self._made = 0

    def tree(self, layers: Sequence[str]) -> int:
        """A detached mount of the layers, lowest first. Raises OSError."""
        if len(layers) == _SINGLE_LAYER:
            return detach(layers[0], owner=self._owner)
        key = tuple(layers)
        if key not in self._merged:
            self._merged[key] = self._merge(key)
            if len(self._merged) > _CACHED_MERGES:
                syscalls.unmount(self._merged.popitem(last=False)[1])
        self._merged.move_to_end(key)
        return detach(self._merged[key], owner=self._owner)

    def _merge(self, layers: tuple[str, ...]) -> str:
        lower = ":".join(path.replace("\\", "\\\\").replace(":", "\\:") for path in reversed(layers))
        self._made += 1
        target = os.path.join(self._staging, f"layers-{self._made}")
        os.makedirs(target, exist_ok=True)
        syscalls.mount("overlay", target, "overlay", syscalls.MS_RDONLY, f"lowerdir={lower}")
        return target
