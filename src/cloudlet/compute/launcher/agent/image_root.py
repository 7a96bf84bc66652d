"""The root of a runtime that was imported from a container image: the image's files in place of the host's.

    /usr /bin /lib /var/lang /var/runtime ...   the image's, read-only
    /etc                                        a copy of the image's, with our users, hosts and resolver
    /dev /proc /sys /tmp /var/task /opt         as in every sandbox

The image is somebody's content: none of its links is ever followed outside of a sandbox.
"""

from __future__ import annotations

import os
import shutil
import stat

from . import rootfs

_OURS = frozenset(("dev", "proc", "sys", "tmp", "etc", "var", "run", "opt"))
_OURS_BELOW_VAR = frozenset(("task", "rapid", "tmp", "run"))
_MOST_SETTINGS_BYTES = 32 * 1024 * 1024


class ImageBuilder(rootfs.Builder):
    """Fills the new root from an unpacked image."""

    def _system(self) -> None:
        self._show(self._image(), "", _OURS)

    def _etc(self) -> None:
        os.makedirs("etc")
        source = os.path.join(self._image(), "etc")
        if _is_folder(source):
            self._copy(source, "etc", _MOST_SETTINGS_BYTES)
        for name, content in rootfs.ETC_CONTENTS.items():
            if os.path.lexists(f"etc/{name}"):
                os.unlink(f"etc/{name}")
            self._write(f"etc/{name}", content)

    def _runtime(self) -> None:
        os.makedirs("var", exist_ok=True)
        below = os.path.join(self._image(), "var")
        if _is_folder(below):
            self._show(below, "var", _OURS_BELOW_VAR)
        self._agent()

    def _image(self) -> str:
        if self.root.image is None:
            raise ValueError("no image")
        return self.root.image

    def _show(self, source: str, target: str, without: frozenset[str]) -> None:
        """Everything of one folder of the image: folders as mounts, links and files as copies."""
        for name in os.listdir(source):
            path, place = os.path.join(source, name), os.path.join(target, name)
            if name in without or os.path.lexists(place):
                continue
            if _is_folder(path):
                os.mkdir(place)
                self._attach(path, place)
            else:
                self._copy_one(path, place, _MOST_SETTINGS_BYTES)

    def _copy(self, source: str, target: str, left_bytes: int) -> int:
        """A folder with all in it. Returns how many bytes are still allowed. Raises OSError when there are none."""
        for name in os.listdir(source):
            path, place = os.path.join(source, name), os.path.join(target, name)
            if _is_folder(path):
                os.mkdir(place)
                left_bytes = self._copy(path, place, left_bytes)
            else:
                left_bytes = self._copy_one(path, place, left_bytes)
        return left_bytes

    def _copy_one(self, path: str, place: str, left_bytes: int) -> int:
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(path), place)
        elif stat.S_ISREG(status.st_mode) and os.access(path, os.R_OK):
            left_bytes -= status.st_size
            if left_bytes < 0:
                raise OSError(f"the image's settings are larger than {_MOST_SETTINGS_BYTES} bytes")
            shutil.copyfile(path, place)
            os.chmod(place, status.st_mode & 0o755)
        return left_bytes


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)
