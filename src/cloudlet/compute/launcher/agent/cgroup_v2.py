"""Control groups, version 2: one tree. A child is forked into its group, because joining later waits for 5 to 15 ms.

A group that has processes of its own cannot give controllers to groups below it (except the topmost one). So we use
the launcher's own group when a service manager has delegated it and nothing but this node is in it, whose processes
we move to a group beside the sandboxes; or, as root, the topmost group.
"""

from __future__ import annotations

import os
import select
from typing import Any

from . import cgroups

_WANTED = ("memory", "pids", "cpu")
_NODE = "cloudlet-node"


class GroupV2:
    """One sandbox's folder."""

    notifier_events = select.EPOLLPRI

    def __init__(self, folder: str, limits: cgroups.Limits, controllers: frozenset[str]) -> None:
        self._folder = folder
        self._limits = limits
        self._controllers = controllers
        self.limits_memory = "memory" in controllers
        self.notifier: int | None = None

    def limit(self) -> None:
        """Set the limits, and begin to watch the memory. Raises OSError."""
        if "memory" in self._controllers:
            cgroups.write(f"{self._folder}/memory.max", self._limits.memory_bytes + self._limits.files_bytes)
            cgroups.write(f"{self._folder}/memory.high", self._limits.memory_bytes)
            if os.path.exists(f"{self._folder}/memory.swap.max"):
                cgroups.write(f"{self._folder}/memory.swap.max", 0)
            self.notifier = os.open(f"{self._folder}/memory.events", os.O_RDONLY | os.O_CLOEXEC)
        if "pids" in self._controllers:
            cgroups.write(f"{self._folder}/pids.max", cgroups.MAX_PROCESSES)
        if "cpu" in self._controllers:
            weight = max(1, 100 * self._limits.processor_shares // 1024)
            cgroups.write(f"{self._folder}/cpu.weight", min(weight, 10_000))

    def join_descriptors(self) -> list[tuple[str, int]]:
        """The folder, for clone3."""
        return [("cgroup_folder", os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))]

    def kill(self) -> None:
        """All at once, where the kernel can do that (5.14)."""
        try:
            cgroups.write(f"{self._folder}/cgroup.kill", 1)
        except FileNotFoundError:
            cgroups.kill_all(f"{self._folder}/cgroup.procs")

    def thaw(self) -> None:
        """Not needed to let it die, in this version."""
        cgroups.write(f"{self._folder}/cgroup.freeze", 0)

    def _memory(self) -> tuple[int, int]:
        used = cgroups.read_number(f"{self._folder}/memory.current")
        return used, max(0, used - cgroups.read_table(f"{self._folder}/memory.stat")["file"])

    def is_over_limit(self) -> bool:
        """Look, and raise the mark (`memory.high`) by what is files."""
        if self.notifier is not None:
            os.pread(self.notifier, 4096, 0)  # reading makes the next notification possible
        used, own = self._memory()
        if own > self._limits.memory_bytes:
            return True
        cgroups.write(f"{self._folder}/memory.high", self._limits.next_mark(used, own))
        return False

    def peak_bytes(self) -> int:
        """The highest usage, without the files that are there now."""
        if "memory" not in self._controllers:
            return 0
        used, own = self._memory()
        try:
            highest = cgroups.read_number(f"{self._folder}/memory.peak")
        except FileNotFoundError:  # Linux before 5.19
            highest = used
        return max(own, highest - (used - own))

    def killed_for_memory(self) -> bool:
        """By the count that the kernel keeps."""
        if "memory" not in self._controllers:
            return False
        return cgroups.read_table(f"{self._folder}/memory.events").get("oom_kill", 0) > 0

    def for_node(self) -> dict[str, Any]:
        """Files that the node reads and writes itself."""
        described: dict[str, Any] = {"freezer": f"{self._folder}/cgroup.freeze", "freeze": "1", "thaw": "0"}
        if "memory" in self._controllers:
            peak = f"{self._folder}/memory.peak"
            described["usage"] = f"{self._folder}/memory.current"
            described["highest"] = peak if os.path.exists(peak) else described["usage"]
            described["statistics"] = f"{self._folder}/memory.stat"
            described["files"] = "file"
        return described

    def remove(self) -> None:
        """The folder."""
        if self.notifier is not None:
            os.close(self.notifier)
            self.notifier = None
        cgroups.remove_folder(self._folder)


class HierarchyV2:
    """The part of the tree in which this launcher may make groups."""

    name = "cgroup v2"

    def __init__(self, parent: str, controllers: frozenset[str]) -> None:
        self._folder = cgroups.own_folder(parent)
        self._controllers = controllers
        if controllers:
            cgroups.write(f"{self._folder}/cgroup.subtree_control", _enabling(controllers))

    def create(self, sandbox_id: str, limits: cgroups.Limits) -> GroupV2:
        """A folder with the limits set. Raises OSError."""
        folder = f"{self._folder}/{sandbox_id}"
        os.mkdir(folder)
        group = GroupV2(folder, limits, self._controllers)
        try:
            group.limit()
        except BaseException:
            group.remove()
            raise
        return group

    def close(self) -> None:
        """Remove the launcher's own folder."""
        cgroups.remove_tree(self._folder)


def _enabling(controllers: frozenset[str]) -> str:
    return " ".join(f"+{name}" for name in sorted(controllers))


def _read_words(path: str) -> frozenset[str]:
    with open(path) as file:
        return frozenset(file.read().split())


def _is_ours(pid: str) -> bool:
    return int(pid) in (os.getpid(), os.getppid())


def _opened(folder: str, is_top: bool) -> frozenset[str]:
    """Let groups below `folder` have the controllers that we want; returns those that they have. Raises OSError."""
    wanted = _read_words(f"{folder}/cgroup.controllers").intersection(_WANTED)
    missing = wanted - _read_words(f"{folder}/cgroup.subtree_control")
    if missing:
        if not is_top:
            pids = sorted(_read_words(f"{folder}/cgroup.procs"))
            if not all(map(_is_ours, pids)):
                return frozenset()
            os.makedirs(f"{folder}/{_NODE}", exist_ok=True)
            for pid in pids:
                cgroups.write(f"{folder}/{_NODE}/cgroup.procs", pid)
        cgroups.write(f"{folder}/cgroup.subtree_control", _enabling(missing))
    return wanted


def find() -> HierarchyV2 | None:
    """None where version 2 has no controller that we want (as where version 1 has them), or we may not make groups."""
    for tree in cgroups.mounted():
        if tree.controllers:
            continue
        # A launcher that was here before may have moved the node to a group of its own.
        own = os.path.dirname(tree.own) if os.path.basename(tree.own) == _NODE else tree.own
        for folder in dict.fromkeys((own, tree.top)):
            if not os.access(folder, os.W_OK):
                continue
            # The real root of the tree has no type file, and may have processes beside its groups.
            controllers = _opened(folder, is_top=not os.path.exists(f"{folder}/cgroup.type"))
            if controllers:
                return HierarchyV2(folder, controllers)
    return None
