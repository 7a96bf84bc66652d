"""Copies what a function has left in a /tmp to another one. The tree is nobody's any more, so it does not change.

It is done with rights that the function has not: so no link is followed, and nothing is taken but folders, links and
plain files, without any special bit.
"""

from __future__ import annotations

import os
import stat

_CHUNK = 16 * 1024 * 1024
_PLAIN = 0o777


def copy_tree(source: int, target: str, uid: int | None) -> None:
    """All below the folder `source` (a descriptor), as files of `uid` where there is one. Raises OSError."""
    for folder, folders, files, at in os.fwalk(".", dir_fd=source, follow_symlinks=False):
        below = os.path.normpath(os.path.join(target, folder))
        for name in [*folders, *files]:
            _copy(name, at, os.path.join(below, name), uid)


def _copy(name: str, at: int, target: str, uid: int | None) -> None:
    found = os.stat(name, dir_fd=at, follow_symlinks=False)
    if stat.S_ISLNK(found.st_mode):
        os.symlink(os.readlink(name, dir_fd=at), target)
    elif stat.S_ISDIR(found.st_mode):
        os.mkdir(target)
    elif stat.S_ISREG(found.st_mode):
        _copy_file(name, at, target, found.st_size)
    else:
        return
    if uid is not None:
        os.chown(target, uid, uid, follow_symlinks=False)
    if not stat.S_ISLNK(found.st_mode):
        os.chmod(target, found.st_mode & _PLAIN)
        os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def _copy_file(name: str, at: int, target: str, size: int) -> None:
    source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    try:
        made = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            while size > 0 and (count := os.sendfile(made, source, None, min(size, _CHUNK))):
                size -= count
        finally:
            os.close(made)
    finally:
        os.close(source)
