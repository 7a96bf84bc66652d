"""What installed programs say of themselves, remembered: a program is run again only when it has changed."""

import contextlib
import json
import os
import subprocess
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .interpreter import Interpreter

Facts = dict[str, Any]
_TIMEOUT_S = 20.0


def is_program(path: Path) -> bool:
    """True for a binary; version managers' shims are scripts that may stand for nothing."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def ask(command: Sequence[str]) -> Facts | None:
    """The JSON object that `command` prints; None for one that does not run."""
    try:
        answer = subprocess.run(list(command), capture_output=True, timeout=_TIMEOUT_S, check=True, cwd="/")
        facts: Facts = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return facts


class Answers:
    """Answers to one question, kept in a file as far as that can be written."""

    def __init__(self, memory: Path | None, question: str) -> None:
        self._memory = memory
        self._question = zlib.crc32(question.encode())
        self._known = self._recall()
        self._said: dict[str, Facts | None] = {}

    def _recall(self) -> dict[str, Facts | None]:
        try:
            known: dict[str, Facts | None] = json.loads(self._memory.read_text()) if self._memory is not None else {}
        except (OSError, ValueError):
            return {}
        return known

    def state(self, path: Path) -> str:
        """The path with what changes when the file does, and with the version of our question."""
        status = path.stat()
        return f"{path}:{status.st_mtime_ns}:{status.st_size}:{self._question}"

    def recall(self, state: str) -> tuple[bool, Facts | None]:
        """Whether that is known, and what was said."""
        return state in self._known, self._known.get(state)

    def is_new(self, state: str) -> bool:
        """False for a program that has been reached before by another path."""
        return state not in self._said

    def add(self, state: str, facts: Facts | None) -> None:
        """It has said this."""
        self._said[state] = facts

    def keep(self) -> None:
        """Best effort: what cannot be kept is asked again."""
        if self._memory is None or self._said == self._known:
            return
        with contextlib.suppress(OSError):
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._memory.with_name(f"{self._memory.name}.{os.getpid()}")
            fresh.write_text(json.dumps(self._said))
            fresh.rename(self._memory)


def folders_like(root: Path, pattern: str) -> list[Path]:
    """The folders below `root` that fit `pattern`; none where this user may not look."""
    try:
        return sorted(root.glob(pattern))
    except OSError:  # Path.glob passes over what is missing, not over what is closed
        return []


def installations(
    environ: Mapping[str, str], program: str, managers: Iterable[tuple[str, Path, str]]
) -> Iterator[tuple[str, Path]]:
    """Every binary called `program`, with the way it was found.

    `managers` are version managers: a name, a folder, and a pattern that leads to folders with programs.
    """
    for found_by, root, pattern in managers:
        for folder in folders_like(root, pattern):
            if is_program(folder / program):
                yield found_by, folder / program
    for entry in environ.get("PATH", "").split(os.pathsep):
        if entry and is_program(Path(entry, program)):
            yield "PATH", Path(entry, program)
    for entry in ("/usr/bin", "/usr/local/bin"):
        if is_program(Path(entry, program)):
            yield entry, Path(entry, program)


def home(environ: Mapping[str, str]) -> Path:
    """Where version managers keep things."""
    return Path(environ.get("HOME", "/root"))


def version_key(version: str) -> tuple[int, ...]:
    """Orders versions: 20.9.1 before 20.10.0."""
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def newest(interpreters: Iterable[Interpreter]) -> dict[str, Interpreter]:
    """The newest of each name, oldest name first. Of two that are the same the first one found stays."""
    found: dict[str, Interpreter] = {}
    for each in interpreters:
        other = found.get(each.name)
        if other is None or version_key(each.version) > version_key(other.version):
            found[each.name] = each
    return dict(sorted(found.items(), key=lambda item: version_key(item[1].version)))


def outside_usr(folders: Iterable[str]) -> tuple[str, ...]:
    """Those that exist and are not in a folder that every sandbox has anyway, without those inside of others."""
    system = ("/usr", "/bin", "/lib", "/lib64", "/sbin")
    real = sorted({os.path.realpath(folder) for folder in folders if Path(folder).is_dir()})

    def is_in(folder: str, others: Iterable[str]) -> bool:
        return any(folder == other or folder.startswith(f"{other}/") for other in others)

    kept = [folder for folder in real if not is_in(folder, system)]
    return tuple(folder for folder in kept if not is_in(folder, [other for other in kept if other != folder]))
