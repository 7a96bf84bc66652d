"""How much memory the node's processes take, as Linux counts it.

https://docs.kernel.org/filesystems/proc.html#proc-pid-smaps-rollup-accumulated-smaps-stats-for-all-mappings
"""

import os
from pathlib import Path

PROC = Path("/proc")


def by_role() -> dict[str, int]:
    """Bytes of this process (`node`) and of all below it (`launcher`: launcher, zygotes and sandboxes).

    Shared pages are counted in proportion to who shares them, so that the sum is what all of them take.
    """
    below = _descendants(os.getpid())
    return {"node": proportional_bytes(os.getpid()), "launcher": sum(map(proportional_bytes, below))}


def proportional_bytes(pid: int) -> int:
    """The proportional set size of a process; 0 when it is gone or not ours to see."""
    try:
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    rest = [pid]
    while rest:
        for thread in _list(PROC / str(rest.pop()) / "task"):
            try:
                children = [int(child) for child in (thread / "children").read_text().split()]
            except OSError:
                continue
            found += children
            rest += children
    return found


def _list(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
