"""How much memory there is, on machines and in containers."""

from pathlib import Path

import pytest

from cloudlet.compute.machine_memory import available_bytes, capacity_bytes
from cloudlet.config import MIB, Config

GIB = 1024 * MIB
MEMINFO = "MemTotal:       16777216 kB\nMemFree:  1 kB\nMemAvailable:    8388608 kB\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine of 16 GB of which 8 are left."""
    write(tmp_path, {"proc/meminfo": MEMINFO, "proc/self/cgroup": "0::/\n"})
    return tmp_path


def write(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


def test_sandboxes_get_three_quarters_of_the_machine(root: Path) -> None:
    assert capacity_bytes(Config(), root) == 12 * GIB
    assert available_bytes(root) == 8 * GIB


def test_the_configuration_decides_when_it_says_something(root: Path) -> None:
    assert capacity_bytes(Config(sandbox_memory_mb=2048), root) == 2 * GIB


def test_a_containers_limit_is_the_machines(root: Path) -> None:
    write(
        root,
        {
            "sys/fs/cgroup/memory.max": f"{4 * GIB}\n",
            "sys/fs/cgroup/memory.current": f"{3 * GIB}\n",
            "sys/fs/cgroup/memory.stat": f"anon 1\ninactive_file {GIB}\n",
        },
    )
    assert capacity_bytes(Config(), root) == 3 * GIB
    assert available_bytes(root) == 2 * GIB


def test_the_limit_of_the_nodes_own_group_counts_too(root: Path) -> None:
    write(
        root,
        {
            "proc/self/cgroup": "4:memory:/service\n1:cpu:/\n0::/\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{(1 << 63) - 4096}\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "5\n",
            "sys/fs/cgroup/memory/service/memory.limit_in_bytes": f"{8 * GIB}\n",
            "sys/fs/cgroup/memory/service/memory.usage_in_bytes": f"{7 * GIB}\n",
        },
    )
    assert capacity_bytes(Config(), root) == 6 * GIB
    assert available_bytes(root) == GIB


def test_a_group_without_a_limit_is_none(root: Path) -> None:
    write(root, {"sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/memory.current": "5\n"})
    assert capacity_bytes(Config(), root) == 12 * GIB


def test_this_machine_has_memory() -> None:
    assert 0 < available_bytes() <= capacity_bytes(Config()) * 2
