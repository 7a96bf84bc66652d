"""Landlock: rights to files that a process gives up for good, where the kernel has it (Linux 5.13 and more).

In a sandbox with namespaces it is a second wall behind the read-only mounts. Without namespaces it is the only one.
https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Sequence

from . import syscalls

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_REMOVE_DIR, _REMOVE_FILE = 1 << 4, 1 << 5
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_MAKE_HARMLESS = 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 12  # folders, files, sockets, pipes, links
_REFER, _TRUNCATE = 1 << 13, 1 << 14  # versions 2 and 3
_SCOPES = 1 | 2  # version 6: abstract sockets and signals stay inside

_READ = _EXECUTE | _READ_FILE | _READ_DIR
_CHANGE = _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_HARMLESS | _REFER | _TRUNCATE
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE


def version() -> int:
    """Which version the kernel has; 0 for none."""
    try:
        return syscalls.syscall(
            "landlock_create_ruleset", _CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(_ASK_VERSION)
        )
    except OSError:
        return 0


def _known(kernel: int) -> int:
    """The rights that this version can restrict."""
    rights = _READ | _CHANGE | _MAKE_CHAR | _MAKE_BLOCK
    if kernel < 2:
        rights &= ~_REFER
    if kernel < 3:
        rights &= ~_TRUNCATE
    return rights


def restrict(kernel: int, writable: Sequence[str], devices: Sequence[str], readable: Sequence[str] | None) -> None:
    """Let the caller change files below `writable` only, and write to what is below `devices`.

    With `readable`, it can read and run files below those and below `writable` only; with None, all that it sees.
    `kernel` is what `version()` said; with 0 this does nothing. It must have no_new_privs. Raises OSError.
    """
    if kernel == 0:
        return
    handled = _known(kernel) & ~(0 if readable is not None else _READ)
    attributes = struct.pack("<QQQ", handled, 0, _SCOPES)[: 24 if kernel >= 6 else 8]
    ruleset = syscalls.syscall(
        "landlock_create_ruleset", _CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0)
    )
    try:
        for path in writable:
            _allow(ruleset, path, handled & (_READ | _CHANGE))
        for path in devices:
            _allow(ruleset, path, handled & (_READ_FILE | _READ_DIR | _WRITE_FILE | _TRUNCATE))
        for path in readable or ():
            _allow(ruleset, path, handled & _READ)
        syscalls.syscall("landlock_restrict_self", _RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint(0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        allowed = rights if os.path.isdir(path) else rights & _OF_FILES
        rule = struct.pack("<Qi", allowed, fd)
        syscalls.syscall(
            "landlock_add_rule",
            _ADD_RULE,
            ctypes.c_int(ruleset),
            ctypes.c_uint(_PATH_BENEATH),
            rule,
            ctypes.c_uint(0),
        )
    finally:
        os.close(fd)
