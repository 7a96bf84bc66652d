"""A stopped process as a file: every page that is its own, and how its memory was laid out.

It runs outside of the sandbox, in a process of the launcher's, so that the function's memory limit does not have to
hold everything twice. All that is read is the function's to choose, and only ever copied.

    [pages ...][entries: the calls that lay the memory out][JSON: files, description, sizes]

An entry's descriptor is 0 for this file and n for the nth of the listed ones. What has not changed since the zygote was
forked and cannot be changed (the code of libraries, and their tables) is left out: every sandbox has it already.
"""

from __future__ import annotations

import array
import errno
import fcntl
import json
import os
import struct
from typing import Any, Iterator, NamedTuple

from . import checkpoint_code
from .checkpoint_code import PAGE

MAX_ENTRIES = 60_000
"""A process may have 65,530 mappings (vm.max_map_count)."""
_READ, _WRITE, _EXECUTE = 1, 2, 4
_SHARED, _PRIVATE, _FIXED, _ANONYMOUS, _NORESERVE = 0x01, 0x02, 0x10, 0x20, 0x4000
_PRESENT, _SWAPPED, _OF_FILE = 1 << 63, 1 << 62, 1 << 61
_GAP_PAGES = 16
"""Runs of used pages that are no further apart are kept as one."""
_CHUNK = 4 * 1024 * 1024
_WHOLE_BYTES = 64 * 1024 * 1024
_BELOW_STACK_POINTER = 256
_LOWEST, _STEP = 0x10000000, 0x4000000
_PLACES = 4
_F_ADD_SEALS, _ALL_SEALS = 1033, 0x1 | 0x2 | 0x4 | 0x8


class TooMuch(OSError):
    """The process has more mappings than can be kept."""


class Mapping(NamedTuple):
    """A line of /proc/<pid>/maps."""

    first: int
    end: int
    rights: str
    offset: int
    inode: str
    path: str

    @property
    def protection(self) -> int:
        rights = self.rights
        return _READ * (rights[0] == "r") | _WRITE * (rights[1] == "w") | _EXECUTE * (rights[2] == "x")

    @property
    def is_file(self) -> bool:
        """True for a file that can be opened again."""
        return self.path.startswith("/") and not self.path.endswith(" (deleted)") and not self.path.startswith("/dev/")

    @property
    def is_shared(self) -> bool:
        return self.rights[3] == "s"


def mappings(pid: int | str) -> list[Mapping]:
    """The memory of a process. Raises OSError."""
    found = []
    with open(f"/proc/{pid}/maps") as lines:
        for line in lines:
            words = line.rstrip("\n").split(None, 5)
            first, end = (int(number, 16) for number in words[0].split("-"))
            path = words[5] if len(words) > 5 else ""
            found.append(Mapping(first, end, words[1], int(words[2], 16), words[4], path))
    return found


class Writer:
    """Writes one process into one file."""

    def __init__(self, pid: int, zygote: int, output: int, limit_bytes: int) -> None:
        """`zygote` is the process that all sandboxes of the runtime are forks of. Raises OSError."""
        self._output = output
        self._limit_bytes = limit_bytes
        self._memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
        self._pages = os.open(f"/proc/{pid}/pagemap", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._before: int | None = os.open(f"/proc/{zygote}/mem", os.O_RDONLY | os.O_CLOEXEC)
        except PermissionError:  # a container's root may be no ptracer (Yama): then more is kept than needs to be
            self._before = None
        self._known = {mapping[:5] for mapping in mappings(zygote)}
        self._mappings = mappings(pid)
        # A fork does not take along which pages of shared memory are in use: its parent knows.
        self._parents_pages = os.open(f"/proc/{_parent(pid)}/pagemap", os.O_RDONLY | os.O_CLOEXEC)
        self._position = 0
        self._entries: list[bytes] = []
        self._copies: list[list[int]] = []
        self._files: dict[str, int] = {}

    def write(self, description: dict[str, Any]) -> tuple[int, int]:
        """The file, sealed. Returns where its JSON begins and how long that is. Raises OSError."""
        registers = self._read(description["registers"], checkpoint_code.REGISTERS_BYTES)
        stack_pointer, program_break = (
            struct.unpack_from("<Q", registers, place)[0]
            for place in (checkpoint_code.STACK_POINTER, checkpoint_code.PROGRAM_BREAK)
        )
        for mapping in self._mappings:
            if mapping.path == "[stack]":
                self._stack(mapping, stack_pointer)
            elif not mapping.path.startswith(("[v", "[uprobes")):
                self._mapping(mapping)
            if len(self._entries) > MAX_ENTRIES:
                raise TooMuch("SnapStart: the function has too many memory mappings.")
        table = b"".join(self._entries)
        at = self._append(table)
        content = {
            "entries": [at, len(self._entries)],
            "copies": self._copies,
            "files": list(self._files),
            "registers": registers.hex(),
            "break": program_break,
            "places": self._places(),
            "description": description,
        }
        encoded = json.dumps(content).encode()
        start = self._append(encoded)
        fcntl.fcntl(self._output, _F_ADD_SEALS, _ALL_SEALS)
        return start, len(encoded)

    def _append(self, data: bytes) -> int:
        start = self._position
        if start + len(data) > self._limit_bytes:
            raise TooMuch("SnapStart: the function's memory is larger than it may be.")
        written = 0
        while written < len(data):
            written += os.pwrite(self._output, data[written:], start + written)
        self._position = (start + len(data) + PAGE - 1) // PAGE * PAGE
        return start

    def _content(self, first: int, size: int) -> int:
        """Copy memory into the file; returns where."""
        start = self._position
        for offset in range(0, size, _CHUNK):
            self._append(self._read(first + offset, min(_CHUNK, size - offset)))
        return start

    def _read(self, first: int, size: int) -> bytes:
        data = os.pread(self._memory, size, first)
        if len(data) != size:
            raise OSError(errno.ESRCH, "the process has ended")
        return data

    def _stack(self, stack: Mapping, pointer: int) -> None:
        """The kernel's own mapping stays, for it grows; only what is in use is copied into it."""
        first = (pointer - _BELOW_STACK_POINTER) & ~(PAGE - 1)
        self._copies.append([first, self._content(first, stack.end - first), stack.end - first])

    def _mapping(self, mapping: Mapping) -> None:
        used = self._used(mapping)
        if mapping.is_shared:
            self._shared(mapping)
            return
        if mapping.is_file:
            if mapping[:5] in self._known and (not any(used) or self._is_unchanged(mapping)):
                return
            gap = 0  # between its own pages are the file's
            if not all(used):
                self._map_file(mapping)
        else:
            gap = _GAP_PAGES
            if not all(used):
                self._map_nothing(mapping, _PRIVATE)
        for first, count in _runs(used, gap):
            start = mapping.first + first * PAGE
            content = self._content(start, count * PAGE)
            self._map(start, count * PAGE, mapping.protection, _PRIVATE, 0, content)

    def _shared(self, mapping: Mapping) -> None:
        """Shared with nobody that is there any more, but still to be shared with children."""
        if mapping.is_file:
            self._map_file(mapping)
            return
        self._map_nothing(mapping, _SHARED)
        for first, count in _runs(self._used_of_shared(mapping), 0):
            start = mapping.first + first * PAGE
            self._copies.append([start, self._content(start, count * PAGE), count * PAGE])

    def _used_of_shared(self, mapping: Mapping) -> list[bool]:
        size = mapping.end - mapping.first
        if not mapping.path.startswith("/dev/zero") and size <= _WHOLE_BYTES:
            # A file without a name, as of a semaphore: it may have been written to by other means.
            return [self._is_filled(mapping.first + at) for at in range(0, size, PAGE)]
        own, parents = self._page_words(mapping, self._pages), self._page_words(mapping, self._parents_pages)
        return [bool((a | b) & (_PRESENT | _SWAPPED)) for a, b in zip(own, parents)]

    def _is_filled(self, page: int) -> bool:
        try:
            return self._read(page, PAGE).count(0) < PAGE
        except OSError:  # beyond the file's end
            return False

    def _page_words(self, mapping: Mapping, pages: int) -> array.array[int]:
        count = (mapping.end - mapping.first) // PAGE
        words = array.array("Q")
        words.frombytes(os.pread(pages, count * 8, mapping.first // PAGE * 8))
        return words

    def _used(self, mapping: Mapping) -> list[bool]:
        """Which pages the process has of its own."""
        return [
            bool(word & (_PRESENT | _SWAPPED)) and not word & _OF_FILE
            for word in self._page_words(mapping, self._pages)
        ]

    def _is_unchanged(self, mapping: Mapping) -> bool:
        """True when nobody can write there, and it is what the zygote has."""
        size = mapping.end - mapping.first
        if self._before is None or mapping.protection & _WRITE:
            return False
        return os.pread(self._memory, size, mapping.first) == os.pread(self._before, size, mapping.first)

    def _map_file(self, mapping: Mapping) -> None:
        file = self._files.setdefault(mapping.path, len(self._files) + 1)
        kind = _SHARED if mapping.is_shared else _PRIVATE
        self._map(mapping.first, mapping.end - mapping.first, mapping.protection, kind, file, mapping.offset)

    def _map_nothing(self, mapping: Mapping, kind: int) -> None:
        flags = kind | _ANONYMOUS | _NORESERVE
        self._map(mapping.first, mapping.end - mapping.first, mapping.protection, flags, checkpoint_code.NO_FD, 0)

    def _map(self, first: int, size: int, protection: int, flags: int, file: int, offset: int) -> None:
        self._entries.append(checkpoint_code.entry("mmap", first, size, protection, flags | _FIXED, file, offset))

    def _places(self) -> list[int]:
        """Addresses with room for the table and what is copied, of which a sandbox takes the first that is free."""
        needed = (len(self._entries) + 4096) * 2 * checkpoint_code.ENTRY_BYTES + sum(
            size for _, _, size in self._copies
        )
        places: list[int] = []
        candidate = _LOWEST
        for mapping in [*self._mappings, Mapping(1 << 46, 1 << 46, "----", 0, "", "")]:
            while candidate + needed + _STEP <= mapping.first and len(places) < _PLACES:
                places.append(candidate)
                candidate += needed // _STEP * _STEP + _STEP
            candidate = max(candidate, (mapping.end + _STEP) // _STEP * _STEP)
        return places


def _parent(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def _runs(used: list[bool], gap: int) -> Iterator[tuple[int, int]]:
    """(first, count) of pages that are used, with those between them when they are few."""
    first = last = -1
    for place, is_used in enumerate(used):
        if not is_used:
            continue
        if first < 0:
            first = place
        elif place - last - 1 > gap:
            yield first, last - first + 1
            first = place
        last = place
    if first >= 0:
        yield first, last - first + 1
