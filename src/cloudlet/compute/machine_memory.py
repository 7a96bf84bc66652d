"""How much memory this machine has for sandboxes, and how much of it is left: the machine's, or its container's."""

from pathlib import Path
from typing import Final

from cloudlet.config import MIB, Config

SHARE_FOR_SANDBOXES: Final = 0.75
"""The rest is for the node, the store's caches and the page cache."""


def capacity_bytes(config: Config, root: Path = Path("/")) -> int:
    """What this machine's worker may give to sandboxes. `root`: where /proc and /sys are found."""
    if config.sandbox_memory_mb:
        return config.sandbox_memory_mb * MIB
    total = _meminfo(root, "MemTotal")
    limits = [limit for limit, _ in _limits(root)]
    return int(min([total, *limits]) * SHARE_FOR_SANDBOXES)


def available_bytes(root: Path = Path("/")) -> int:
    """What programs could still be given without swapping, and without going over a container's limit."""
    left = [limit - used for limit, used in _limits(root)]
    return min([_meminfo(root, "MemAvailable"), *left])


def _limits(root: Path) -> list[tuple[int, int]]:
    """The limits of the control groups that this process is in, and what is used of each beyond the page cache."""
    found = []
    mounts = root / "sys/fs/cgroup"
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            folder, names = mounts, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            folder, names = mounts / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        # In a container the path is that of the host, and the group itself is mounted in its place.
        inner = folder / path.lstrip("/")
        found += [read for place in {folder, inner} if (read := _limit(place, *names)) is not None]
    return found


def _limit(folder: Path, limit_name: str, usage_name: str, cache_name: str) -> tuple[int, int] | None:
    limit, used = _number(folder / limit_name), _number(folder / usage_name)
    if limit is None or used is None or limit >= 1 << 60:  # version 1 has a huge number for none
        return None
    cached = {name: int(value) for name, _, value in (line.partition(" ") for line in _lines(folder / "memory.stat"))}
    return limit, used - cached.get(cache_name, 0)


def _number(file: Path) -> int | None:
    lines = _lines(file)
    return int(lines[0]) if lines and lines[0].isdigit() else None


def _meminfo(root: Path, name: str) -> int:
    for line in _lines(root / "proc/meminfo"):
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/meminfo has no {name}")


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
