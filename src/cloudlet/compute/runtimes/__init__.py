"""The runtimes of this machine: which there are, and how each is made ready for functions."""

import asyncio
import logging
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudlet.compute.function import RuntimeMissing
from cloudlet.compute.launcher.agent import checkpoint_code

from . import folders, imported
from .imported import ImportedRuntime
from .interpreter import Interpreter, Language, Progress
from .java import Java
from .node import Node
from .python import LIBRARY_PATH, Python
from .ruby import Ruby

__all__ = ["CUSTOM_RUNTIMES", "LIBRARY_PATH", "Interpreter", "Progress", "Runtime", "Runtimes"]

logger = logging.getLogger(__name__)

CUSTOM_RUNTIMES = ("provided.al2023", "provided.al2")
LANGUAGES: tuple[Language, ...] = (Python(), Node(), Java(), Ruby())


@dataclass(frozen=True, slots=True)
class Runtime:
    """A runtime that functions can be run on."""

    name: str
    """What it really is: another than was asked for, when only the nearest version is there."""
    folder: Path | None
    """The prepared folder; None for runtimes that come with the function."""
    interpreter: Interpreter | None
    language: Language | None = None
    image: ImportedRuntime | None = None
    """Where it comes from a container image."""

    @property
    def version(self) -> str:
        """What really runs: `3.12.1`; empty where nobody knows."""
        return self.interpreter.version if self.interpreter is not None else ""

    def for_launcher(self) -> dict[str, Any]:
        """What the launcher is told."""
        if self.image is not None and self.folder is not None:
            return self.image.for_launcher(self.folder)
        if self.interpreter is None or self.language is None or self.folder is None:
            return {"name": "provided", "kind": "provided", "has_telemetry": False}
        return {"name": self.name, **self.language.for_launcher(self.interpreter, self.folder)}


class Runtimes:
    """Finds runtimes by name and makes them ready.

    `folder` holds the prepared ones and may be shared between nodes. With `nearest`, a version that this machine has
    not is served by the nearest one that it has. `interpreters` are looked for unless given.
    """

    def __init__(
        self,
        folder: Path,
        *,
        nearest: bool = False,
        interpreters: Mapping[str, Interpreter] | None = None,
        environ: Mapping[str, str] = os.environ,
        progress: Progress = logger.info,
    ) -> None:
        self.folder = folder.absolute()
        self._nearest = nearest
        self._environ = environ
        self._progress = progress
        self._given = interpreters
        self._found: dict[str, Mapping[str, Interpreter]] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._ready: dict[str, Runtime] = {}

    def interpreters(self, *languages: str) -> dict[str, Interpreter]:
        """The interpreters of this machine by runtime name: of these languages, or of all. Looked for once."""
        wanted = [each for each in LANGUAGES if not languages or each.name in languages]
        return {name: found for each in wanted for name, found in self._of(each).items()}

    def _of(self, language: Language) -> Mapping[str, Interpreter]:
        if language.name not in self._found:
            given = self._given
            self._found[language.name] = (
                language.discover(self._environ, self.folder)
                if given is None
                else {name: each for name, each in given.items() if language.release(name) is not None}
            )
        return self._found[language.name]

    def resolve(self, name: str) -> Runtime:
        """The runtime that serves functions of runtime `name`. Raises RuntimeMissing, with how to add it."""
        image = imported.find(self.folder, name)
        if image is not None:
            return Runtime(name, self.folder, None, image=image)
        if name in CUSTOM_RUNTIMES:
            return Runtime(name, None, None)
        language = next((each for each in LANGUAGES if each.release(name) is not None), None)
        if language is None:
            raise RuntimeMissing(f"This machine has no runtime {name}. It has: {self._there()}. {_other(name)}")
        found = self._of(language)
        chosen = found.get(name)
        if chosen is None and self._nearest and found:
            chosen = _nearest(language, name, found)
        if chosen is None:
            raise RuntimeMissing(
                f"This machine has no runtime {name}. It has: {self._there()}. To add it, {language.remedy(name)} and "
                "start the node again; or set nearest_runtime to run such functions on the nearest version; or import "
                f"it from a container image: cloudlet runtimes add {name} IMAGE."
            )
        return Runtime(chosen.name, self.folder / chosen.name, chosen, language)

    def _there(self) -> str:
        names = [*self.interpreters(), *(each.name for each in self.imported()), *CUSTOM_RUNTIMES]
        return ", ".join(dict.fromkeys(names))

    def imported(self) -> list[ImportedRuntime]:
        """Runtimes from container images."""
        return imported.every(self.folder)

    def is_prepared(self, name: str) -> bool:
        """True when the first launch of `name` would not have to fetch anything. Raises RuntimeMissing."""
        runtime = self.resolve(name)
        if runtime.interpreter is None or runtime.language is None or runtime.folder is None:
            return True
        return runtime.language.is_prepared(runtime.interpreter, runtime.folder)

    def lacks(self, name: str) -> str:
        """What functions of a prepared runtime do without; empty for nothing. Raises RuntimeMissing."""
        runtime = self.resolve(name)
        if runtime.interpreter is None or runtime.language is None or runtime.folder is None:
            return ""
        return runtime.language.lacks(runtime.interpreter, runtime.folder)

    def snapshot_obstacle(self, name: str) -> str:
        """Why this machine can take no snapshot of functions of runtime `name`; empty when it can.

        Raises RuntimeMissing.
        """
        runtime = self.resolve(name)
        if runtime.image is not None:
            return "the runtime is imported from a container image: SnapStart needs an interpreter of this machine."
        if runtime.language is not None and runtime.language.name == "python":
            if checkpoint_code.is_supported():
                return ""
            return f"there is no code yet to take and restore snapshots on this machine ({platform.machine()})."
        return "only Python functions can have it yet."

    async def prepare(self, name: str, progress: Progress | None = None) -> Runtime:
        """Make the runtime ready, once. Raises RuntimeMissing when it is not there or cannot be fetched."""
        if name in self._ready:
            return self._ready[name]
        runtime = await asyncio.to_thread(self.resolve, name)
        if runtime.interpreter is not None and runtime.language is not None and runtime.folder is not None:
            lock = self._locks.setdefault(runtime.name, asyncio.Lock())
            async with lock:
                await asyncio.to_thread(
                    runtime.language.prepare, runtime.interpreter, runtime.folder, progress or self._progress
                )
        self._ready[name] = runtime
        return runtime

    async def complete(self, name: str) -> Runtime:
        """The same, and try again to fetch what a prepared one lacks. Raises RuntimeMissing."""
        if await asyncio.to_thread(self.lacks, name):
            (self.folder / self.resolve(name).name / folders.MARKER).unlink(missing_ok=True)
            self._ready.pop(name, None)
        return await self.prepare(name)


def _other(name: str) -> str:
    """How a runtime can be had for which no language of ours looks on this machine."""
    image = f"import it from a container image: cloudlet runtimes add {name} IMAGE."
    if name.startswith("dotnet"):
        return f"To run .NET, publish the function as a program of its own (bootstrap) for provided.al2023, or {image}"
    return f"To add it, {image}"


def _nearest(language: Language, name: str, found: Mapping[str, Interpreter]) -> Interpreter:
    """The interpreter with the least distance; of two the newer one. Newer ones first where that matters."""
    wanted = language.release(name) or 0.0

    def distance(interpreter: Interpreter) -> tuple[bool, float, float]:
        release = language.release(interpreter.name) or 0.0
        return language.runs_older and release < wanted, abs(release - wanted), -release

    return min(found.values(), key=distance)
