import os
import secrets
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudlet.compute.launcher.agent import cgroup_v1, cgroup_v2, cgroups
from cloudlet.compute.launcher.agent.cgroups import MIB, Limits

WRITE = """
file = os.open("/dev/shm", os.O_TMPFILE | os.O_WRONLY)
for _ in range({size_mib}):
    os.write(file, bytes(1024 * 1024))
print(flush=True)
input()
"""
ALLOCATE = "block = bytearray({size}); print(len(block), flush=True); input()"


class TestLimits:
    def test_processor_time_is_in_proportion_to_memory(self) -> None:
        assert Limits(1769 * MIB, 0).processor_shares == 1024
        assert Limits(128 * MIB, 0).processor_shares == 74
        assert Limits(10240 * MIB, 0).processor_shares == 5927

    def test_the_next_look_is_before_the_limit_can_be_passed(self) -> None:
        limits = Limits(128 * MIB, 512 * MIB)
        assert limits.next_mark(used_bytes=130 * MIB, own_bytes=28 * MIB) == 230 * MIB
        assert limits.next_mark(used_bytes=600 * MIB, own_bytes=127 * MIB) == 604 * MIB


class TestOwnFolder:
    def test_what_dead_launchers_have_left_is_removed(self, tmp_path: Path) -> None:
        dead = subprocess.Popen(["true"])
        dead.wait()
        (tmp_path / f"cloudlet-{dead.pid}" / "sandbox").mkdir(parents=True)
        (tmp_path / "cloudlet-1").mkdir()
        (tmp_path / "user.slice").mkdir()

        own = cgroups.own_folder(str(tmp_path))

        assert own == str(tmp_path / f"cloudlet-{os.getpid()}")
        assert {path.name for path in tmp_path.iterdir()} == {Path(own).name, "cloudlet-1", "user.slice"}


@pytest.fixture(scope="module")
def hierarchy() -> Iterator[cgroup_v1.HierarchyV1]:
    found = cgroup_v1.find() if "memory" in cgroup_v1.usable() else None
    if found is None:
        pytest.skip("no version 1 control groups that this user may use")
    yield found
    found.close()


@pytest.fixture
def group(hierarchy: cgroup_v1.HierarchyV1) -> Iterator[cgroup_v1.GroupV1]:
    made = hierarchy.create(secrets.token_hex(8), Limits(48 * MIB, 256 * MIB))
    yield made
    made.kill()
    made.remove()


def start_in(group: cgroups.Group, source: str) -> subprocess.Popen[str]:
    joining = [fd for _name, fd in group.join_descriptors()]
    code = f"import os\nfor fd in {joining}: os.write(fd, b'0')\n{source}"
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", code],
        pass_fds=joining, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    for fd in joining:
        os.close(fd)
    return process


def end(process: subprocess.Popen[str]) -> int:
    process.communicate("\n")
    return process.returncode


class TestVersionOne:
    def test_memory_is_measured(self, group: cgroup_v1.GroupV1) -> None:
        process = start_in(group, ALLOCATE.format(size=20 * MIB))
        assert process.stdout is not None
        process.stdout.readline()
        assert 20 * MIB < group.peak_bytes() < 40 * MIB
        assert end(process) == 0

    def test_too_much_memory_is_noticed(self, group: cgroup_v1.GroupV1) -> None:
        assert group.notifier is not None
        process = start_in(group, ALLOCATE.format(size=100 * MIB))
        assert select.select([group.notifier], [], [], 30)[0]
        assert process.stdout is not None
        process.stdout.readline()
        assert group.is_over_limit()
        assert end(process) == 0

    def test_files_are_noticed_but_are_not_too_much(self, group: cgroup_v1.GroupV1) -> None:
        assert group.notifier is not None
        process = start_in(group, WRITE.format(size_mib=80))
        assert select.select([group.notifier], [], [], 30)[0]
        assert not group.is_over_limit()
        assert process.stdout is not None
        process.stdout.readline()
        assert group.peak_bytes() < 48 * MIB
        assert end(process) == 0

    def test_the_kernel_stops_what_is_far_too_much(self, group: cgroup_v1.GroupV1) -> None:
        process = start_in(group, ALLOCATE.format(size=1000 * MIB))
        assert process.wait(60) == -signal.SIGKILL
        assert group.killed_for_memory()
        process.communicate()

    def test_all_processes_can_be_killed(self, group: cgroup_v1.GroupV1) -> None:
        process = start_in(group, "os.fork(); os.fork(); print(flush=True); input()")
        assert process.stdout is not None
        process.stdout.readline()
        group.kill()
        assert process.wait(30) == -signal.SIGKILL
        process.communicate()

    def test_processes_are_limited_and_weighed(self, group: cgroup_v1.GroupV1) -> None:
        folders = {controller: Path(folder) for controller, folder in group._folders.items()}
        assert (folders["pids"] / "pids.max").read_text().strip() == "1024"
        assert (folders["cpu"] / "cpu.shares").read_text().strip() == "27"

    def test_a_group_that_cannot_be_made_leaves_nothing(self, hierarchy: cgroup_v1.HierarchyV1) -> None:
        name = secrets.token_hex(8)
        with pytest.raises(OSError, match="Invalid argument"):
            hierarchy.create(name, Limits(-(1 << 70), 0))
        assert not any(Path(parent, name).exists() for parent in hierarchy._parents.values())


class TestVersionTwo:
    """Over a folder that looks like the kernel's: this machine may have the controllers in version 1."""

    def group(self, folder: Path, **files: str) -> cgroup_v2.GroupV2:
        for name, content in {**self.FILES, **files}.items():
            (folder / name.replace("_", ".", 1)).write_text(content)
        controllers = frozenset(("memory", "pids", "cpu"))
        return cgroup_v2.GroupV2(str(folder), Limits(128 * MIB, 512 * MIB), controllers)

    FILES = {
        "memory_max": "max", "memory_high": "max", "memory_events": "high 0\noom_kill 0\n", "pids_max": "max",
        "cpu_weight": "100", "memory_swap.max": "max", "memory_current": "0", "memory_stat": "anon 0\nfile 0\n",
        "memory_peak": "0", "cgroup_freeze": "0",
    }  # fmt: skip

    def test_limits(self, tmp_path: Path) -> None:
        self.group(tmp_path).limit()
        read = {path.name: path.read_text() for path in tmp_path.iterdir()}
        assert read["memory.max"] == str(640 * MIB)
        assert read["memory.high"] == str(128 * MIB)
        assert (read["pids.max"], read["cpu.weight"], read["memory.swap.max"]) == ("1024", "7", "0")

    def test_files_raise_the_mark(self, tmp_path: Path) -> None:
        group = self.group(tmp_path, memory_current=str(300 * MIB), memory_stat=f"anon 1\nfile {200 * MIB}\n")
        assert not group.is_over_limit()
        assert (tmp_path / "memory.high").read_text() == str(328 * MIB)

    def test_memory_over_the_limit(self, tmp_path: Path) -> None:
        group = self.group(tmp_path, memory_current=str(330 * MIB), memory_stat=f"anon 1\nfile {200 * MIB}\n")
        assert group.is_over_limit()

    def test_the_peak_is_without_files(self, tmp_path: Path) -> None:
        files = {"memory_current": str(90 * MIB), "memory_stat": f"anon 1\nfile {50 * MIB}\n"}
        assert self.group(tmp_path, memory_peak=str(120 * MIB), **files).peak_bytes() == 70 * MIB

    def test_kills_by_the_kernel(self, tmp_path: Path) -> None:
        assert not self.group(tmp_path).killed_for_memory()
        assert self.group(tmp_path, memory_events="high 3\noom_kill 1\n").killed_for_memory()


def test_a_real_group_of_version_two_can_be_frozen_and_killed() -> None:
    tops = [tree.top for tree in cgroups.mounted() if not tree.controllers and os.access(tree.top, os.W_OK)]
    if not tops:
        pytest.skip("no version 2 control groups that this user may use")
    hierarchy = cgroup_v2.HierarchyV2(tops[0], frozenset())
    group = hierarchy.create(secrets.token_hex(8), Limits(64 * MIB, 0))
    process = subprocess.Popen(["sleep", "1000"])
    described = group.for_node()
    folder = Path(described["freezer"]).parent
    (folder / "cgroup.procs").write_text(str(process.pid))
    Path(described["freezer"]).write_text(described["freeze"])
    while "frozen 1" not in (folder / "cgroup.events").read_text():
        os.sched_yield()
    group.kill()
    assert process.wait(30) == -signal.SIGKILL
    group.remove()
    hierarchy.close()
    assert not folder.exists()
