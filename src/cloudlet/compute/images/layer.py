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
import shutil
import stat
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol

import zstandard

from cloudlet.compute.images.errors import ImageTooLarge, InvalidImage
from cloudlet.compute.images.manifest import MAX_IMAGE_BYTES

MAX_ENTRIES: Final = 1_000_000
MAX_HEADER_BYTES: Final = 1024 * 1024
"""Of the records that carry long names and attributes, which are read as a whole."""
MAX_PATH_BYTES: Final = 4000
MAX_NAME_BYTES: Final = 255
MAX_LINKS_FOLLOWED: Final = 40
MAX_WINDOW_BYTES: Final = 128 * 1024 * 1024
"""What a zstd frame may ask of memory."""
CHUNK_BYTES: Final = 1024 * 1024
WHITEOUT: Final = ".wh."
OPAQUE: Final = ".wh..wh..opq"
OPAQUE_ATTRIBUTE: Final = "user.overlay.opaque"
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


class Whiteouts(Protocol):
    """What is done where a layer says that something below it is gone."""

    def remove(self, layer: "_Folder", path: str) -> None:
        """`path` is gone."""

    def clear(self, layer: "_Folder", path: str) -> None:
        """All that was in the folder `path` before this layer is gone."""


class Overlay:
    """For a layer in a folder of its own, which overlayfs will put over others."""

    def remove(self, layer: "_Folder", path: str) -> None:
        kind = layer.kind(path)
        if kind is None:
            try:
                os.mknod(path, stat.S_IFCHR, 0, dir_fd=layer.root)
            except PermissionError as error:  # overlayfs itself has no place for them
                text = "the data folder's file system cannot hold what layers have deleted; put it on another"
                raise OSError(errno.EPERM, text) from error
        elif kind == stat.S_IFDIR:  # gone, and here again as another
            layer.make_opaque(path)

    def clear(self, layer: "_Folder", path: str) -> None:
        layer.make_opaque(path)


class Flat:
    """For layers that are unpacked one upon the other into the same folder."""

    def remove(self, layer: "_Folder", path: str) -> None:
        if path not in layer.made:
            layer.remove(path)

    def clear(self, layer: "_Folder", path: str) -> None:
        with layer.opened(path) as fd:
            names = os.listdir(fd)  # noqa: PTH208 - of a descriptor
        for name in names:
            below = f"{path}/{name}" if path != "." else name
            if below not in layer.made:
                layer.remove(below)


class _Descriptor:
    """A descriptor that is closed at the end of a `with`."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __enter__(self) -> int:
        return self._fd

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


class _Folder:
    """The folder that a layer is unpacked into. Paths are relative to it, and of their parents none is a link."""

    def __init__(self, root: int) -> None:
        self.root = root
        self.made: set[str] = set()
        """What this layer has; only kept where layers lie upon each other."""
        self._resolved: dict[str, str] = {}

    def kind(self, path: str) -> int | None:
        """The type of what is at `path`, not following it; None for nothing."""
        try:
            return stat.S_IFMT(os.lstat(path, dir_fd=self.root).st_mode)
        except FileNotFoundError:
            return None

    def opened(self, path: str) -> _Descriptor:
        """The folder at `path`. Raises OSError when it is another thing."""
        return _Descriptor(os.open(path, _FOLDER, dir_fd=self.root))

    def place(self, name: str) -> str:
        """The path of an entry's name: its parents resolved as in a root, and made where they are missing."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if not parts:
            return "."
        if len(os.fsencode(name)) > MAX_PATH_BYTES or any(len(os.fsencode(part)) > MAX_NAME_BYTES for part in parts):
            raise InvalidImage("A path in a layer is too long.")
        if "\0" in name or parts[-1] == "..":
            raise InvalidImage(f"A layer has an entry that cannot be: {name[:200]!r}")
        parent = "/".join(parts[:-1])
        if parent not in self._resolved:
            self._resolved[parent] = self._parent(parts[:-1])
        there = self._resolved[parent]
        return f"{there}/{parts[-1]}" if there else parts[-1]

    def _parent(self, parts: list[str]) -> str:
        done: list[str] = []
        ahead = parts[::-1]
        followed = 0
        while ahead:
            part = ahead.pop()
            if part in ("", "."):
                continue
            if part == "..":
                del done[-1:]
                continue
            path = "/".join([*done, part])
            kind = self.kind(path)
            if kind == stat.S_IFLNK:
                followed += 1
                if followed > MAX_LINKS_FOLLOWED:
                    raise InvalidImage(f"The link {path!r} of a layer leads nowhere.")
                target = os.readlink(path, dir_fd=self.root)
                if target.startswith("/"):
                    done = []
                ahead.extend(target.split("/")[::-1])
                continue
            if kind != stat.S_IFDIR:
                self.make_folder(path, 0o755)
                self.made.add(path)
            done.append(part)
        return "/".join(done)

    def make_folder(self, path: str, mode: int) -> None:
        """A new folder in place of whatever is at `path` and is none."""
        was_gone = self.kind(path) == stat.S_IFCHR  # a whiteout: no other device is ever made
        self.remove(path)
        os.mkdir(path, mode, dir_fd=self.root)
        if was_gone:
            self.make_opaque(path)

    def make_opaque(self, path: str) -> None:
        """Let nothing of the layers below show through the folder at `path`."""
        with self.opened(path) as fd:
            try:
                os.setxattr(fd, OPAQUE_ATTRIBUTE, b"y")
            except OSError as error:
                if error.errno == errno.ENOTSUP:
                    raise OSError(errno.ENOTSUP, "the file system has no extended attributes of users") from error
                raise

    def remove(self, path: str) -> None:
        """Take away what is at `path`, whatever it is."""
        kind = self.kind(path)
        if kind == stat.S_IFDIR:
            shutil.rmtree(path, dir_fd=self.root)
        elif kind is not None:
            os.unlink(path, dir_fd=self.root)
        if kind in (stat.S_IFDIR, stat.S_IFLNK):
            self._resolved.clear()

    def link_made(self) -> None:
        """A link is where none was: what is known of parents may be wrong."""
        self._resolved.clear()


def unpack(
    file: IO[bytes], folder: Path, compression: str, whiteouts: Whiteouts, limit: int = MAX_IMAGE_BYTES
) -> Unpacked:
    """Write the layer in `file` into `folder`, which is there. Takes a while: call it in a thread.

    `limit`: how many bytes its archive may have. Raises InvalidImage, ImageTooLarge, OSError; `folder` is then of no
    use.
    """
    root = os.open(folder, _FOLDER)
    try:
        return _Unpacking(_Folder(root), whiteouts).run(_Hashed(file, compression, limit), limit)
    except _DAMAGED as error:
        raise InvalidImage(f"A layer is damaged: {error}") from error
    finally:
        os.close(root)


class _Unpacking:
    def __init__(self, layer: _Folder, whiteouts: Whiteouts) -> None:
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
        if self._layer.kind(target) not in (stat.S_IFREG, stat.S_IFLNK):
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
