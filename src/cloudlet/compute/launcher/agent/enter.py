"""From a fresh fork of a zygote to a process in a sandbox: every step on the way down, and none leads back up.

The order matters. Mounts, host name and network come while the process still has its zygote's rights; these
namespaces belong to the zygote's user namespace, so that no right that a sandbox could ever gain in its own is
a right over them. Then the user namespace, the user, the limits, and last the system call filter.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
from typing import Any, NamedTuple, Sequence

from . import file_copy, identity, landlock, messages, mounts, seccomp, syscalls

TELEMETRY_FD = 3
REPORT_FD = 4
CONTROL_FD = 5
EXTENSION_OUTPUT_FD = 6
SNAPSHOT_FD = 7

_NOSUID_NODEV = syscalls.MS_NOSUID | syscalls.MS_NODEV
_PROC_FLAGS = _NOSUID_NODEV | syscalls.MS_NOEXEC | syscalls.MS_RDONLY

_GIB = 1024**3
LIMITS = {
    resource.RLIMIT_CORE: (10 * _GIB, 10 * _GIB),
    resource.RLIMIT_MEMLOCK: (65536, 65536),
    resource.RLIMIT_NOFILE: (1024, 1024),
    resource.RLIMIT_NPROC: (742, 742),
    resource.RLIMIT_STACK: (8 * 1024 * 1024, resource.RLIM_INFINITY),
}
"""What a function sees on AWS (recorded from it; the documented limit of processes and threads is 1,024, which the
control group holds). A core file can only land in the sandbox's own /tmp."""
_NO_CORE = (1, 1)
"""The kernel's sign that no core is to be sent to the host's crash handler, which a limit of 0 would not stop."""


class Walls(NamedTuple):
    """What is the same for all sandboxes of a zygote, and is found out once."""

    filter_program: bytes
    landlock: int
    """The kernel's version; 0 for none."""

    @classmethod
    def build(cls) -> Walls:
        """For this machine and kernel. Raises KeyError for a machine that there is no filter for."""
        return cls(seccomp.build(), landlock.version())


class Descriptors(NamedTuple):
    """What the launcher hands to a child; None where there is none."""

    spec: int
    """What to run, as a file: the child alone may read it (see `links`)."""
    output: int
    telemetry: int | None
    control: int | None
    """The supervisor's line to the node, with extensions."""
    extension_output: int | None
    network: int | None
    user: int | None
    code: int | None
    layers: int | None
    temporary: int | None
    """The /tmp of the sandbox that this one follows, as a detached mount."""
    snapshot: int | None
    """With SnapStart: the way to say that a snapshot can be taken, or the snapshot to become."""
    files: int | None
    """The /tmp that belongs to the snapshot, if anything is in it."""
    cgroup_folder: int | None
    cgroups: Sequence[int]

    @classmethod
    def from_message(cls, names: Sequence[str], descriptors: Sequence[int]) -> Descriptors:
        """Put the descriptors of a message under the names that it lists for them; `cgroup` may come many times.

        Raises OSError when some were lost on the way.
        """
        if len(names) != len(descriptors):
            raise OSError(errno.EMFILE, "too many open files in the zygote")
        found = dict(zip(names, descriptors))
        return cls(
            found["spec"],
            found["output"],
            found.get("telemetry"),
            found.get("control"),
            found.get("extension_output"),
            found.get("network"),
            found.get("user"),
            found.get("code"),
            found.get("layers"),
            found.get("temporary"),
            found.get("snapshot"),
            found.get("files"),
            found.get("cgroup_folder"),
            [fd for name, fd in zip(names, descriptors) if name == "cgroup"],
        )


def enter(spec: dict[str, Any], descriptors: Descriptors, report: int, walls: Walls) -> None:
    """Make the calling process the one that `spec` describes. `report` ends up as REPORT_FD. Raises OSError."""
    for cgroup in descriptors.cgroups:
        os.write(cgroup, b"0")  # first, so that all memory from here on is the sandbox's own
    if descriptors.user is not None:
        _namespaces(spec, descriptors, report)
        identity.become(descriptors.user)
        syscalls.drop_bounding_set()
    else:
        _stand_alone(spec["uid"])
    _standard_descriptors(descriptors, report)
    _limits(spec)
    syscalls.drop_capabilities()
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
    os.umask(0o022)
    temporary = [spec["places"]["temporary"], "/tmp"]
    landlock.restrict(walls.landlock, temporary, devices=("/dev",), readable=spec.get("readable"))
    seccomp.install(walls.filter_program)


def _namespaces(spec: dict[str, Any], descriptors: Descriptors, report: int) -> None:
    syscalls.unshare(spec["namespaces"])
    if descriptors.network is not None:
        syscalls.setns(descriptors.network, syscalls.CLONE_NEWNET)
    syscalls.sethostname(spec["hostname"])
    if descriptors.code is not None:
        mounts.attach(descriptors.code, spec["places"]["task"])
    if descriptors.layers is not None:
        mounts.attach(descriptors.layers, "/opt")
    owner = spec["owner_uid"] or 0
    options = f"mode=1777,uid={owner},gid={owner},size="
    if descriptors.temporary is None:
        syscalls.mount("tmp", "/tmp", "tmpfs", _NOSUID_NODEV, f"{options}{spec['ephemeral_storage_mb']}m")
        if descriptors.files is not None:
            file_copy.copy_tree(descriptors.files, "/tmp", spec["uid"])
    else:
        mounts.attach(descriptors.temporary, "/tmp", _NOSUID_NODEV)
    _hand_over_temporary(spec, report)
    syscalls.mount("proc", "/proc", "proc", _PROC_FLAGS)


def _hand_over_temporary(spec: dict[str, Any], report: int) -> None:
    """Give the launcher a hold on /tmp: it outlives this sandbox when another follows it."""
    tree = syscalls.open_tree("/tmp")
    try:
        messages.send_to(report, {"t": "temporary", "id": spec["id"]}, [tree])
    finally:
        os.close(tree)


def _stand_alone(uid: int | None) -> None:
    """Without namespaces: a session of its own, and a user of its own where there can be one."""
    os.setsid()
    syscalls.drop_bounding_set()
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def _standard_descriptors(descriptors: Descriptors, report: int) -> None:
    """0 empty, 1 and 2 the output, 3 the telemetry pipe, 4 the way to report; some have also 5, 6 and 7."""
    high = [os.dup(fd) for fd in (descriptors.output, descriptors.telemetry, report) if fd is not None]
    special = (
        (descriptors.control, CONTROL_FD),
        (descriptors.extension_output, EXTENSION_OUTPUT_FD),
        (descriptors.snapshot, SNAPSHOT_FD),
    )
    beside = [
        (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, SNAPSHOT_FD + 1), place) for fd, place in special if fd is not None
    ]
    nothing = os.open("/dev/null", os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(high[0], 1)
    os.dup2(high[0], 2)
    if descriptors.telemetry is not None:
        os.dup2(high[1], TELEMETRY_FD)
    os.dup2(high[-1], REPORT_FD, inheritable=False)
    if descriptors.telemetry is None:
        os.close(TELEMETRY_FD)
    first = REPORT_FD + 1
    for fd, place in beside:
        if place > first:
            syscalls.close_range(first, place - 1)
        os.dup2(fd, place, inheritable=False)
        first = place + 1
    syscalls.close_range(first)


def _limits(spec: dict[str, Any]) -> None:
    for limit, values in LIMITS.items():
        resource.setrlimit(limit, values)
    if spec["cores_leave"]:
        resource.setrlimit(resource.RLIMIT_CORE, _NO_CORE)
    if spec["data_limit_bytes"]:
        own = spec["data_limit_bytes"] + _allocated_bytes()  # what the zygote has allocated is not the function's
        resource.setrlimit(resource.RLIMIT_DATA, (own, own))


def _allocated_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[5]) * resource.getpagesize()
