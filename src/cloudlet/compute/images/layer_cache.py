"""Unpacked layers on disk, by the digest of the packed ones: each unpacked once, shared by all sandboxes of all images.

    <folder>/<boot id>/layers/<digest>.<bytes on disk>.<bytes of files>     a layer, complete: it came here by a rename
    <folder>/<boot id>/new/...                     being unpacked
    <folder>/<boot id>/old/...                     being deleted

As with code packages nothing is synced, because everything can be unpacked again; another boot id drops all of it.
"""

import asyncio
import errno
import hashlib
import logging
import os
import shutil
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloudlet.compute.function import ComputeError
from cloudlet.compute.images.errors import InvalidImage
from cloudlet.compute.images.layer import Unpacked, unpack
from cloudlet.compute.images.whiteouts import Overlay, Whiteouts

DEFAULT_MAX_BYTES: Final = 32 * 1024 * 1024 * 1024
THREADS: Final = 2
ENTRY_BYTES: Final = 4096
"""What a file takes beyond its content."""
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PackedLayer:
    """A layer as an image names it."""

    digest: str
    """64 hexadecimal digits: of the file as it is kept."""
    diff_id: str
    """`sha256:...` of the archive in it."""
    compression: str


@dataclass(slots=True)
class _Layer:
    path: Path
    size: int
    """What it takes on disk."""
    content: int
    """Bytes of its files."""
    users: int = 0


class LayerCache:
    """Unpacks layers and keeps them while there is room. Call `close` when no sandbox is left."""

    def __init__(
        self, folder: Path, packed: Callable[[str], Awaitable[Path]], max_bytes: int = DEFAULT_MAX_BYTES
    ) -> None:
        """`packed` gives the file of a digest, or raises KeyError. `max_bytes`: layers that no sandbox uses are
        deleted while all together take more."""
        self._packed = packed
        self._max_bytes = max_bytes
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="layers")
        self._pending: dict[str, asyncio.Task[_Layer]] = {}
        self._waiting: dict[str, int] = {}
        self._used_bytes = 0
        boot = BOOT_ID.read_text().strip() if BOOT_ID.exists() else "boot"
        self._root = folder / boot
        self._layers = self._found(folder)
        """The least recently used first."""

    @property
    def used_bytes(self) -> int:
        """What all unpacked layers take."""
        return self._used_bytes

    async def folder(self, layer: PackedLayer) -> Path:
        """The unpacked layer, kept until `release`. Raises InvalidImage, ComputeError."""
        key = _key(layer)
        found = self._layers.pop(key, None) or await self._shared(key, layer)
        self._layers.pop(key, None)
        self._layers[key] = found
        found.users += 1
        return found.path

    def content_bytes(self, layer: PackedLayer) -> int:
        """How many bytes the files of a layer have whose folder somebody holds."""
        return self._layers[_key(layer)].content

    def release(self, layer: PackedLayer) -> None:
        """One who asked for the folder needs it no more."""
        self._layers[_key(layer)].users -= 1
        self._evict(self._max_bytes)

    async def close(self) -> None:
        """Finish what is under way."""
        await asyncio.gather(*self._pending.values(), return_exceptions=True)
        await asyncio.to_thread(self._threads.shutdown)

    async def _shared(self, key: str, layer: PackedLayer) -> _Layer:
        """Unpack a layer, together with all others who ask for it meanwhile."""
        task = self._pending.get(key)
        if task is None:
            task = self._pending[key] = asyncio.create_task(self._fetch(key, layer), name=f"unpack {key[:12]}")
            task.add_done_callback(lambda task: task.cancelled() or task.exception())
        self._waiting[key] = self._waiting.get(key, 0) + 1
        try:
            return await asyncio.shield(task)
        finally:
            self._waiting[key] -= 1
            if not self._waiting[key]:
                del self._waiting[key]

    async def _fetch(self, key: str, layer: PackedLayer) -> _Layer:
        try:
            try:
                file = await self._packed(layer.digest)
            except KeyError:
                raise InvalidImage(f"The layer sha256:{layer.digest} is not here.") from None
            try:
                found = await self._unpack(key, file, layer)
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                await self._in_thread(self._evict(0))
                found = await self._unpack(key, file, layer)
        except OSError as error:
            raise ComputeError(f"A layer of the image could not be unpacked: {error.strerror}") from error
        finally:
            del self._pending[key]
        self._used_bytes += found.size
        self._layers[key] = found
        self._evict(self._max_bytes)
        return found

    async def _unpack(self, key: str, file: Path, layer: PackedLayer) -> _Layer:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _unpack, file, layer, self._root, key)

    async def _in_thread(self, places: list[Path]) -> None:
        loop = asyncio.get_running_loop()
        for place in places:
            await loop.run_in_executor(self._threads, remove_tree, place)

    def _evict(self, limit_bytes: int) -> list[Path]:
        """Delete layers that nobody uses or waits for, until the rest fits; where they are until they are gone."""
        gone = []
        for key, layer in list(self._layers.items()):
            if self._used_bytes <= limit_bytes:
                break
            if not layer.users and key not in self._waiting:
                del self._layers[key]
                self._used_bytes -= layer.size
                gone.append(self._delete(layer.path))
        return gone

    def _found(self, folder: Path) -> dict[str, _Layer]:
        """What an earlier process left, in the order of its making."""
        for name in ("layers", "new", "old"):
            (self._root / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        stale = [place for place in folder.iterdir() if place != self._root]
        for place in [*stale, *(self._root / "new").iterdir(), *(self._root / "old").iterdir()]:
            self._delete(place)
        layers: dict[str, _Layer] = {}
        for path in sorted((self._root / "layers").iterdir(), key=lambda path: path.lstat().st_ctime):
            if path.name.count(".") != 2:
                self._delete(path)
                continue
            key, size, content = path.name.split(".")
            layers[key] = _Layer(path, int(size), int(content))
            self._used_bytes += int(size)
        return layers

    def _delete(self, place: Path) -> Path:
        """Take a folder out of sight now, and delete it in a thread."""
        old = self._root / "old" / f"{place.name}.{os.urandom(4).hex()}"
        place.rename(old)
        self._threads.submit(remove_tree, old)
        return old


def _key(layer: PackedLayer) -> str:
    """What is unpacked depends on what the image says of it: an image that lies of it spoils nothing for others."""
    return hashlib.sha256(f"{layer.digest} {layer.diff_id} {layer.compression}".encode()).hexdigest()


def _unpack(file: Path, layer: PackedLayer, root: Path, key: str) -> _Layer:
    new = root / "new" / f"{key}.{os.urandom(4).hex()}"
    new.mkdir()
    try:
        new.chmod(0o755)
        done = unpack_checked(file, layer, new, Overlay())
        size = done.size + done.entries * ENTRY_BYTES
        path = root / "layers" / f"{key}.{size}.{done.size}"
        new.rename(path)
    except BaseException:
        remove_tree(new)
        raise
    return _Layer(path, size, done.size)


def unpack_checked(file: Path, layer: PackedLayer, folder: Path, whiteouts: Whiteouts) -> Unpacked:
    """Unpack a layer whose digests must be those that its image names. Raises InvalidImage, OSError."""
    with file.open("rb") as opened:
        if hashlib.file_digest(opened, "sha256").hexdigest() != layer.digest:
            raise InvalidImage(f"The layer sha256:{layer.digest} is damaged.")
        opened.seek(0)
        done = unpack(opened, folder, layer.compression, whiteouts)
    if done.diff_id != layer.diff_id:
        raise InvalidImage(f"The layer sha256:{layer.digest} holds {done.diff_id}, not {layer.diff_id}.")
    return done


def remove_tree(folder: Path) -> None:
    """Delete a folder with all that is in it. Does not raise."""
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        pass
    except OSError:
        logger.warning("cannot delete %s", folder, exc_info=True)
