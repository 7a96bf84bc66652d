"""The root of functions that are container images: its layers, laid over each other in place of the host's files.

    skeleton    ours, on top: /dev /proc /sys /tmp /etc/hosts /etc/resolv.conf /var/rapid ...
    layer n     the image's, the highest first: folders of the host, mounted, never copied
    ...
    layer 0

They become one read-only file system (overlayfs) that a zygote and its sandboxes have as their root. The image is
somebody's content: none of its links is ever followed before it is the root. Needs Linux 5.11 or newer.
https://docs.kernel.org/filesystems/overlayfs.html
"""

from __future__ import annotations

import os
import stat

from . import initprogram, mounts, rootfs, syscalls

_FLAGS = syscalls.MS_RDONLY | syscalls.MS_NOSUID | syscalls.MS_NODEV
_FOLDERS = ("dev", "proc", rootfs.SYSFS_FOLDER, "tmp", "etc", "var/rapid", "var/tmp")
_OUR_SETTINGS = ("hosts", "resolv.conf", "host.conf")
_USERS = ("passwd", "group")
_MOST_USERS_BYTES = 1024 * 1024


class ContainerBuilder(rootfs.Builder):
    """Makes the new root from unpacked layers. Afterwards the current folder is that root."""

    def build(self) -> None:
        os.mkdir("skeleton")
        os.chdir("skeleton")
        self._skeleton()
        if self.root.owner_uid is not None:
            self._give_to(self.root.owner_uid)
        os.chdir("..")
        self._mount_layers()
        os.chdir("root")
        self._mount_devices()

    def _skeleton(self) -> None:
        for folder in _FOLDERS:
            os.makedirs(folder)
        for folder in ("tmp", "var/tmp"):
            os.chmod(folder, 0o1777)
        for name in rootfs.DEVICES:
            self._write(f"dev/{name}", "")
        for name, target in rootfs.DEVICE_LINKS.items():
            os.symlink(target, f"dev/{name}")
        for name in _OUR_SETTINGS:
            self._write(f"etc/{name}", rootfs.ETC_CONTENTS[name])
        for name in _USERS:
            self._write(f"etc/{name}", _joined(self._of_image("etc", name), rootfs.ETC_CONTENTS[name].encode()))
        self._write(rootfs.INIT_PROGRAM.lstrip("/"), initprogram.build(self.root.owner_uid), 0o755)

    def _mount_layers(self) -> None:
        """Below short names: all of them together have to fit in one page."""
        os.makedirs("layers")
        lower = ["skeleton"]
        for number, layer in reversed(list(enumerate(self.root.layers))):
            place = f"layers/{number}"
            os.mkdir(place)
            self._attach(layer, place)
            lower.append(place)
        os.mkdir("root")
        syscalls.mount("overlay", "root", "overlay", _FLAGS, f"lowerdir={':'.join(lower)},userxattr")

    def _mount_devices(self) -> None:
        for name in rootfs.DEVICES:
            attributes = rootfs.DEVICE_ATTRIBUTES
            mounts.attach(mounts.detach(f"/dev/{name}", attributes), f"dev/{name}", attributes)
        if self.root.owner_uid is None:
            # In a user namespace, the kernel lets a process mount proc only where it already sees one.
            mounts.attach(mounts.detach("/proc", 0), "proc", 0)
        if os.path.isdir(f"/{rootfs.SYSFS_FOLDER}"):
            self._attach(f"/{rootfs.SYSFS_FOLDER}", rootfs.SYSFS_FOLDER)

    def _of_image(self, folder: str, name: str) -> bytes:
        """A small file as the image has it; empty for none."""
        for layer in reversed(self.root.layers):
            content = _read(os.path.join(layer, folder), name)
            if content is not None:
                return content
        return b""


def _read(folder: str, name: str) -> bytes | None:
    """A plain file in a folder that is no link; None for anything else."""
    try:
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)
    except OSError:
        return None
    finally:
        os.close(place)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        return file.read(_MOST_USERS_BYTES)


def _joined(theirs: bytes, ours: bytes) -> bytes:
    """The users (or groups) of an image, and those of ours whose names it has not."""
    names = {line.split(b":")[0] for line in theirs.splitlines()}
    added = [line for line in ours.splitlines() if line.split(b":")[0] not in names]
    return b"\n".join([*theirs.splitlines(), *added]) + b"\n"
