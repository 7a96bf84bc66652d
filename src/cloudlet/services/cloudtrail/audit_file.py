"""The audit file: one event a line, in files that rotate.

`cloudtrail.jsonl` is the newest; when it is full it becomes `cloudtrail.jsonl.1`, which became `.2` before.
"""

import os
from collections.abc import Sequence
from pathlib import Path

NAME = "cloudtrail.jsonl"
MAX_FILE_BYTES = 16 * 1024 * 1024
OLD_FILES = 7
"""So all files together stay below 128 MiB."""


class AuditFile:
    """Appends to the audit file in `folder`, which only its owner can read. Its calls block."""

    def __init__(self, folder: Path, *, max_bytes: int = MAX_FILE_BYTES, old_files: int = OLD_FILES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._old_files = old_files

    def append(self, lines: Sequence[bytes]) -> None:
        """Write lines, in a new file where they do not fit. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = b"".join(line + b"\n" for line in lines)
        path = self._folder / NAME
        if path.exists() and path.stat().st_size + len(content) > self._max_bytes:
            self._rotate()
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(content)

    def _rotate(self) -> None:
        for number in range(self._old_files, 0, -1):
            older = self._folder / f"{NAME}.{number}"
            newer = self._folder / (f"{NAME}.{number - 1}" if number > 1 else NAME)
            if newer.exists():
                newer.replace(older)
