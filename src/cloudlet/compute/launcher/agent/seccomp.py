"""The system call filter of every sandbox: an allow-list, assembled to BPF here.

The program is a binary decision tree over ranges of call numbers:

    wrong architecture -> kill (no honest program makes 32-bit calls in a 64-bit sandbox)
    number in a range of allowed calls            -> allow
    clone, socket, ioctl, personality             -> look at the arguments
    number of a denied call                       -> EPERM
    any other (unknown, too new, clone3)          -> ENOSYS, for which C libraries have a way around

A process that is refused a call goes on: killing it would turn a library's harmless probe into a crash.

Rejected: libseccomp (a C library that the function's Python would have to load in every zygote), a deny-list (it
allows whatever the next kernel brings).
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from typing import List, NamedTuple, Sequence, Tuple

from . import syscall_numbers, syscalls

_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER = 1
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_MAX_JUMP = 255
_MAX_NUMBER = 0xFFFFFFFF

_ALLOW = 0x7FFF0000
_KILL_PROCESS = 0x80000000
_ERRNO = 0x00050000

# Instructions: load a word of struct seccomp_data, jump, return.
_LOAD, _JUMP, _EQUAL, _GREATER_OR_EQUAL, _ANY_BIT, _RETURN = 0x20, 0x05, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE = 0, 4

# clone's flags that make namespaces: NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
_NAMESPACE_FLAGS = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_NETLINK_ROUTE = 0
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_PERSONALITIES = (0x0, 0x0008, 0x20000, 0x20008, 0xFFFFFFFF)
"""Linux, its 32-bit and 2.6 forms, and the question; not those that switch off address space randomisation."""

Instruction = Tuple[int, int, int, int]
Code = List[Instruction]


class _Range(NamedTuple):
    """What happens to call numbers from `first` up to the next range."""

    first: int
    code: Code


def _returning(value: int) -> Code:
    return [(_RETURN, 0, 0, value)]


def _refusal(number: int) -> Code:
    return _returning(_ERRNO | number)


def _load_argument(index: int) -> Instruction:
    return (_LOAD, 0, 0, 16 + 8 * index)  # the lower half; both machines are little-endian


def _one_of(index: int, values: Sequence[int], refusal: Code) -> Code:
    """Allow when the argument is one of `values`."""
    count = len(values)
    tests = [(_EQUAL, count - place, 0, value) for place, value in enumerate(values)]
    return [_load_argument(index), *tests, *refusal, *_returning(_ALLOW)]


def _none_of(index: int, values: Sequence[int], refusal: Code) -> Code:
    """Allow when the argument is none of `values`."""
    count = len(values)
    tests = [(_EQUAL, count - place, 0, value) for place, value in enumerate(values)]
    return [_load_argument(index), *tests, *_returning(_ALLOW), *refusal]


def _socket() -> Code:
    """Local, internet and routing sockets. vsock above all is refused: it knows no network namespaces."""
    netlink = [_load_argument(2), (_EQUAL, 0, 1, _NETLINK_ROUTE), *_returning(_ALLOW), *_refusal(errno.EPROTONOSUPPORT)]
    other = _one_of(0, (_AF_UNIX, _AF_INET, _AF_INET6), _refusal(errno.EAFNOSUPPORT))
    return [_load_argument(0), (_EQUAL, 0, len(netlink), _AF_NETLINK), *netlink, *other]


def _checks() -> dict[str, Code]:
    denied = _refusal(errno.EPERM)
    return {
        "clone": [_load_argument(0), (_ANY_BIT, 0, 1, _NAMESPACE_FLAGS), *denied, *_returning(_ALLOW)],
        "socket": _socket(),
        "socketpair": _one_of(0, (_AF_UNIX,), _refusal(errno.EAFNOSUPPORT)),
        "ioctl": _none_of(1, (_TIOCSTI, _TIOCLINUX), denied),
        "personality": _one_of(0, _PERSONALITIES, denied),
    }


def _ranges(architecture: str) -> list[_Range]:
    """The whole line of call numbers, cut where the answer changes."""
    by_number = dict.fromkeys(syscall_numbers.allowed(architecture).values(), _returning(_ALLOW))
    by_number.update(dict.fromkeys(syscall_numbers.denied(architecture).values(), _refusal(errno.EPERM)))
    checks = _checks()
    by_number.update({number: checks[name] for name, number in syscall_numbers.checked(architecture).items()})
    unknown = _refusal(errno.ENOSYS)
    ranges: list[_Range] = []
    for number in range(max(by_number) + 2):
        code = by_number.get(number, unknown)
        if not ranges or ranges[-1].code != code:
            ranges.append(_Range(number, code))
    return ranges


def _tree(ranges: Sequence[_Range]) -> Code:
    """Decide which of `ranges` the loaded number is in."""
    if len(ranges) == 1:
        return ranges[0].code
    middle = len(ranges) // 2
    below, above = _tree(ranges[:middle]), _tree(ranges[middle:])
    if len(below) <= _MAX_JUMP:
        return [(_GREATER_OR_EQUAL, len(below), 0, ranges[middle].first), *below, *above]
    return [(_GREATER_OR_EQUAL, 0, 1, ranges[middle].first), (_JUMP, 0, 0, len(below)), *below, *above]


def build(architecture: str | None = None) -> bytes:
    """The filter's program, for this machine by default. Raises KeyError for a machine that we have no table for."""
    machine = architecture or platform.machine()
    code: Code = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        *_returning(_KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER),
        *_tree(_ranges(machine)),
    ]
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def install(program: bytes) -> None:
    """Put the calling process, and all that it will ever start, under `program`. It must have no_new_privs."""
    argument = _Program(len(program) // 8, program)
    syscalls.syscall(
        "seccomp",
        _SECCOMP[platform.machine()],
        ctypes.c_uint(_SET_MODE_FILTER),
        ctypes.c_uint(0),
        ctypes.byref(argument),
    )
