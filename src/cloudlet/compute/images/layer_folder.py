"""The folder that a layer is unpacked into, and how overlayfs is told there that something below it is gone.

Usually that is a character device 0/0. A file system that is an overlay itself has none: then it is an empty file with
the attribute `user.overlay.whiteout`, which Linux 6.8 and newer know, in a folder that is marked as holding such files.
https://docs.kernel.org/filesystems/overlayfs.html#whiteouts-and-opaque-directories
"""

import errno
import os
import re
import shutil
import stat
from typing import Final

from cloudlet.compute.archive import MAX_LINKS_FOLLOWED
from cloudlet.compute.images.errors import InvalidImage

MAX_PATH_BYTES: Final = 4000
MAX_NAME_BYTES: Final = 255
OPAQUE_ATTRIBUTE: Final = "user.overlay.opaque"
WHITEOUT_ATTRIBUTE: Final = "user.overlay.whiteout"
HOLDS_MARKS: Final = b"x"
KNOW_MARKS: Final = (6, 8)
"""Versions of Linux from which on marked files mean what they say."""
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def knows_marks(release: str = "") -> bool:
    """True when this kernel knows files with `user.overlay.whiteout`."""
    found = re.match(r"(\d+)\.(\d+)", release or os.uname().release)
    return found is not None and (int(found[1]), int(found[2])) >= KNOW_MARKS


class _Descriptor:
    """A descriptor that is closed at the end of a `with`."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __enter__(self) -> int:
        return self._fd

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


class LayerFolder:
    """The folder that a layer is unpacked into. Paths are relative to it, and of their parents none is a link."""

    def __init__(self, root: int) -> None:
        self.root = root
        self.made: set[str] = set()
        """What this layer has; only kept where layers lie upon each other."""
        self._resolved: dict[str, str] = {}
        self._marked: set[str] = set()
        """Files that only say that what is below them is gone."""

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
        was_gone = self.is_gone(path)
        self.remove(path)
        os.mkdir(path, mode, dir_fd=self.root)
        os.chmod(path, mode, dir_fd=self.root)  # whatever the umask
        if was_gone:
            self.make_opaque(path)

    def is_gone(self, path: str) -> bool:
        """True where this layer says that what is below it at `path` is gone."""
        # No other device is ever made. A marked file cannot come from an archive, whose attributes are not kept.
        return self.kind(path) == stat.S_IFCHR or path in self._marked

    def mark_gone(self, path: str) -> None:
        """Let what is below at `path`, where this layer has nothing, be gone."""
        try:
            os.mknod(path, stat.S_IFCHR, 0, dir_fd=self.root)
        except PermissionError as error:  # overlayfs itself has no place for these
            if not knows_marks():
                text = "the data folder's file system cannot hold what layers have deleted; put it on another"
                raise OSError(errno.EPERM, text) from error
            self._mark(path)

    def _mark(self, path: str) -> None:
        parent = path.rpartition("/")[0] or "."
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with _Descriptor(os.open(path, flags, 0o600, dir_fd=self.root)) as fd:
            os.setxattr(fd, WHITEOUT_ATTRIBUTE, b"y")
            os.fchmod(fd, 0o444)  # attributes of users are read by who may read the file
        self._marked.add(path)
        for place in {parent, "."}:
            with self.opened(place) as fd:
                if OPAQUE_ATTRIBUTE not in os.listxattr(fd):
                    os.setxattr(fd, OPAQUE_ATTRIBUTE, HOLDS_MARKS)

    def make_opaque(self, path: str) -> None:
        """Let nothing of the layers below show through the folder at `path`."""
        for marked in [name for name in self._marked if (name.rpartition("/")[0] or ".") == path]:
            self.remove(marked)  # in such a folder it would be seen as a file
        with self.opened(path) as fd:
            try:
                os.setxattr(fd, OPAQUE_ATTRIBUTE, b"y")
            except OSError as error:
                if error.errno == errno.ENOTSUP:
                    raise OSError(errno.ENOTSUP, "the file system has no extended attributes of users") from error
                raise

    def remove(self, path: str) -> None:
        """Take away what is at `path`, whatever it is."""
        self._marked.discard(path)
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
