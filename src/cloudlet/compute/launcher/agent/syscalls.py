"""The system calls that Python has no function for, by ctypes. Errors are OSError with the call's name."""

from __future__ import annotations

import ctypes
import os
import platform

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MNT_DETACH = 2

OPEN_TREE_CLONE = 1
OPEN_TREE_CLOEXEC = os.O_CLOEXEC
MOVE_MOUNT_F_EMPTY_PATH = 4
AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000

MOUNT_ATTR_RDONLY = 1
MOUNT_ATTR_NOSUID = 2
MOUNT_ATTR_NODEV = 4
MOUNT_ATTR_IDMAP = 0x00100000

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

# Calls that came after 5.1 have one number on every architecture.
_OPEN_TREE = 428
_MOVE_MOUNT = 429
_CLOSE_RANGE = 436
_MOUNT_SETATTR = 442
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_KEYCTL = {"x86_64": 250, "aarch64": 219}
_KEYCTL_JOIN_SESSION_KEYRING = 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _check(name: str, result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def syscall(name: str, number: int, *arguments: object) -> int:
    """Call by number. `name` is for the error's text."""
    return _check(name, _libc.syscall(ctypes.c_long(number), *arguments))


def unshare(flags: int) -> None:
    """Move the caller into new namespaces of these kinds (CLONE_NEWPID: its next children)."""
    _check("unshare", _libc.unshare(flags))


def setns(fd: int, kind: int) -> None:
    """Move the caller into the namespace that `fd` stands for."""
    _check("setns", _libc.setns(fd, kind))


def mount(source: str | None, target: str, fstype: str | None, flags: int, data: str | None = None) -> None:
    """mount(2); paths and options as text."""

    def encoded(text: str | None) -> bytes | None:
        return None if text is None else os.fsencode(text)

    try:
        _check(
            f"mount {target}",
            _libc.mount(encoded(source), encoded(target), encoded(fstype), ctypes.c_ulong(flags), encoded(data)),
        )
    except OSError as error:
        error.filename = None
        raise


def unmount(target: str) -> None:
    """Take the mount at `target` away now, and give it up when nobody uses it any more."""
    _check(f"umount {target}", _libc.umount2(os.fsencode(target), MNT_DETACH))


def pivot_root(new_root: str, put_old: str) -> None:
    """Make `new_root` the root of this mount namespace."""
    syscall("pivot_root", _PIVOT_ROOT[platform.machine()], os.fsencode(new_root), os.fsencode(put_old))


def open_tree(path: str, flags: int = 0, directory: int = AT_FDCWD) -> int:
    """A detached copy of the mount at `path` (Linux 5.2), as a descriptor."""
    return syscall(
        f"open_tree {path}",
        _OPEN_TREE,
        ctypes.c_int(directory),
        os.fsencode(path),
        ctypes.c_uint(OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags),
    )


def move_mount(tree: int, target: str) -> None:
    """Attach the detached mount `tree` at `target`."""
    syscall(
        f"move_mount {target}",
        _MOVE_MOUNT,
        ctypes.c_int(tree),
        b"",
        ctypes.c_int(AT_FDCWD),
        os.fsencode(target),
        ctypes.c_uint(MOVE_MOUNT_F_EMPTY_PATH),
    )


class _MountAttributes(ctypes.Structure):
    _fields_ = [
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    ]


def mount_setattr(tree: int, path: str, attributes: int, flags: int = 0, user_namespace: int = 0) -> None:
    """Set attributes of a mount (Linux 5.12): of `tree` itself when `path` is empty and `flags` has AT_EMPTY_PATH."""
    wanted = _MountAttributes(attr_set=attributes, userns_fd=user_namespace)
    syscall(
        f"mount_setattr {path}",
        _MOUNT_SETATTR,
        ctypes.c_int(tree),
        os.fsencode(path),
        ctypes.c_uint(flags),
        ctypes.byref(wanted),
        ctypes.c_size_t(ctypes.sizeof(wanted)),
    )


def close_range(first: int, last: int = 0xFFFFFFFF) -> None:
    """Close every descriptor from `first` to `last` (Linux 5.9; one by one before)."""
    try:
        syscall("close_range", _CLOSE_RANGE, ctypes.c_uint(first), ctypes.c_uint(last), ctypes.c_uint(0))
    except OSError:
        os.closerange(first, min(last, os.sysconf("SC_OPEN_MAX")) + 1)


def prctl(option: int, *arguments: int) -> int:
    """prctl(2); missing arguments are 0."""
    padded = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    return _check(f"prctl {option}", _libc.prctl(ctypes.c_int(option), *padded))


def sethostname(name: str) -> None:
    """The host name in this UTS namespace."""
    encoded = name.encode()
    _check("sethostname", _libc.sethostname(encoded, ctypes.c_size_t(len(encoded))))


def leave_session_keyring() -> None:
    """Have a new, empty keyring in place of the one of the user's login. Does nothing on kernels without keyrings."""
    try:
        syscall(
            "keyctl", _KEYCTL[platform.machine()], ctypes.c_int(_KEYCTL_JOIN_SESSION_KEYRING), ctypes.c_void_p(None)
        )
    except OSError:
        pass


def drop_bounding_set() -> None:
    """Let no program ever give the caller a capability. Needs CAP_SETPCAP, so it comes before a change of user."""
    capability = 0
    while _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0:  # until the kernel knows none of this number
        capability += 1


def drop_capabilities() -> None:
    """Empty the permitted, effective, inheritable and ambient sets of the caller, for good."""
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, the caller itself
    _check("capset", _libc.capset(header, (ctypes.c_uint32 * 6)()))
