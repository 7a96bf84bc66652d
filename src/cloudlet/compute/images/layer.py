"""Layers: tar archives, unpacked so that nothing in one gets out of its folder.

A layer comes from anybody. Names are resolved as inside a root of its own: a link, absolute or with any number of `..`,
leads to something below the folder or to nothing. What a sandbox could not use is left out: devices, pipes,
set-user-id bits, owners (all files belong to the node's user, whom sandboxes see as root). Sizes and numbers are
measured while unpacking, whatever the archive says of itself.

A file `.wh.x` says that `x` of the layers below is gone, and `.wh..wh..opq` that all of its folder is. They become what
overlayfs knows: a character device 0/0, and the attribute `user.overlay.opaque` (both need no privilege).
`Flat` applies them instead, where layers are unpacked one upon the other.

https://github.com/opencontainers/image-spec/blob/main/layer.md, https://docs.kernel.org/filesystems/overlayfs.html
"""

import errno
import gzip
import hashlib
import os
import stat
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import zstandard

from cloudlet.compute.images.errors import ImageTooLarge, InvalidImage
from cloudlet.compute.images.layer_folder import MAX_PATH_BYTES, LayerFolder
from cloudlet.compute.images.manifest import MAX_IMAGE_BYTES
from cloudlet.compute.images.whiteouts import Flat, Whiteouts

MAX_ENTRIES: Final = 1_000_000
MAX_HEADER_BYTES: Final = 1024 * 1024
"""Of the records that carry long names and attributes, which are read as a whole."""
MAX_WINDOW_BYTES: Final = 128 * 1024 * 1024
"""What a zstd frame may ask of memory."""
CHUNK_BYTES: Final = 1024 * 1024
WHITEOUT: Final = ".wh."
OPAQUE: Final = ".wh..wh..opq"
_FORGET_AFTER: Final = 1000
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_DAMAGED = (
    tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError, ValueError, RecursionError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What a layer was."""

    diff_id: str
    """`sha256:...` of the tar archive."""
    size: int
    """Bytes of all files."""
    entries: int


class _Info(tarfile.TarInfo):
    """Refuses records that would be read into memory without a limit."""

    _RECORDS = (
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    )

    def _proc_member(self, archive: tarfile.TarFile) -> Any:
        if self.type in self._RECORDS and self.size > MAX_HEADER_BYTES:
            raise ImageTooLarge("A record of a layer is too large.")
        if self.size < 0:
            raise InvalidImage("An entry of a layer has no size.")
        return super()._proc_member(archive)  # type: ignore[misc]


class _Hashed:
    """The archive as it is read, decompressed, with its digest."""

    def __init__(self, file: IO[bytes], compression: str, limit: int) -> None:
        self._source: Any = file
        if compression == "gzip":
            self._source = gzip.GzipFile(fileobj=file, mode="rb")
        elif compression == "zstd":
            decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
            self._source = decompressor.stream_reader(file, read_across_frames=True, closefd=False)
        self._hash = hashlib.sha256()
        self._limit = limit
        self.count = 0
        """Bytes that have been read."""

    def read(self, size: int) -> bytes:
        """At most `size` bytes. Raises ImageTooLarge."""
        content: bytes = self._source.read(size)
        self._hash.update(content)
        self.count += len(content)
        self._limit -= len(content)
        if self._limit < 0:
            raise ImageTooLarge(f"The image has more than {MAX_IMAGE_BYTES} bytes.")
        return content

    def finish(self) -> str:
        """The digest of all, once what follows the archive's end has been read too."""
        while self.read(CHUNK_BYTES):
            pass
        return f"sha256:{self._hash.hexdigest()}"


def unpack(
    file: IO[bytes], folder: Path, compression: str, whiteouts: Whiteouts, limit: int = MAX_IMAGE_BYTES
) -> Unpacked:
    """Write the layer in `file` into `folder`, which is there. Takes a while: call it in a thread.

    `limit`: how many bytes its archive may have. Raises InvalidImage, ImageTooLarge, OSError; `folder` is then of no
    use.
    """
    root = os.open(folder, _FOLDER)
    try:
        return _Unpacking(LayerFolder(root), whiteouts).run(_Hashed(file, compression, limit), limit)
    except _DAMAGED as error:
        raise InvalidImage(f"A layer is damaged: {error}") from error
    finally:
        os.close(root)


class _Unpacking:
    def __init__(self, layer: LayerFolder, whiteouts: Whiteouts) -> None:
        self._layer = layer
        self._whiteouts = whiteouts
        self._keeps_names = isinstance(whiteouts, Flat)
        self._modes: dict[str, tuple[int, float]] = {}
        """Of folders, set at the end: they may be ones that nothing could be written into."""
        self._size = 0
        self._left = 0

    def run(self, source: _Hashed, limit: int) -> Unpacked:
        self._left = limit
        entries = 0
        with tarfile.open(fileobj=source, mode="r|", tarinfo=_Info, errorlevel=2, bufsize=CHUNK_BYTES) as archive:  # type: ignore[call-overload]
            for info in _members(archive, source):
                entries += 1
                if entries > MAX_ENTRIES:
                    raise ImageTooLarge(f"A layer has more than {MAX_ENTRIES} entries.")
                self._entry(archive, info)
        self._set_modes()
        return Unpacked(source.finish(), self._size, entries)

    def _entry(self, archive: tarfile.TarFile, info: tarfile.TarInfo) -> None:
        path = self._layer.place(info.name)
        parent, _, name = path.rpartition("/")
        if name == OPAQUE:
            self._whiteouts.clear(self._layer, parent or ".")
        elif name.startswith(WHITEOUT):
            self._whiteout(parent, name.removeprefix(WHITEOUT))
        elif info.isdir():
            self._make_folder(path, info)
        elif path == ".":
            raise InvalidImage("A layer's root is not a folder.")
        elif info.isreg():
            self._write(archive, path, info)
        elif info.issym():
            self._link(path, info)
        elif info.islnk():
            self._hard_link(path, info)
        else:  # a device, a pipe: nothing that a sandbox could use
            return
        if self._keeps_names:
            self._layer.made.add(path)

    def _whiteout(self, parent: str, name: str) -> None:
        if name in ("", ".", "..") or name.startswith(WHITEOUT):
            return  # storage drivers' own bookkeeping
        self._whiteouts.remove(self._layer, f"{parent}/{name}" if parent else name)

    def _make_folder(self, path: str, info: tarfile.TarInfo) -> None:
        if path != "." and self._layer.kind(path) != stat.S_IFDIR:
            self._layer.make_folder(path, 0o700)
        self._modes[path] = info.mode & 0o1777 | 0o700, _time(info)

    def _write(self, archive: tarfile.TarFile, path: str, info: tarfile.TarInfo) -> None:
        if info.size > self._left:
            raise ImageTooLarge(f"The image has more than {MAX_IMAGE_BYTES} bytes.")
        self._layer.remove(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        content = archive.extractfile(info)
        with os.fdopen(os.open(path, flags, 0o600, dir_fd=self._layer.root), "wb", buffering=0) as file:
            while content is not None and (chunk := content.read(CHUNK_BYTES)):
                file.write(chunk)
            os.fchmod(file.fileno(), info.mode & 0o777 | 0o600)
            moment = _time(info)
            os.utime(file.fileno(), (moment, moment))
        self._size += info.size
        self._left -= info.size

    def _link(self, path: str, info: tarfile.TarInfo) -> None:
        if not info.linkname or "\0" in info.linkname or len(os.fsencode(info.linkname)) > MAX_PATH_BYTES:
            raise InvalidImage(f"The link {path!r} of a layer has no target.")
        self._layer.remove(path)
        os.symlink(info.linkname, path, dir_fd=self._layer.root)
        self._layer.link_made()

    def _hard_link(self, path: str, info: tarfile.TarInfo) -> None:
        target = self._layer.place(info.linkname)
        if target == path:
            return
        if self._layer.kind(target) not in (stat.S_IFREG, stat.S_IFLNK) or self._layer.is_gone(target):
            raise InvalidImage(f"The link {path!r} of a layer leads to what is not there: {info.linkname[:200]!r}")
        self._layer.remove(path)
        root = self._layer.root
        os.link(target, path, src_dir_fd=root, dst_dir_fd=root, follow_symlinks=False)
        self._layer.link_made()

    def _set_modes(self) -> None:
        for path, (mode, moment) in sorted(self._modes.items(), reverse=True):
            try:
                with self._layer.opened(path) as fd:
                    os.fchmod(fd, mode)
                    os.utime(fd, (moment, moment))
            except (FileNotFoundError, NotADirectoryError):  # a later entry has taken its place
                continue
            except OSError as error:
                if error.errno != errno.ELOOP:
                    raise


def _members(archive: tarfile.TarFile, source: _Hashed) -> Iterator[tarfile.TarInfo]:
    """All entries, without keeping them as `tarfile` would."""
    count, end = 0, 0
    while (info := _next(archive, source, end)) is not None:
        yield info
        end = info.offset_data + info.size
        count += 1
        if count % _FORGET_AFTER == 0:
            archive.members.clear()  # type: ignore[attr-defined]
    if 0 < source.count - archive.offset < tarfile.BLOCKSIZE:
        raise InvalidImage("A layer is damaged: it breaks off in the middle of an entry.")


def _next(archive: tarfile.TarFile, source: _Hashed, end: int) -> tarfile.TarInfo | None:
    """The entry after the one that ends at `end`. Some tools (umoci) end an archive with its last file, and do not
    fill up its block."""
    try:
        return archive.next()
    except tarfile.ReadError:
        if end and end <= source.count < archive.offset:
            return None
        raise


def _time(info: tarfile.TarInfo) -> float:
    """When the entry was changed, within what file systems can hold."""
    return min(max(float(info.mtime), 0.0), 2.0**33)
