"""An installed interpreter or virtual machine that functions can run on, and how a kind of runtime is served by it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A CPython, Node.js, Java or Ruby of this machine."""

    name: str
    """The runtime that it is: `python3.12`, `nodejs20.x`, `java17`."""
    version: str
    """`3.12.1`."""
    executable: Path
    found_by: str
    """Where it was found: `pyenv`, `uv`, `PATH`, `/usr/bin` ..."""
    folders: tuple[str, ...]
    """What it needs of the file system: its installation."""
    hidden: tuple[str, ...] = ()
    """Folders below those that functions do not see: site-packages."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What else its language wants to know of it."""

    @property
    def minor(self) -> int:
        """12 of 3.12.1."""
        return int(self.version.split(".")[1])


class Language(Protocol):
    """A family of runtimes: `python`, `nodejs`, `java`, `ruby`."""

    name: str
    runs_older: bool
    """True when a newer version runs what was made for an older one, and an older one does not run what is newer."""

    def discover(self, environ: Mapping[str, str], memory: Path) -> dict[str, Interpreter]:
        """The interpreters of this machine by runtime name, oldest first. What they said is kept in `memory`."""

    def release(self, name: str) -> float | None:
        """Where the runtime `name` stands among the versions of this language; None when it is not of it."""

    def remedy(self, name: str) -> str:
        """What to do to have the runtime `name`: a sentence's beginning, `install Python 3.12 (...)`."""

    def is_prepared(self, interpreter: Interpreter, folder: Path) -> bool:
        """True when `folder` holds what `prepare` puts there."""

    def prepare(self, interpreter: Interpreter, folder: Path, progress: Progress) -> None:
        """Make `folder`, unless it is there. Raises RuntimeMissing."""

    def lacks(self, interpreter: Interpreter, folder: Path) -> str:
        """What functions do without in a prepared folder, and how to add it; empty for nothing."""

    def for_launcher(self, interpreter: Interpreter, folder: Path) -> dict[str, Any]:
        """What the launcher is told."""
