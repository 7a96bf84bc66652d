"""A process that is kept and becomes another one, without launcher and sandbox around it."""

import json
import os
import select
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.compute.launcher.agent import (
    checkpoint_code,
    checkpoint_reader,
    checkpoint_state,
    checkpoint_writer,
    file_copy,
)
from cloudlet.compute.launcher.agent.checkpoint_writer import Mapping, _runs

GIB = 1 << 30
supported = pytest.mark.skipif(not checkpoint_code.is_supported(), reason="there is code for x86-64 only")


class Kept:
    """A fork of this process that has stopped in `save`, and copies of it."""

    def __init__(self, prepare: Callable[[], Any], woken: Callable[[Any], Any]) -> None:
        self._answers, self._answer = os.pipe()
        line, offered = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.parent = os.fork()
        if self.parent == 0:
            self._be_kept(prepare, woken, offered)
        offered.close()
        self.child = int(line.recv(100))
        self.description = json.loads(line.recv(1 << 17))
        assert len(line.recv(1)) == 1
        line.close()
        self.file = os.memfd_create("kept", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self.json = (0, 0)

    def write(self, limit_bytes: int = GIB) -> "Kept":
        """Have it in the file."""
        writer = checkpoint_writer.Writer(self.child, os.getpid(), self.file, limit_bytes)
        self.json = writer.write(self.description)
        return self

    def _be_kept(self, prepare: Callable[[], Any], woken: Callable[[Any], Any], offered: socket.socket) -> None:
        try:
            state = prepare()
            description = checkpoint_state.describe(
                [0, 1, 2, self._answers, self._answer, offered.fileno(), *_inherited()]
            )
            child = os.fork()  # what is kept is a child, as in a sandbox
            if child != 0:
                os.waitpid(child, 0)
                os._exit(0)
            area = checkpoint_code.Area()
            offered.send(str(os.getpid()).encode())
            offered.send(json.dumps({**description, "registers": area.registers}).encode())
            area.save(offered.fileno())
            os.write(self._answer, json.dumps(woken(state)).encode())
        finally:
            os._exit(0)

    def become(self) -> Any:
        """What a copy says."""
        pid = os.fork()
        if pid == 0:
            try:
                checkpoint_reader.become(os.dup(self.file), *self.json)
            finally:
                os._exit(1)
        assert os.waitpid(pid, 0)[1] == 0
        return json.loads(os.read(self._answers, 1 << 16))

    def close(self) -> None:
        os.kill(self.child, 9)
        os.waitpid(self.parent, 0)
        for fd in (self.file, self._answers, self._answer):
            os.close(fd)


def _inherited() -> list[int]:
    """Descriptors of the test's own process."""
    return [int(path.name) for path in Path("/proc/self/fd").iterdir()]


Keep = Callable[..., Kept]


@pytest.fixture
def keep() -> Iterator[Keep]:
    made: list[Kept] = []

    def keep(prepare: Callable[[], Any], woken: Callable[[Any], Any]) -> Kept:
        made.append(Kept(prepare, woken))
        return made[-1]

    yield keep
    for each in made:
        each.close()


@supported
def test_copies_go_on_from_where_it_stopped_each_for_itself(keep: Keep) -> None:
    def count(state: dict[str, Any]) -> Any:
        state["many"].append(len(state["many"]))
        return [len(state["many"]), state["many"][-1], state["text"][-3:], os.getpid()]

    kept = keep(lambda: {"many": list(range(100_000)), "text": "x" * 1_000_000 + "end"}, count).write()
    first, second = kept.become(), kept.become()
    assert first[:3] == second[:3] == [100_001, 100_000, "end"]
    assert first[3] != second[3]


@supported
def test_the_file_is_sealed(keep: Keep) -> None:
    kept = keep(lambda: 1, lambda state: state).write()
    with pytest.raises(PermissionError):
        os.pwrite(kept.file, b"x", 0)
    assert kept.become() == 1


@supported
def test_a_process_that_has_ended_cannot_be_kept(keep: Keep) -> None:
    kept = keep(lambda: 1, lambda state: state)
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    with pytest.raises(OSError, match=str(pid)):
        checkpoint_writer.Writer(pid, os.getpid(), kept.file, GIB)


@supported
def test_there_is_a_limit_to_what_is_kept(keep: Keep) -> None:
    kept = keep(lambda: bytearray(os.urandom(1 << 20)) * 10, lambda state: 1)
    with pytest.raises(checkpoint_writer.TooMuch, match="larger than it may be"):
        kept.write(10 << 20)


def test_runs_of_pages_are_joined_over_short_gaps() -> None:
    used = [False, True, True, False, False, True, False, False, False, True]
    assert list(_runs(used, 0)) == [(1, 2), (5, 1), (9, 1)]
    assert list(_runs(used, 2)) == [(1, 5), (9, 1)]
    assert list(_runs(used, 9)) == [(1, 9)]
    assert list(_runs([], 0)) == []


@pytest.mark.parametrize(
    ("path", "rights", "is_file", "is_shared"),
    [
        ("/usr/lib/libc.so.6", "r-xp", True, False),
        ("/memfd:x (deleted)", "rw-p", False, False),
        ("/dev/zero (deleted)", "rw-s", False, True),
        ("/dev/shm/sem.x", "rw-s", False, True),
        ("[heap]", "rw-p", False, False),
        ("", "rw-p", False, False),
    ],
)
def test_mappings_are_told_apart(path: str, rights: str, is_file: bool, is_shared: bool) -> None:
    mapping = Mapping(0, 4096, rights, 0, "1", path)
    assert (mapping.is_file, mapping.is_shared) == (is_file, is_shared)


@pytest.mark.parametrize(("rights", "protection"), [("---p", 0), ("r--p", 1), ("rw-p", 3), ("r-xp", 5), ("rwxp", 7)])
def test_rights_are_the_kernels_numbers(rights: str, protection: int) -> None:
    assert Mapping(0, 4096, rights, 0, "0", "").protection == protection


@supported
def test_an_entry_is_a_call_with_six_arguments() -> None:
    assert struct.unpack("<8Q", checkpoint_code.entry("close", 7)) == (3, 7, 0, 0, 0, 0, 0, 0)
    assert struct.unpack("<8Q", checkpoint_code.copy_entry(1, 2, 3)) == (checkpoint_code.COPY, 1, 2, 3, 0, 0, 0, 0)


def test_machines_without_code_are_known() -> None:
    assert checkpoint_code.is_supported("x86_64")
    assert not checkpoint_code.is_supported("riscv64")


def described(*descriptors: int) -> list[dict[str, Any]]:
    """These descriptors of this process, and no others."""
    others = [fd for fd in _inherited() if fd not in descriptors]
    listed: list[dict[str, Any]] = checkpoint_state.describe(others)["descriptors"]
    return listed


@supported
def test_sockets_pipes_and_polls_are_described(tmp_path: Path) -> None:
    one, other = socket.socketpair()
    pipe = os.pipe()
    poll = select.epoll()
    poll.register(other, select.EPOLLIN)
    file = (tmp_path / "file").open("a+")
    try:
        file.write("12345")
        file.flush()
        found = {
            each["fd"]: each for each in described(one.fileno(), other.fileno(), *pipe, poll.fileno(), file.fileno())
        }
    finally:
        for each in (one, other, poll, file):
            each.close()
    kinds = sorted(each["kind"] for each in found.values())
    assert kinds == ["file", "pair", "pair", "pipe", "pipe", "poll"]
    pairs = [each for each in found.values() if each["kind"] == "pair"]
    assert pairs[0]["peer"] == pairs[1]["fd"]
    assert next(each for each in found.values() if each["kind"] == "file")["offset"] == 5
    for fd in pipe:
        os.close(fd)


@supported
def test_a_socket_whose_other_end_is_elsewhere_is_a_lost_connection() -> None:
    one, other = socket.socketpair()
    child = os.fork()
    if child == 0:
        one.close()
        other.recv(1)
        os._exit(0)
    other.close()
    try:
        assert [each["kind"] for each in described(one.fileno())] == ["connection"]
    finally:
        one.close()
        os.waitpid(child, 0)


@supported
def test_what_cannot_be_made_again_is_named() -> None:
    fd = os.pidfd_open(os.getpid())
    try:
        with pytest.raises(checkpoint_state.CannotBeKept, match=rf"file descriptor {fd} \(.*pidfd"):
            described(fd)
    finally:
        os.close(fd)


def test_a_tree_is_copied_without_following_its_links(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "folder" / "empty").mkdir(parents=True)
    (source / "folder" / "file").write_bytes(b"content")
    (source / "folder" / "file").chmod(0o4640)
    (source / "out").symlink_to("/etc")
    (source / "passwd").symlink_to("/etc/passwd")
    os.mkfifo(source / "fifo")
    target.mkdir()
    fd = os.open(source, os.O_RDONLY | os.O_DIRECTORY)
    try:
        file_copy.copy_tree(fd, str(target), None)
    finally:
        os.close(fd)
    assert sorted(str(path.relative_to(target)) for path in target.rglob("*")) == [
        "folder",
        "folder/empty",
        "folder/file",
        "out",
        "passwd",
    ]
    assert (target / "folder" / "file").read_bytes() == b"content"
    assert (target / "folder" / "file").stat().st_mode & 0o7777 == 0o640
    assert str((target / "out").readlink()) == "/etc"
