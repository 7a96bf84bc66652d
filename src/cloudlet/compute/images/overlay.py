"""What a path is in layers that lie upon each other, found without mounting them.

It is asked for an image's program and working directory before a sandbox is made, so that what is missing is said in
AWS's words.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from cloudlet.compute.archive import MAX_LINKS_FOLLOWED
from cloudlet.compute.images.layer_folder import OPAQUE_ATTRIBUTE, WHITEOUT_ATTRIBUTE


class MergedLayers:
    """Layers, the lowest first, as a sandbox sees them."""

    def __init__(self, layers: Sequence[Path]) -> None:
        self._layers = list(reversed(layers))

    def find(self, path: str) -> os.stat_result | None:
        """What is at the absolute `path`, links followed inside of the root; None for nothing."""
        found = self._resolved(path)
        return found[2] if found is not None else None

    def head(self, path: str, size: int) -> bytes:
        """The first `size` bytes of the file at the absolute `path`; nothing where there is no file."""
        found = self._resolved(path)
        if found is None or not stat.S_ISREG(found[2].st_mode):
            return b""
        with found[1].open("rb") as file:
            return file.read(size)

    def files(self, path: str) -> list[str]:
        """The names of what is in the folder at the absolute `path` and is no folder, in their order."""
        found = self._resolved(path)
        if found is None:
            return []
        parts = found[0]
        names: set[str] = set()
        for folder in self._layers:
            place = folder.joinpath(*parts)
            if place.is_dir() and not place.is_symlink():
                names.update(entry.name for entry in place.iterdir())
        seen = ((name, self._resolved("/".join(["", *parts, name]))) for name in names)
        return sorted(name for name, one in seen if one is not None and not stat.S_ISDIR(one[2].st_mode))

    def _resolved(self, path: str) -> tuple[list[str], Path, os.stat_result] | None:
        """Where the absolute `path` leads inside of the root, the file of the layer that has it, and what that is."""
        done: list[str] = []
        ahead = path.split("/")[::-1]
        found = self._lookup([])
        links = 0
        while ahead:
            part = ahead.pop()
            if part in ("", "."):
                continue
            if part == "..":
                del done[-1:]
                found = self._lookup(done)
                continue
            if found is None or not stat.S_ISDIR(found[1].st_mode):
                return None
            found = self._lookup([*done, part])
            if found is not None and stat.S_ISLNK(found[1].st_mode):
                links += 1
                if links > MAX_LINKS_FOLLOWED:
                    return None
                target = found[0].readlink()
                ahead.extend(str(target).split("/")[::-1])
                if target.is_absolute():
                    done = []
                found = self._lookup(done)
                continue
            done.append(part)
        return (done, *found) if found is not None else None

    def _lookup(self, parts: Sequence[str]) -> tuple[Path, os.stat_result] | None:
        """The topmost thing at a path without links, unless a layer above it says that it is gone."""
        for folder in self._layers:
            covers = False
            here = folder
            for part in ("", *parts):
                here = here / part
                try:
                    status = here.lstat()
                except OSError:
                    break
                is_folder = stat.S_ISDIR(status.st_mode)
                if _is_whiteout(here, status):
                    return None
                covers = covers or not is_folder or _is_opaque(here)
            else:
                return here, status
            if covers:
                return None
        return None


def _is_whiteout(path: Path, status: os.stat_result) -> bool:
    if stat.S_ISREG(status.st_mode) and not status.st_size:
        return WHITEOUT_ATTRIBUTE in os.listxattr(path, follow_symlinks=False)
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def _is_opaque(folder: Path) -> bool:
    try:
        return os.getxattr(folder, OPAQUE_ATTRIBUTE, follow_symlinks=False) == b"y"
    except OSError:
        return False
