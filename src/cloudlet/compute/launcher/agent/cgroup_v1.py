"""Control groups, version 1: a tree per controller. A child joins by `tasks`, which does not wait for the others."""

from __future__ import annotations

import os
import select
from typing import Any

from . import cgroups
from .memory_marks import MemoryMarks

_WANTED = ("memory", "pids", "cpu", "freezer")
_FREEZE, _THAW = "FROZEN", "THAWED"


class GroupV1:
    """One sandbox's folders."""

    notifier_events = select.EPOLLIN

    def __init__(self, folders: dict[str, str], limits: cgroups.Limits, marks: MemoryMarks | None) -> None:
        self._folders = folders
        self._marks = marks
        self.limits_memory = marks is not None
        self._limits = limits
        self.notifier: int | None = None
        try:
            for folder in folders.values():
                os.mkdir(folder)
            self._limit()
            if marks is not None:
                self.notifier = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
                marks.set(folders["memory"], limits.memory_bytes, self.notifier)
        except BaseException:
            self.remove()
            raise

    def _set(self, controller: str, file: str, value: object) -> None:
        if controller in self._folders:
            cgroups.write(f"{self._folders[controller]}/{file}", value)

    def _limit(self) -> None:
        hard = self._limits.memory_bytes + self._limits.files_bytes
        self._set("memory", "memory.limit_in_bytes", hard)
        if "memory" in self._folders and os.path.exists(f"{self._folders['memory']}/memory.memsw.limit_in_bytes"):
            self._set("memory", "memory.memsw.limit_in_bytes", hard)
        self._set("pids", "pids.max", cgroups.MAX_PROCESSES)
        self._set("cpu", "cpu.shares", self._limits.processor_shares)

    def join_descriptors(self) -> list[tuple[str, int]]:
        """`tasks` of every tree."""
        return [("cgroup", os.open(f"{folder}/tasks", os.O_WRONLY | os.O_CLOEXEC)) for folder in self._folders.values()]

    def kill(self) -> None:
        """One by one, until none is left: they may go on forking meanwhile."""
        cgroups.kill_all(f"{next(iter(self._folders.values()))}/cgroup.procs")

    def thaw(self) -> None:
        """What is frozen cannot die."""
        self._set("freezer", "freezer.state", _THAW)

    def _memory(self) -> tuple[int, int]:
        """All that is used, and what of it is not files."""
        folder = self._folders["memory"]
        used = cgroups.read_number(f"{folder}/memory.usage_in_bytes")
        return used, max(0, used - cgroups.read_table(f"{folder}/memory.stat")["cache"])

    def is_over_limit(self) -> bool:
        """Look, and set the next mark."""
        if self.notifier is None or self._marks is None:
            return False
        os.eventfd_read(self.notifier)
        used, own = self._memory()
        if own > self._limits.memory_bytes:
            return True
        self._marks.set(self._folders["memory"], self._limits.next_mark(used, own), self.notifier)
        return False

    def peak_bytes(self) -> int:
        """The highest usage, without the files that are there now."""
        if "memory" not in self._folders:
            return 0
        used, own = self._memory()
        highest = cgroups.read_number(f"{self._folders['memory']}/memory.max_usage_in_bytes")
        return max(own, highest - (used - own))

    def killed_for_memory(self) -> bool:
        """By the count that the kernel keeps."""
        if "memory" not in self._folders:
            return False
        return cgroups.read_table(f"{self._folders['memory']}/memory.oom_control").get("oom_kill", 0) > 0

    def for_node(self) -> dict[str, Any]:
        """Files that the node reads and writes itself."""
        described: dict[str, Any] = {}
        if "memory" in self._folders:
            folder = self._folders["memory"]
            described["highest"] = f"{folder}/memory.max_usage_in_bytes"
            described["usage"] = f"{folder}/memory.usage_in_bytes"
            described["statistics"] = f"{folder}/memory.stat"
            described["files"] = "cache"
        if "freezer" in self._folders:
            described["freezer"] = f"{self._folders['freezer']}/freezer.state"
            described["freeze"], described["thaw"] = _FREEZE, _THAW
        return described

    def remove(self) -> None:
        """All folders."""
        if self.notifier is not None:
            os.close(self.notifier)
            self.notifier = None
        for folder in self._folders.values():
            cgroups.remove_folder(folder)


class HierarchyV1:
    """The trees of version 1 in which this launcher may make groups."""

    name = "cgroup v1"

    def __init__(self, parents: dict[str, str]) -> None:
        self._marks = MemoryMarks() if "memory" in parents else None
        self._parents = {controller: cgroups.own_folder(parent) for controller, parent in parents.items()}

    def create(self, sandbox_id: str, limits: cgroups.Limits) -> GroupV1:
        """A folder in every tree. Raises OSError."""
        return GroupV1({name: f"{parent}/{sandbox_id}" for name, parent in self._parents.items()}, limits, self._marks)

    def close(self) -> None:
        """Remove the launcher's own folders."""
        if self._marks is not None:
            self._marks.close()
        for parent in self._parents.values():
            cgroups.remove_tree(parent)


def usable() -> dict[str, str]:
    """The controllers that this process may make groups of, with the folder to make them in."""
    found = {}
    for tree in cgroups.mounted():
        for controller in tree.controllers.intersection(_WANTED):
            if os.access(tree.own, os.W_OK):
                found[controller] = tree.own
    return found


def find() -> HierarchyV1 | None:
    """None where not even processes can be counted."""
    parents = usable()
    return HierarchyV1(parents) if parents else None
