"""The few machine instructions that Python cannot do for a checkpoint: to stop as it is, and to become another process.

    save(page, fd)                       keep the registers in `page`, write a byte to `fd`, and wait for ever
    restore(entries, count, page)        make the system calls of a table, and return from the `save` of `page`

`restore` replaces the memory of the process that calls it, its stack and its interpreter included, so nothing but
registers and this code can be relied upon on the way. `save` is a function that returns twice, like setjmp: never in
the process that called it, and with 1 in every process that becomes a copy of it. Both keep to the C calling
convention, by which the caller knows that all but a handful of registers are lost.

An entry is eight words: the number of a system call and its six arguments, or `COPY` with a target, a source and a
size. A call that fails ends the process with `FAILED`: there is nothing to go back to.
"""

from __future__ import annotations

import ctypes
import platform
import struct

ENTRY_BYTES = 64
COPY = 0xFFFFFFFFFFFFFFFF
FAILED = 66
REGISTERS_BYTES = 72
STACK_POINTER = 48
"""Where `save` puts it in its page."""
PROGRAM_BREAK = 64
"""Where the end of the heap is kept, behind the registers."""
_MACHINES = {
    "x86_64": (
        # save
        "48891f"  # mov [rdi], rbx
        "48896f08"  # mov [rdi+8], rbp
        "4c896710"  # mov [rdi+16], r12
        "4c896f18"  # mov [rdi+24], r13
        "4c897720"  # mov [rdi+32], r14
        "4c897f28"  # mov [rdi+40], r15
        "48896730"  # mov [rdi+48], rsp
        "0fae5f38"  # stmxcsr [rdi+56]
        "d97f3c"  # fnstcw [rdi+60]
        "b801000000"  # mov eax, 1 (write)
        "ba01000000"  # mov edx, 1
        "4887fe"  # xchg rsi, rdi
        "0f05"  # syscall
        "b822000000"  # wait: mov eax, 34 (pause)
        "0f05"  # syscall
        "ebf7"  # jmp wait
    ),
}
_RESTORE = {
    "x86_64": (
        "4889fb"  # mov rbx, rdi
        "4989f4"  # mov r12, rsi
        "4989d5"  # mov r13, rdx
        "4d85e4"  # next: test r12, r12
        "7450"  # jz done
        "488b03"  # mov rax, [rbx]
        "4883f8ff"  # cmp rax, -1
        "7424"  # je copy
        "488b7b08"  # mov rdi, [rbx+8]
        "488b7310"  # mov rsi, [rbx+16]
        "488b5318"  # mov rdx, [rbx+24]
        "4c8b5320"  # mov r10, [rbx+32]
        "4c8b4328"  # mov r8, [rbx+40]
        "4c8b4b30"  # mov r9, [rbx+48]
        "0f05"  # syscall
        "483d01f0ffff"  # cmp rax, -4095
        "7319"  # jae fail
        "eb0e"  # jmp more
        "488b7b08"  # copy: mov rdi, [rbx+8]
        "488b7310"  # mov rsi, [rbx+16]
        "488b4b18"  # mov rcx, [rbx+24]
        "f3a4"  # rep movsb
        "4883c340"  # more: add rbx, 64
        "49ffcc"  # dec r12
        "ebb7"  # jmp next
        "bf42000000"  # fail: mov edi, FAILED
        "b8e7000000"  # mov eax, 231 (exit_group)
        "0f05"  # syscall
        "4c89ef"  # done: mov rdi, r13
        "0fae5738"  # ldmxcsr [rdi+56]
        "d96f3c"  # fldcw [rdi+60]
        "488b1f"  # mov rbx, [rdi]
        "488b6f08"  # mov rbp, [rdi+8]
        "4c8b6710"  # mov r12, [rdi+16]
        "4c8b7720"  # mov r14, [rdi+32]
        "4c8b7f28"  # mov r15, [rdi+40]
        "488b6730"  # mov rsp, [rdi+48]
        "4c8b6f18"  # mov r13, [rdi+24]
        "b801000000"  # mov eax, 1
        "c3"  # ret
    ),
}
# The calls that a table is made of: https://man7.org/linux/man-pages/man2/syscalls.2.html
_CALLS = {"x86_64": {"close": 3, "mmap": 9, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14}}
NO_FD = 0xFFFFFFFFFFFFFFFF


def is_supported(machine: str | None = None) -> bool:
    """True on machines that there is code for."""
    return (machine or platform.machine()) in _MACHINES


def number(call: str) -> int:
    """A system call's number on this machine. Raises KeyError."""
    return _CALLS[platform.machine()][call]


def instructions() -> tuple[bytes, int]:
    """The code, and where in it `restore` begins. Raises KeyError where there is none."""
    save = bytes.fromhex(_MACHINES[platform.machine()])
    return save + bytes.fromhex(_RESTORE[platform.machine()]), len(save)


def entry(call: str, *arguments: int) -> bytes:
    """A system call for `restore`'s table."""
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    return struct.pack("<8Q", number(call), *padded, 0)


def copy_entry(target: int, source: int, size: int) -> bytes:
    """A copy from one place in memory to another."""
    return struct.pack("<8Q", COPY, target, source, size, 0, 0, 0, 0)


_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_libc.sbrk.restype = ctypes.c_void_p
_libc.sbrk.argtypes = [ctypes.c_ssize_t]
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_READ_WRITE, _READ_EXECUTE = 3, 5
_PRIVATE_ANONYMOUS, _FIXED_NOREPLACE = 0x22, 0x100000
PAGE = 4096


def _allocate(size: int, address: int = 0) -> int:
    flags = _PRIVATE_ANONYMOUS | (_FIXED_NOREPLACE if address else 0)
    found = _libc.mmap(address or None, size, _READ_WRITE, flags, -1, 0)
    if found is None or found == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap")
    return int(found)


class Area:
    """A piece of memory with a page for registers, a page of code, and room for what else is given."""

    def __init__(self, room_bytes: int = 0, address: int = 0) -> None:
        """At `address`, where one is given. Raises OSError when that is taken."""
        code, self._restore = instructions()
        self.registers = _allocate(2 * PAGE + room_bytes, address)
        self._code = self.registers + PAGE
        self.room = self.registers + 2 * PAGE
        self.room_bytes = room_bytes
        ctypes.memmove(self._code, code, len(code))
        _libc.mprotect(self._code, PAGE, _READ_EXECUTE)

    def save(self, fd: int) -> int:
        """See above. PYFUNCTYPE: the interpreter's lock is held on both sides."""
        kind = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
        save, program_break = kind(self._code), ctypes.c_uint64.from_address(self.registers + PROGRAM_BREAK)
        program_break.value = _libc.sbrk(0)
        return int(save(self.registers, fd))

    def restore(self, entries: int, count: int) -> None:
        """See above. Does not come back."""
        kind = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
        kind(self._code + self._restore)(entries, count, self.registers)
