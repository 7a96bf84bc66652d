"""Blobs as files: `<folder>/<first two digits>/<digest>`.

A file is written under another name, synced, and then renamed: under its own name it is always whole.
"""

import asyncio
import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from cloudlet.store.base import StoreFull, StoreUnavailable

TEMPORARY_PREFIX = "tmp-"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def digest_of(content: bytes) -> str:
    """The name of `content`."""
    return hashlib.sha256(content).hexdigest()


class FolderBlobs:
    """Blobs of one node, in a folder that is its alone."""

    def __init__(self, folder: Path) -> None:
        """Make `folder` where it is missing, and clear what a crash left half written."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        for leftover in folder.glob(f"{TEMPORARY_PREFIX}*"):
            leftover.unlink(missing_ok=True)

    async def put(self, content: bytes) -> str:
        return await asyncio.to_thread(self._put, content)

    async def get(self, digest: str) -> bytes:
        path = self._path(digest)
        try:
            return await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError:
            raise KeyError(digest) from None
        except OSError as error:
            raise StoreUnavailable(f"the blob {digest} cannot be read: {error}") from error

    async def path(self, digest: str) -> Path:
        path = self._path(digest)
        if not path.exists():
            raise KeyError(digest)
        return path

    async def delete(self, digest: str) -> None:
        await asyncio.to_thread(self._path(digest).unlink, missing_ok=True)

    async def reset(self) -> None:
        await asyncio.to_thread(self._reset)

    def digests(self) -> list[str]:
        """The blobs that are here."""
        return [file.name for file in self._folder.glob("[0-9a-f][0-9a-f]/*")]

    def _path(self, digest: str) -> Path:
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise KeyError(digest)
        return self._folder / digest[:2] / digest

    def _put(self, content: bytes) -> str:
        digest = digest_of(content)
        path = self._path(digest)
        if path.exists():
            return digest
        try:
            self._write(path, content)
        except OSError as error:
            kind = StoreFull if error.errno in _FULL else StoreUnavailable
            raise kind(f"the blob {digest} cannot be written: {error}") from error
        return digest

    def _write(self, path: Path, content: bytes) -> None:
        is_new_folder = not path.parent.exists()
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, dir=self._folder)  # mode 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).rename(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
        _sync_folder(path.parent)
        if is_new_folder:
            _sync_folder(self._folder)

    def _reset(self) -> None:
        for entry in self._folder.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)


def _sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
