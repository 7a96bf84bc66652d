"""Copies of a project's folder, each as it was at one moment; what has not changed is a link to the copy before.

A sandbox sees such a copy as /var/task. It must not see what else lies in a project: version control, virtual
environments, the data folder of a node.
"""

import contextlib
import os
import secrets
import shutil
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Final

from cloudlet.cli.output import CommandError

LEFT_OUT: Final = frozenset(
    {
        ".git", ".hg", ".svn", ".venv", "venv", ".tox", ".nox", "__pycache__", ".mypy_cache", ".pytest_cache",
        ".ruff_cache", ".hypothesis", ".idea", ".vscode", ".cloudlet", ".aws-sam", ".DS_Store",
    }
)  # fmt: skip
_SUFFIXES: Final = (".pyc", ".swp", ".swx", ".swo", "~", ".tmp")
MAX_FILES: Final = 200_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as it was when it was copied."""

    modified_ns: int
    size_bytes: int
    mode: int


@dataclass(slots=True)
class Copy:
    """One copy of a project."""

    name: str
    files: dict[str, Entry] = field(default_factory=dict)
    """By their paths in the project."""
    changed: list[str] = field(default_factory=list)
    """What is new, different or gone since the copy before."""


def is_left_out(path: Path) -> bool:
    """True for what is no part of a function's code, by the name of one part of its path."""
    return any(part in LEFT_OUT or part.endswith(_SUFFIXES) for part in path.parts)


class Copies:
    """Makes copies of one project."""

    def __init__(self, project: Path, folder: Path, private: Path) -> None:
        """`folder` takes the copies; `private` is the node's data folder, which is never copied."""
        self._project = project.resolve()
        self._folder = folder
        self._private = private.resolve()
        self._last: Copy | None = None

    def forget(self) -> None:
        """The copies are gone: the next one is new from top to bottom."""
        self._last = None

    def take(self) -> Copy:
        """The project as it is now. Raises CommandError when it cannot be read or kept."""
        try:
            return self._take()
        except OSError as error:
            raise CommandError(f"{error.filename or self._folder}: {error.strerror}") from error

    def _take(self) -> Copy:
        made = Copy(secrets.token_hex(16))
        place = self._folder / made.name
        before = self._last.files if self._last is not None else {}
        old = self._folder / self._last.name if self._last is not None else None
        place.mkdir(mode=0o755)
        try:
            for relative, source in project_files(self._project, self._private):
                with contextlib.suppress(FileNotFoundError):  # it is gone again: another change follows
                    self._add(made, place, relative, source, old if relative in before else None, before.get(relative))
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        made.changed += sorted(before.keys() - made.files.keys())
        self._last = made
        return made

    def _add(self, made: Copy, place: Path, relative: str, source: Path, old: Path | None, known: Entry | None) -> None:
        status = source.stat()
        mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
        entry = Entry(status.st_mtime_ns, status.st_size, mode)
        target = place / relative
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        made.files[relative] = entry
        if old is not None and entry == known:
            with contextlib.suppress(OSError):  # the node may have been started anew, without our last copy
                os.link(old / relative, target)
                return
        shutil.copyfile(source, target)
        target.chmod(mode)
        os.utime(target, ns=(status.st_mtime_ns, status.st_mtime_ns))
        if entry != known:
            made.changed.append(relative)


def package(project: Path, private: Path) -> bytes:
    """The project as a code package. Raises CommandError when it cannot be read."""
    content = BytesIO()
    try:
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for relative, source in project_files(project.resolve(), private.resolve()):
                info = zipfile.ZipInfo(relative)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = (0o755 if source.stat().st_mode & stat.S_IXUSR else 0o644) << 16
                archive.writestr(info, source.read_bytes())
    except OSError as error:
        raise CommandError(f"{error.filename or project}: {error.strerror}") from error
    return content.getvalue()


def project_files(project: Path, private: Path) -> Iterator[tuple[str, Path]]:
    """(path in the project, real file) of all that belongs to the function. Links are followed inside the project.

    Raises CommandError when there are more than `MAX_FILES`.
    """
    count = 0
    folders = [(project, project)]
    while folders:
        here, here_real = folders.pop()
        for found in sorted(os.scandir(here), key=lambda each: each.name):
            path = Path(found.path)
            relative = path.relative_to(project)
            real = path.resolve()
            if is_left_out(relative) or real.is_relative_to(private) or not real.is_relative_to(project):
                continue
            if found.is_dir():
                if not here_real.is_relative_to(real):  # a link to where it is itself would have no end
                    folders.append((path, real))
            elif found.is_file():
                count += 1
                if count > MAX_FILES:
                    raise CommandError(f"{project} has more than {MAX_FILES} files.")
                yield relative.as_posix(), real
