"""Become a process that was kept: the other end of `checkpoint_writer`, in a sandbox that is entered and closed up.

Everything that is done here is done with a function's rights, behind all walls: what is in the file cannot do more than
the function itself. Until the last step this is an ordinary process. Then `restore` lays its memory out anew.
"""

from __future__ import annotations

import array
import ctypes
import json
import os
from typing import Any

from . import checkpoint_code, checkpoint_state
from .checkpoint_code import ENTRY_BYTES, PAGE

_READ, _PRIVATE, _FIXED = 1, 0x02, 0x10
_DESCRIPTOR = 5
"""Which word of an entry is mmap's descriptor."""
_ALL_SIGNALS = b"\xff" * 8
_SET_MASK = 2


class NoRoom(OSError):
    """Every place that was free in the kept process is taken in this one."""


def become(file: int, json_at: int, json_bytes: int) -> None:
    """Be the process that `file` holds. Does not come back. Raises OSError while there is still who can hear it."""
    content = json.loads(os.pread(file, json_bytes, json_at))
    description = content["description"]
    taken = checkpoint_state.taken(description)
    file = checkpoint_state.raised(file, taken)
    opened = [file]
    opened += [checkpoint_state.raised(os.open(path, os.O_RDONLY | os.O_CLOEXEC), taken) for path in content["files"]]
    checkpoint_state.recreate(description)
    entries = _memory(content, opened)
    signals = bytes.fromhex(description["signals"])
    blocked = sum(1 << (number - 1) for number in description["blocked"]).to_bytes(8, "little")

    area = _area(content, len(entries) + (len(opened) + len(content["copies"]) * 2) * ENTRY_BYTES + PAGE * 4)
    masks = area.room
    actions = masks + len(_ALL_SIGNALS) + len(blocked)
    table = actions + len(signals)
    staged = area.room + area.room_bytes
    calls = [
        checkpoint_code.entry("rt_sigprocmask", _SET_MASK, masks, 0, 8),
        checkpoint_code.entry("brk", content["break"]),
        entries,
    ]
    for target, offset, size in content["copies"]:
        pages = (size + PAGE - 1) // PAGE * PAGE
        calls.append(checkpoint_code.entry("mmap", staged, pages, _READ, _PRIVATE | _FIXED, file, offset))
        calls.append(checkpoint_code.copy_entry(target, staged, size))
        staged += pages
    calls += [checkpoint_code.entry("close", fd) for fd in opened]
    calls += checkpoint_state.signal_entries(actions)
    calls.append(checkpoint_code.entry("rt_sigprocmask", _SET_MASK, masks + 8, 0, 8))
    laid = b"".join(calls)
    ctypes.memmove(masks, _ALL_SIGNALS + blocked + signals + laid, table - masks + len(laid))
    registers = bytes.fromhex(content["registers"])
    ctypes.memmove(area.registers, registers, len(registers))
    area.restore(table, len(laid) // ENTRY_BYTES)


def _memory(content: dict[str, Any], opened: list[int]) -> bytes:
    """The calls that lay out the memory, with this process's descriptors."""
    at, count = content["entries"]
    words = array.array("Q")
    words.frombytes(os.pread(opened[0], count * ENTRY_BYTES, at))
    step = ENTRY_BYTES // words.itemsize
    for place in range(_DESCRIPTOR, len(words), step):
        if words[place] != checkpoint_code.NO_FD:
            words[place] = opened[words[place]]
    return words.tobytes()


def _area(content: dict[str, Any], size: int) -> checkpoint_code.Area:
    room = (size + 64 * 1024) // PAGE * PAGE
    for place in content["places"]:
        try:
            return checkpoint_code.Area(room, place)
        except OSError:
            continue
    raise NoRoom("no place in memory is free for a restore")
