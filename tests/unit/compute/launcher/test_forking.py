import os
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudlet.compute.launcher.agent import cgroups, forking


def exit_status(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_without_a_group_it_is_an_ordinary_fork() -> None:
    pid = forking.fork_into(None)
    if pid == 0:
        os._exit(7)
    assert exit_status(pid) == 7


@pytest.fixture
def group() -> Iterator[Path]:
    trees = [Path(tree.top) for tree in cgroups.mounted() if not tree.controllers and os.access(tree.top, os.W_OK)]
    if not trees:
        pytest.skip("no version 2 control groups that this user may use")
    folder = trees[0] / f"cloudlet-test-{secrets.token_hex(4)}"
    folder.mkdir()
    yield folder
    cgroups.remove_folder(str(folder))


def test_the_child_starts_in_the_group(group: Path) -> None:
    fd = os.open(group, os.O_RDONLY | os.O_DIRECTORY)
    read_end, write_end = os.pipe()
    pid = forking.fork_into(fd)
    if pid == 0:
        os.write(write_end, Path("/proc/self/cgroup").read_bytes())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as file:
        entries = file.read().splitlines()
    assert exit_status(pid) == 0
    assert any(entry.startswith("0::") and entry.endswith(group.name) for entry in entries)
    os.close(fd)


def test_the_child_is_a_whole_process(group: Path) -> None:
    """It has the right thread id, can start threads and fork, and draws random numbers of its own."""
    fd = os.open(group, os.O_RDONLY | os.O_DIRECTORY)
    pid = forking.fork_into(fd)
    if pid == 0:
        status = 1
        try:
            lock = threading.RLock()
            with lock:
                thread = threading.Thread(target=lambda: None)
                thread.start()
                thread.join()
            grandchild = os.fork()
            if grandchild == 0:
                os._exit(3)
            assert exit_status(grandchild) == 3
            assert threading.get_native_id() == os.getpid()
            status = 0
        finally:
            os._exit(status)
    assert exit_status(pid) == 0
    os.close(fd)


def test_a_group_that_is_none_is_an_error(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    with pytest.raises(OSError, match="clone3"):
        forking.fork_into(fd)
    os.close(fd)
