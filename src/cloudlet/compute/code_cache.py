"""Unpacked code packages on disk, by digest: each unpacked once, kept while there is room, shared by all sandboxes.

    <folder>/<boot id>/code/<digest>.<bytes>     a package, complete: it came here by a rename
    <folder>/<boot id>/new/...                   being unpacked
    <folder>/<boot id>/old/...                   being deleted

Nothing is synced to disk, because everything can be unpacked again: what a kill leaves behind is in `new`, and after a
crash of the machine, which can lose the content of renamed files, the boot id is another and all of it is dropped.
"""

import asyncio
import errno
import hashlib
import logging
import os
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloudlet.compute.archive import unpack
from cloudlet.compute.function import ComputeError
from cloudlet.store.blobs import Blobs

DEFAULT_MAX_BYTES: Final = 16 * 1024 * 1024 * 1024
THREADS: Final = 2
ENTRY_BYTES: Final = 4096
"""What a file takes beyond its content."""
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")

logger = logging.getLogger(__name__)


class PackageDamaged(ComputeError):
    """A code package is not what its digest says, or cannot be unpacked."""


class PackageMissing(ComputeError):
    """A code package is not in the store."""


@dataclass(slots=True)
class _Package:
    """One unpacked package."""

    path: Path
    size_bytes: int
    users: int = 0
    """Sandboxes that have it mounted, and callers who are about to."""


class CodeCache:
    """Implements `CodeSource` over the store's blobs. Call `close` when no sandbox is left."""

    def __init__(self, folder: Path, blobs: Blobs, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        """`max_bytes`: packages that no sandbox uses are deleted while all together take more."""
        self._blobs = blobs
        self._max_bytes = max_bytes
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="unpack")
        self._pending: dict[str, asyncio.Task[_Package]] = {}
        self._waiting: dict[str, int] = {}
        """How many callers wait for each of `_pending`."""
        self._deletions: set[Future[None]] = set()
        self._used_bytes = 0
        boot = BOOT_ID.read_text().strip() if BOOT_ID.exists() else "boot"
        self._root = folder / boot
        self._packages = self._found(folder)
        """The least recently used first."""

    async def folder(self, digest: str) -> Path:
        """A read-only folder with the unpacked package of this blob, kept until `release`.

        Raises PackageMissing, PackageDamaged, PackageError, ComputeError.
        """
        package = self._packages.pop(digest, None) or await self._shared(digest)
        self._packages[digest] = package
        package.users += 1
        return package.path

    def release(self, digest: str) -> None:
        """One who asked for the folder needs it no more."""
        self._packages[digest].users -= 1
        self._evict(self._max_bytes)

    async def prefetch(self, digest: str) -> None:
        """Unpack ahead of use. Raises as `folder`."""
        await self.folder(digest)
        self.release(digest)

    @property
    def used_bytes(self) -> int:
        """What all unpacked packages take."""
        return self._used_bytes

    async def close(self) -> None:
        """Finish what is under way."""
        await asyncio.gather(*self._pending.values(), return_exceptions=True)
        await asyncio.to_thread(self._threads.shutdown)

    async def _shared(self, digest: str) -> _Package:
        """Fetch a package, together with all others who ask for it meanwhile."""
        task = self._pending.get(digest)
        if task is None:
            task = self._pending[digest] = asyncio.create_task(self._fetch(digest), name=f"unpack {digest[:12]}")
            # Seen here, so that a failure that nobody waits for any more is no complaint of asyncio's.
            task.add_done_callback(lambda task: task.cancelled() or task.exception())
        self._waiting[digest] = self._waiting.get(digest, 0) + 1
        try:
            # Whoever else waits for it must not lose it when one of them is cancelled.
            package = await asyncio.shield(task)
            self._packages.pop(digest, None)
            return package
        finally:
            self._waiting[digest] -= 1
            if not self._waiting[digest]:
                del self._waiting[digest]

    async def _fetch(self, digest: str) -> _Package:
        try:
            try:
                blob = await self._blobs.path(digest)
            except KeyError:
                raise PackageMissing(f"The code package {digest} is not in the store.") from None
            try:
                package = await self._unpack(blob, digest)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                self._evict(0)
                await asyncio.gather(*(asyncio.wrap_future(deletion) for deletion in list(self._deletions)))
                package = await self._unpack(blob, digest)
        except OSError as error:
            raise ComputeError(f"The code package could not be unpacked: {error.strerror}") from error
        finally:
            del self._pending[digest]
        self._used_bytes += package.size_bytes
        self._packages[digest] = package
        self._evict(self._max_bytes)
        return package

    async def _unpack(self, blob: Path, digest: str) -> _Package:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _unpack, blob, digest, self._root)

    def _evict(self, limit_bytes: int) -> None:
        """Delete packages that nobody uses or waits for, until the rest fits."""
        if self._used_bytes <= limit_bytes:
            return
        for digest, package in list(self._packages.items()):
            if self._used_bytes <= limit_bytes:
                return
            if not package.users and digest not in self._waiting:
                del self._packages[digest]
                self._used_bytes -= package.size_bytes
                self._delete(package.path)

    def _found(self, folder: Path) -> dict[str, _Package]:
        """What an earlier process left, in the order of its making."""
        for name in ("code", "new", "old"):
            (self._root / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        stale = [place for place in folder.iterdir() if place != self._root]
        for place in [*stale, *(self._root / "new").iterdir(), *(self._root / "old").iterdir()]:
            self._delete(place)
        packages: dict[str, _Package] = {}
        for path in sorted((self._root / "code").iterdir(), key=lambda path: path.stat().st_mtime):
            digest, _, size = path.name.partition(".")
            packages[digest] = _Package(path, int(size))
            self._used_bytes += int(size)
        return packages

    def _delete(self, place: Path) -> None:
        """Take a folder out of sight now, and delete it in a thread."""
        old = self._root / "old" / f"{place.name}.{os.urandom(4).hex()}"
        place.rename(old)
        deletion = self._threads.submit(_remove, old)
        self._deletions.add(deletion)
        deletion.add_done_callback(self._deletions.discard)


def _unpack(blob: Path, digest: str, root: Path) -> _Package:
    new = root / "new" / f"{digest}.{os.urandom(4).hex()}"
    new.mkdir()
    try:
        new.chmod(0o755)
        with blob.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                raise PackageDamaged(f"The code package {digest} is damaged.")
            info = unpack(file, new)
        size = info.unpacked_size + info.entries * ENTRY_BYTES
        path = root / "code" / f"{digest}.{size}"
        new.rename(path)
    except BaseException:
        _remove(new)
        raise
    return _Package(path, size)


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError:
        logger.warning("cannot delete %s", folder, exc_info=True)
