import os
import struct
import subprocess
from pathlib import Path

import pytest

from cloudlet.compute.launcher.agent import initprogram


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "init"
    path.write_bytes(initprogram.build(None))
    path.chmod(0o755)
    return path


def test_it_ends_when_the_pipe_is_closed(program: Path) -> None:
    process = subprocess.Popen([program], stdin=subprocess.PIPE)
    assert process.stdin is not None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.05)
    process.stdin.close()
    assert process.wait(10) == 0


def test_it_takes_no_memory_to_speak_of(program: Path) -> None:
    process = subprocess.Popen([program], stdin=subprocess.PIPE)
    assert process.stdin is not None
    with process, process.stdin:
        while "init" not in Path(f"/proc/{process.pid}/cmdline").read_text():
            os.sched_yield()
        status = Path(f"/proc/{process.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        assert int(fields["VmRSS"].split()[0]) <= 64  # kB
        assert fields["NoNewPrivs"].strip() == "1"
        assert int(fields["SigIgn"], 16) & (1 << 16)  # SIGCHLD


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_it_gives_up_its_user(tmp_path: Path) -> None:
    path = tmp_path / "init"
    path.write_bytes(initprogram.build(1_234_567_890))
    path.chmod(0o755)
    process = subprocess.Popen([path], stdin=subprocess.PIPE)
    assert process.stdin is not None
    with process, process.stdin:
        while "Uid:\t0" in Path(f"/proc/{process.pid}/status").read_text():
            os.sched_yield()
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
        assert fields["Uid"].split() == fields["Gid"].split() == ["1234567890"] * 4
        assert fields["Groups"].split() == []
        assert int(fields["CapPrm"], 16) == 0


# What the assembler of binutils makes of the same program, uid 7 (aarch64-linux-gnu-as, objdump -d).
AARCH64 = [
    0xD2800220, 0xF2A00000,  # mov x0, #17
]  # fmt: skip


def test_the_other_machine_has_a_program_too() -> None:
    elf = initprogram.build(7, "aarch64")
    kind, machine = struct.unpack_from("<HH", elf, 16)
    entry = struct.unpack_from("<Q", elf, 24)[0]
    code = elf[entry - 0x400000 :]
    words = struct.unpack(f"<{len(code) // 4}I", code)
    assert (kind, machine) == (2, 183)
    assert list(words[:2]) == AARCH64
    assert words.count(0xD4000001) == 7  # svc #0
    assert 0x910003E1 in words  # mov x1, sp


def test_a_strange_machine_has_none() -> None:
    with pytest.raises(KeyError):
        initprogram.build(None, "sparc")
