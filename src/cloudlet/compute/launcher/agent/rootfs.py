"""The read-only root that a zygote lives in, and that its sandboxes inherit.

It is made once per zygote, in a mount namespace of its own:

    /usr /bin /lib ...   the host's, read-only; no set-user-id, no devices
    /etc                 made fresh: users, hosts, resolver, certificates; nothing of the host's own settings
    <prefix>             the Python installation, at its own path, its site-packages hidden
    /var/runtime         the prepared runtime folder (runtime client, boto3)
    /var/lang            links to the interpreter, where AWS has it
    /var/rapid           this package, and the init program
    /var/task /opt /tmp /proc   empty: every sandbox mounts its own there

There is no /dev/shm, as there is none on AWS: memory of files is that of /tmp alone.

A sandbox copies this namespace and attaches its few mounts: no pivot_root, no unmounting, nothing of the host in it.
"""

from __future__ import annotations

import os
import shutil
from typing import Any, Mapping, NamedTuple, Sequence

from . import identity, initprogram, mounts, syscalls

INIT_PROGRAM = "/var/rapid/init"
AGENT_PARENT = "/var/rapid"
_SYSTEM_FOLDERS = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "nix", "gnu")
DEVICES = ("null", "zero", "full", "random", "urandom")
DEVICE_ATTRIBUTES = syscalls.MOUNT_ATTR_NOSUID
DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}
_ETC_FOLDERS = ("ssl/certs", "pki/ca-trust", "pki/tls/certs", "alternatives", "fonts")
_ETC_FILES = ("ld.so.cache", "protocols", "services", "mime.types", "ssl/openssl.cnf", "pki/tls/openssl.cnf")
SYSFS_FOLDER = "sys/devices/system"
ETC_CONTENTS = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\n"
    f"{identity.SANDBOX_USER}:x:{identity.SANDBOX_UID}:{identity.SANDBOX_GID}::/home/{identity.SANDBOX_USER}:/sbin/nologin\n"
    "nobody:x:65534:65534:nobody:/:/sbin/nologin\n",
    "group": f"root:x:0:\n{identity.SANDBOX_USER}:x:{identity.SANDBOX_GID}:\nnogroup:x:65534:\n",
    "hosts": "127.0.0.1 localhost sandbox sandbox.localdomain\n::1 localhost ip6-localhost ip6-loopback\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
    "resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
    "host.conf": "multi on\n",
}
_ENTRYPOINT = '#!/bin/sh\n# As in AWS\'s images: run the runtime.\nexec /var/runtime/bootstrap "$@"\n'


class Root(NamedTuple):
    """What a zygote's root is made of."""

    name: str
    """The runtime's."""
    mountpoint: str
    """An empty folder of the host, only ever mounted at inside a private namespace."""
    agent: str
    """The folder of this package."""
    folders: Sequence[str]
    """Kept at their own paths: the interpreter's installation."""
    hidden: Sequence[str]
    """Folders below those that must look empty: site-packages."""
    runtime: str | None
    """The prepared folder for /var/runtime."""
    links: Mapping[str, str]
    """Symbolic links, as to the interpreter in /var/lang/bin: where, and to what."""
    image: str | None
    """The unpacked image whose files take the place of the host's; None for the host's."""
    layers: Sequence[str]
    """The unpacked layers of a function's image, the lowest first; empty for all other roots."""
    owner_uid: int | None
    """The host's user that is root inside, where there is one."""
    owner: int | None
    """The user namespace that maps the host's root to it."""

    @classmethod
    def of(cls, runtime: dict[str, Any], mountpoint: str, owner_uid: int | None, owner: int | None) -> Root:
        """The root for a runtime as the node describes it."""
        return cls(
            runtime["name"],
            mountpoint,
            os.path.dirname(os.path.abspath(__file__)),
            runtime.get("folders", ()),
            runtime.get("hidden", ()),
            runtime.get("folder"),
            runtime.get("links", {}),
            runtime.get("root"),
            runtime.get("layers", ()),
            owner_uid,
            owner,
        )


def enter(builder: Builder) -> None:
    """Build a root in a new mount namespace and make it the caller's. Raises OSError."""
    place = builder.root.mountpoint
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount("cloudlet", place, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "size=64m,mode=0755")
    os.umask(0o022)
    os.chdir(place)
    builder.build()
    syscalls.pivot_root(".", ".")  # the old root is now on top of the new one ...
    syscalls.unmount(".")
    os.chdir("/")
    flags = syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY | syscalls.MS_NOSUID | syscalls.MS_NODEV
    syscalls.mount(None, "/", None, flags)


class Builder:
    """Fills the new root; the current folder is the root, so all paths are relative."""

    def __init__(self, root: Root) -> None:
        self.root = root

    def build(self) -> None:
        self._system()
        self._etc()
        self._devices()
        self._proc_and_sys()
        for folder in ("tmp", "run", "root", "home", "var/tmp", "var/task/lib", "opt/lib"):
            os.makedirs(folder, exist_ok=True)
        os.chmod("tmp", 0o1777)
        for folder in self.root.folders:
            if not os.path.isdir(folder.lstrip("/")):  # else it is in /usr, which is there
                self._bind(folder)
        for folder in self.root.hidden:
            self._hide(folder)
        self._runtime()
        if self.root.owner_uid is not None:
            self._give_to(self.root.owner_uid)

    def _system(self) -> None:
        for name in _SYSTEM_FOLDERS:
            if os.path.islink(f"/{name}"):
                os.symlink(os.readlink(f"/{name}"), name)
            elif os.path.isdir(f"/{name}"):
                self._bind(f"/{name}")

    def _etc(self) -> None:
        os.makedirs("etc")
        for name, content in ETC_CONTENTS.items():
            self._write(f"etc/{name}", content)
        for name in _ETC_FILES:
            if os.path.isfile(f"/etc/{name}"):
                os.makedirs(os.path.dirname(f"etc/{name}"), exist_ok=True)
                shutil.copyfile(f"/etc/{name}", f"etc/{name}")
        for name in _ETC_FOLDERS:
            if os.path.isdir(f"/etc/{name}"):
                self._bind(f"/etc/{name}")
        for link, target in (("os-release", "../usr/lib/os-release"), ("localtime", "/usr/share/zoneinfo/UTC")):
            if os.path.exists(f"/etc/{target}" if target.startswith("..") else target):
                os.symlink(target, f"etc/{link}")

    def _devices(self) -> None:
        os.makedirs("dev")
        for name in DEVICES:
            self._write(f"dev/{name}", "")
            mounts.attach(mounts.detach(f"/dev/{name}", DEVICE_ATTRIBUTES), f"dev/{name}", DEVICE_ATTRIBUTES)
        for name, target in DEVICE_LINKS.items():
            os.symlink(target, f"dev/{name}")

    def _proc_and_sys(self) -> None:
        os.makedirs("proc")
        if self.root.owner_uid is None:
            # In a user namespace, the kernel lets a process mount proc only where it already sees one.
            mounts.attach(mounts.detach("/proc", 0), "proc", 0)
        if os.path.isdir(f"/{SYSFS_FOLDER}"):
            self._bind(f"/{SYSFS_FOLDER}")

    def _agent(self) -> None:
        os.makedirs("var/rapid/agent")
        self._attach(self.root.agent, "var/rapid/agent")
        self._write(INIT_PROGRAM.lstrip("/"), initprogram.build(self.root.owner_uid), 0o755)

    def _runtime(self) -> None:
        self._agent()
        self._write("lambda-entrypoint.sh", _ENTRYPOINT, 0o755)
        os.makedirs("var/runtime/lib")
        os.makedirs("var/lang/bin")
        for link, target in self.root.links.items():
            os.symlink(target, link.lstrip("/"))
        if self.root.runtime is not None:
            self._attach(self.root.runtime, "var/runtime")

    def _hide(self, folder: str) -> None:
        if os.path.isdir(folder.lstrip("/")):
            os.makedirs("var/empty", exist_ok=True)
            mounts.attach(mounts.detach(f"{self.root.mountpoint}/var/empty"), folder.lstrip("/"))

    def _bind(self, folder: str) -> None:
        """Show a folder of the host at its own path; the folders above it are fresh ones."""
        target = folder.lstrip("/")
        if not os.path.isdir(target):
            os.makedirs(target)
        self._attach(folder, target)

    def _attach(self, folder: str, target: str) -> None:
        mounts.attach(mounts.detach(folder, owner=self.root.owner), target)

    def _write(self, path: str, content: str | bytes, mode: int = 0o644) -> None:
        with open(path, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        os.chmod(path, mode)

    def _give_to(self, uid: int) -> None:
        """Let the fresh files belong to who is root inside; what is mounted stays as it is."""
        device = os.lstat(".").st_dev
        for folder, folders, files in os.walk("."):
            folders[:] = [name for name in folders if os.lstat(f"{folder}/{name}").st_dev == device]
            for name in (".", *folders, *files):
                if os.lstat(f"{folder}/{name}").st_dev == device:
                    os.lchown(f"{folder}/{name}", uid, uid)
