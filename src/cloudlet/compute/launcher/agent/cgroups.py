"""Limits of memory, processes and processor time, by whichever control groups this machine lets us use.

Both versions are behind one interface: `Hierarchy.create` makes a sandbox's group, `Group` limits and watches it.

What AWS limits is the memory of the function's processes; its /tmp is a disk of its own. Here /tmp is a tmpfs, which
the kernel counts as memory of whoever writes to it. So the kernel's hard limit is memory and /tmp together, and the
memory alone is watched: a notification when the group's usage passes the function's limit makes us look at how much
of it is files, and kill the sandbox (as the kernel's out-of-memory killer would) or raise the mark.

Processor time is shared by weight, in proportion to memory as on AWS; it is not capped, so an idle machine is fast.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from typing import Any, Callable, NamedTuple, Protocol

MIB = 1024 * 1024
MEMORY_MB_PER_VCPU = 1769
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html: one vCPU at 1,769 MB."""
MAX_PROCESSES = 1024
"""https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: processes and threads."""
_SMALLEST_STEP_BYTES = 4 * MIB
_PREFIX = "cloudlet-"
_ATTEMPTS = 50
_ATTEMPT_PAUSE_S = 0.002


class Limits(NamedTuple):
    """What one sandbox may use."""

    memory_bytes: int
    files_bytes: int
    """Memory that its /tmp may take besides."""

    @property
    def processor_shares(self) -> int:
        """1,024 for one vCPU."""
        return max(2, 1024 * self.memory_bytes // (MEMORY_MB_PER_VCPU * MIB))

    def next_mark(self, used_bytes: int, own_bytes: int) -> int:
        """The usage at which to look again: it cannot be over the limit before."""
        return used_bytes + max(self.memory_bytes - own_bytes, _SMALLEST_STEP_BYTES)


class Group(Protocol):
    """One sandbox's control group."""

    notifier: int | None
    """A descriptor that shows when the memory must be looked at."""
    notifier_events: int
    """What to poll it for."""
    limits_memory: bool
    """False where this machine lets us limit other things only."""

    def join_descriptors(self) -> list[tuple[str, int]]:
        """Descriptors for the child, ours to close: `cgroup` to write `0` to, or `cgroup_folder` to be forked into."""

    def kill(self) -> None:
        """End every process in it."""

    def thaw(self) -> None:
        """Let it run, or die, if the node has frozen it."""

    def is_over_limit(self) -> bool:
        """Look at the memory, as `notifier` asks for: is it more than the sandbox may use?"""

    def peak_bytes(self) -> int:
        """The most memory that it has used."""

    def killed_for_memory(self) -> bool:
        """True when the kernel has killed one of its processes for want of memory."""

    def for_node(self) -> dict[str, Any]:
        """Where the node can read the peak, and freeze."""

    def remove(self) -> None:
        """Its last process is gone."""


class Hierarchy(Protocol):
    """Where groups can be made."""

    name: str

    def create(self, sandbox_id: str, limits: Limits) -> Group:
        """A new group. Raises OSError."""

    def close(self) -> None:
        """Remove what this launcher has made, whatever state it is in. May be called twice."""


def read_number(path: str) -> int:
    """The number in a control file; `max` is a very large one."""
    with open(path) as file:
        text = file.read().strip()
    return (1 << 62) if text == "max" else int(text)


def read_table(path: str) -> dict[str, int]:
    """The `name value` lines of a control file."""
    with open(path) as file:
        return {name: int(value) for name, value in (line.split() for line in file)}


def write(path: str, value: object) -> None:
    """Set a control file."""
    fd = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    try:
        os.write(fd, str(value).encode())
    finally:
        os.close(fd)


def kill_all(processes: str) -> None:
    """Kill whatever the file `processes` lists, until it lists nothing."""
    for _ in range(_ATTEMPTS):
        with open(processes) as file:
            pids = [int(line) for line in file]
        if not any(pids):  # 0 is a process of another namespace, whose first process takes it along
            return
        for pid in filter(None, pids):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(_ATTEMPT_PAUSE_S)


def remove_folder(path: str) -> None:
    """Remove a group. Its processes are gone, but the kernel may need a moment to see it."""
    for _ in range(_ATTEMPTS):
        try:
            os.rmdir(path)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            time.sleep(_ATTEMPT_PAUSE_S)
        else:
            return


def own_folder(parent: str) -> str:
    """The folder of this launcher's groups below `parent`, after those of dead launchers are removed."""
    for name in os.listdir(parent):
        pid = name[len(_PREFIX) :]
        if name.startswith(_PREFIX) and pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
            remove_tree(os.path.join(parent, name))
    folder = os.path.join(parent, f"{_PREFIX}{os.getpid()}")
    os.makedirs(folder, exist_ok=True)
    return folder


def remove_tree(folder: str) -> None:
    """Remove what a dead launcher has left. Its sandboxes have been killed; but what is frozen dies when it thaws."""
    try:
        for name in os.listdir(folder):
            if os.path.isdir(os.path.join(folder, name)):
                remove_tree(os.path.join(folder, name))
        if os.path.exists(f"{folder}/freezer.state"):
            write(f"{folder}/freezer.state", "THAWED")
        remove_folder(folder)
    except OSError:  # another user's, or still in use: not ours to insist
        pass


def detect() -> Hierarchy | None:
    """The control groups that this process may use, or None."""
    from . import cgroup_v1, cgroup_v2

    makers: list[Callable[[], Hierarchy | None]] = [cgroup_v2.find, cgroup_v1.find]
    for make in makers:
        try:
            hierarchy = make()
        except OSError:
            continue
        if hierarchy is not None:
            return hierarchy
    return None


class Mounted(NamedTuple):
    """A mounted control group file system, as this process sees it."""

    controllers: frozenset[str]
    """Empty for version 2, which lists them in a file."""
    own: str
    """The folder of this process's own group."""
    top: str
    """The folder of the topmost group that is to be seen."""


def mounted() -> list[Mounted]:
    """All that are mounted, from /proc/self/mountinfo and /proc/self/cgroup."""
    with open("/proc/self/cgroup") as file:
        entries = [line.rstrip("\n").split(":", 2) for line in file]
    own_paths = {frozenset(names.split(",")) - {""}: path for _number, names, path in entries}
    result = []
    with open("/proc/self/mountinfo") as file:
        lines = [line.split() for line in file]
    for fields in lines:
        kind, options = fields[fields.index("-") + 1], fields[-1]
        if kind not in ("cgroup", "cgroup2"):
            continue
        controllers = frozenset() if kind == "cgroup2" else frozenset(options.split(",")) - {"rw", "ro"}
        own = own_paths.get(controllers)
        if own is not None:
            root, target = fields[3].rstrip("/"), fields[4]
            below = own[len(root) :] if own.startswith(root) else "/"
            result.append(Mounted(controllers, os.path.normpath(target + "/" + below), target))
    return result
