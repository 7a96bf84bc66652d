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

    def scratch(self) -> tuple[int, Path]:
        try:
            descriptor, name = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, dir=self._folder)  # mode 0600
        except OSError as error:
            raise _failure("a new file", error) from error
        return descriptor, Path(name)

    async def adopt(self, path: Path, digest: str) -> None:
        await asyncio.to_thread(self._adopt, path, digest)

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
        descriptor, temporary = self.scratch()
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            self._adopt(temporary, digest)
        except OSError as error:
            raise _failure(f"the blob {digest}", error) from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        return digest

    def _adopt(self, temporary: Path, digest: str) -> None:
        path = self._path(digest)
        try:
            if path.exists():
                temporary.unlink()
                _sync_folder(path.parent)  # whoever put it there may not have come so far yet
                return
            is_new_folder = not path.parent.exists()
            path.parent.mkdir(mode=0o700, exist_ok=True)
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.rename(path)
            _sync_folder(path.parent)
            if is_new_folder:
                _sync_folder(self._folder)
        except OSError as error:
            raise _failure(f"the blob {digest}", error) from error

    def _reset(self) -> None:
        for entry in self._folder.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)


def _failure(what: str, error: OSError) -> StoreFull | StoreUnavailable:
    kind = StoreFull if error.errno in _FULL else StoreUnavailable
    return kind(f"{what} cannot be written: {error}")


def _sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
