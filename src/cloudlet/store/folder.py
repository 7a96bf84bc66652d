"""The data folder: made private, and locked against a second node."""

import fcntl
import os
import secrets
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from cloudlet.store.base import StoreLocked

LOCK_FILE = "lock"
NAME_FILE = "node-name"
_WAITS_S = (0.01, 0.02, 0.03, 0.0)
"""Who asks for the holder (`holder`) has the lock for some microseconds itself: that is no node."""


def new_name() -> str:
    """A name for a node that no other has."""
    return secrets.token_hex(8)


class FolderLock:
    """Holds a data folder for this process. The kernel lets go of it when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Make `folder` (mode 0700) where it is missing and lock it. Raises StoreLocked, which names who holds it."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not any(self._lock(wait_s) for wait_s in _WAITS_S):
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise StoreLocked(f"{folder} is in use by another node (process {holder})")
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def _lock(self, wait_s: float) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(wait_s)
            return False

    def name(self) -> str:
        """The name of the node that has this folder, made at its first start. Two nodes at once never have the same."""
        file = self._folder / NAME_FILE
        if not file.exists() or not file.read_text().strip():
            temporary = file.with_suffix(".new")
            temporary.write_text(new_name() + "\n")
            temporary.chmod(0o600)
            temporary.rename(file)
        return file.read_text().strip()

    def release(self) -> None:
        """Let others have the folder."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.release()


def holder(folder: Path) -> int | None:
    """The process id of the node that has `folder` locked; None when there is none."""
    try:
        descriptor = os.open(folder / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 32, 0).strip()
        return int(text) if text.isdigit() else None
    else:
        return None
    finally:
        os.close(descriptor)
