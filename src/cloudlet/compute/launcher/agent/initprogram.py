"""The first process of every sandbox: a program of some hundred bytes, assembled here.

A pid namespace lives as long as its process 1, and ends, with all that is in it, when process 1 ends. If the runtime
itself were process 1, signals without a handler would not reach it, orphans would become its zombies, and a function
that ends itself would behave unlike AWS. So process 1 is a program that

    gives up its user and its rights, reads a pipe that never has a byte, and exits when the pipe is closed.

The pipe's other end is held by the zygote alone: when that dies, in whatever way, every sandbox goes with it.
Zombies are none of its work: it ignores SIGCHLD, and then the kernel reaps by itself.

Rejected: a second forked Python (half a megabyte of private memory and a millisecond for each sandbox), `sleep` from
coreutils (a dynamic program: 1 ms, and it cannot give up root), a compiled program (needs a compiler or binaries in
the repository).
"""

from __future__ import annotations

import platform
import struct
from typing import Sequence, Union

_Argument = Union[int, str]
_STACK = "stack"
"""Stands for the stack pointer in a call's arguments: room to read one byte into."""
_BASE_ADDRESS = 0x400000
_HEADERS_BYTES = 64 + 2 * 56
_IGNORE = struct.pack("<QQQQ", 1, 0, 0, 0)
"""The kernel's struct sigaction: SIG_IGN, no flags, no mask. It lies between the headers and the code."""


_STACK_TO = {b"\xbe": b"\x48\x89\xe6"}  # mov rsi, rsp


def _x86_64(number: int, arguments: Sequence[_Argument]) -> bytes:
    load = (b"\xbf", b"\xbe", b"\xba", b"\x41\xba", b"\x41\xb8")  # mov edi/esi/edx/r10d/r8d, imm32
    code = b""
    for opcode, argument in zip(load, arguments):
        if argument == _STACK:
            code += _STACK_TO[opcode]
        else:
            code += opcode + struct.pack("<I", argument)
    return code + b"\xb8" + struct.pack("<I", number) + b"\x0f\x05"  # mov eax, number; syscall


def _aarch64(number: int, arguments: Sequence[_Argument]) -> bytes:
    def load(register: int, value: int) -> bytes:
        movz = 0xD2800000 | (value & 0xFFFF) << 5 | register
        movk = 0xF2A00000 | (value >> 16) << 5 | register
        return struct.pack("<II", movz, movk)

    code = b""
    for register, argument in enumerate(arguments):
        if argument == _STACK:
            code += struct.pack("<I", 0x91000000 | 31 << 5 | register)  # add xN, sp, #0
        else:
            code += load(register, int(argument))
    return code + load(8, number) + struct.pack("<I", 0xD4000001)  # svc #0


# Per machine: the assembler, ELF's number for it, and the numbers of the calls.
_CALLS = ("read", "rt_sigaction", "prctl", "setgroups", "setresuid", "setresgid", "exit_group")
_MACHINES = {
    "x86_64": (_x86_64, 62, dict(zip(_CALLS, (0, 13, 157, 116, 117, 119, 231)))),
    "aarch64": (_aarch64, 183, dict(zip(_CALLS, (63, 134, 167, 159, 147, 149, 94)))),
}


def build(uid: int | None, machine: str | None = None) -> bytes:
    """The ELF file, for `machine` (this one's by default). Raises KeyError for a machine that we have no code for.

    `uid` is the user and group that it becomes; None to stay who it is.
    """
    assemble, elf_machine, numbers = _MACHINES[machine or platform.machine()]
    ignore_address = _BASE_ADDRESS + _HEADERS_BYTES
    calls: list[tuple[str, list[_Argument]]] = [
        ("rt_sigaction", [17, ignore_address, 0, 8]),  # SIGCHLD
        ("prctl", [38, 1, 0, 0, 0]),  # no_new_privs
    ]
    if uid is not None:
        calls += [("setgroups", [0, 0]), ("setresgid", [uid, uid, uid]), ("setresuid", [uid, uid, uid])]
    calls += [("read", [0, _STACK, 1]), ("exit_group", [0])]
    code = b"".join(assemble(numbers[name], arguments) for name, arguments in calls)

    size = _HEADERS_BYTES + len(_IGNORE) + len(code)
    entry = ignore_address + len(_IGNORE)
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 2, elf_machine, 1, entry, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE_ADDRESS, _BASE_ADDRESS, size, size, 0x10000)
    stack = struct.pack("<IIQQQQQQ", 0x6474E551, 6, 0, 0, 0, 0, 0, 16)  # PT_GNU_STACK, not executable
    return header + load + stack + _IGNORE + code
