"""fork(), also straight into a control group.

Joining a version 2 group after the fork takes the kernel 5 to 15 ms when nothing else has done so just before: it
waits until every processor has seen that groups change. clone3 can start the child in its group without that.

CPython forks by the C library, which cannot do this. So the call is made directly, between the same three functions
of CPython that os.fork() calls. What the C library's fork does besides is nothing for a process with one thread that
holds no lock, but for one thing: it has the kernel write the child's thread id where it keeps it. So do we; the
kernel says where that is.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct

_CLONE3 = 435
_CLONE_CHILD_CLEARTID = 0x00200000
_CLONE_CHILD_SETTID = 0x01000000
_CLONE_INTO_CGROUP = 0x200000000
_PR_GET_TID_ADDRESS = 40

_python = ctypes.pythonapi
_libc = ctypes.PyDLL(None, use_errno=True)  # keeps the interpreter's lock: no other code runs between
_libc.syscall.restype = ctypes.c_long


def _thread_id_address() -> int:
    """Where the C library keeps the calling thread's id. Raises OSError where the kernel does not tell."""
    address = ctypes.c_ulong()
    if _libc.prctl(_PR_GET_TID_ADDRESS, ctypes.byref(address), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl PR_GET_TID_ADDRESS")
    if ctypes.c_int.from_address(address.value).value != os.getpid():
        raise OSError("the C library keeps the thread id elsewhere")
    return address.value


def fork_into(cgroup: int | None) -> int:
    """As os.fork(); the child starts in the group whose folder `cgroup` is. Raises OSError."""
    if cgroup is None:
        return os.fork()
    flags = _CLONE_INTO_CGROUP | _CLONE_CHILD_SETTID | _CLONE_CHILD_CLEARTID
    arguments = struct.pack("<11Q", flags, 0, _thread_id_address(), 0, signal.SIGCHLD, 0, 0, 0, 0, 0, cgroup)
    buffer = ctypes.create_string_buffer(arguments, len(arguments))
    _python.PyOS_BeforeFork()
    pid: int = _libc.syscall(ctypes.c_long(_CLONE3), buffer, ctypes.c_size_t(len(arguments)))
    if pid == 0:
        _python.PyOS_AfterFork_Child()
        return 0
    error = ctypes.get_errno()
    _python.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(error, f"clone3 into a control group: {os.strerror(error)}")
    return pid
