"""The runtimes of this machine: which there are, and how each is made ready for functions."""

import asyncio
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudlet.compute.function import RuntimeMissing

from . import discovery, preparation
from .discovery import Interpreter
from .preparation import Progress

__all__ = ["CUSTOM_RUNTIMES", "LIBRARY_PATH", "Interpreter", "Progress", "Runtime", "Runtimes"]

logger = logging.getLogger(__name__)

CUSTOM_RUNTIMES = ("provided.al2023", "provided.al2")
LIBRARY_PATH = "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"
"""LD_LIBRARY_PATH of AWS's Python runtimes. A zygote is started with it, because the loader reads it only once."""
_PYTHON = re.compile(r"python3\.(\d+)")
_ZYGOTE_ENVIRONMENT = {
    "LANG": "en_US.UTF-8",
    "LC_CTYPE": "C.UTF-8",
    "LD_LIBRARY_PATH": LIBRARY_PATH,
    "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    "TZ": ":UTC",
}


@dataclass(frozen=True, slots=True)
class Runtime:
    """A runtime that functions can be run on."""

    name: str
    """What it really is: another than was asked for, when only the nearest version is there."""
    requested: str
    folder: Path | None
    """The prepared folder; None for runtimes that come with the function."""
    interpreter: Interpreter | None

    @property
    def is_nearest(self) -> bool:
        """True when this is not the version that was asked for."""
        return self.name != self.requested

    def for_launcher(self) -> dict[str, Any]:
        """What the launcher is told."""
        if self.interpreter is None:
            return {"name": "provided", "kind": "provided", "has_telemetry": False}
        return {
            "name": self.name,
            "kind": "python",
            "has_telemetry": True,
            "executable": str(self.interpreter.executable),
            "folders": list(self.interpreter.folders),
            "hidden": list(self.interpreter.hidden),
            "folder": str(self.folder),
            "environment": _ZYGOTE_ENVIRONMENT,
        }


class Runtimes:
    """Finds runtimes by name and makes them ready.

    `folder` holds the prepared ones and may be shared between nodes. With `nearest`, a Python version that this
    machine has not is served by the nearest one that it has. `interpreters` are looked for unless given.
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
        self._interpreters = interpreters
        self._locks: dict[str, asyncio.Lock] = {}
        self._ready: dict[str, Runtime] = {}

    def interpreters(self) -> Mapping[str, Interpreter]:
        """The Python interpreters of this machine by runtime name; looked for once."""
        if self._interpreters is None:
            self._interpreters = discovery.discover(self._environ, self.folder / "interpreters.json")
        return self._interpreters

    def resolve(self, name: str) -> Runtime:
        """The runtime that serves functions of runtime `name`. Raises RuntimeMissing, with how to add it."""
        if name in CUSTOM_RUNTIMES:
            return Runtime(name, name, None, None)
        interpreters = self.interpreters()
        found = _PYTHON.fullmatch(name)
        if name in interpreters:
            chosen = interpreters[name]
        elif found and self._nearest and interpreters:
            wanted = int(found[1])
            chosen = min(interpreters.values(), key=lambda each: (abs(each.minor - wanted), -each.minor))
        else:
            raise RuntimeMissing(self._missing(name, bool(found)))
        return Runtime(chosen.name, name, self.folder / chosen.name, chosen)

    def _missing(self, name: str, is_python: bool) -> str:
        there = ", ".join([*self.interpreters(), *CUSTOM_RUNTIMES])
        if not is_python:
            return f"This machine has no runtime {name}. It has: {there}."
        version = name.removeprefix("python")
        return (
            f"This machine has no runtime {name}. It has: {there}. To add it, install Python {version} "
            f"(for example: pyenv install {version}, or uv python install {version}) and start the node again; "
            "or set nearest_runtime to run such functions on the nearest version."
        )

    def is_prepared(self, name: str) -> bool:
        """True when the first launch of `name` would not have to fetch anything. Raises RuntimeMissing."""
        runtime = self.resolve(name)
        if runtime.interpreter is None or runtime.folder is None:
            return True
        return preparation.is_prepared(runtime.interpreter, runtime.folder)

    async def prepare(self, name: str, progress: Progress | None = None) -> Runtime:
        """Make the runtime ready, once. Raises RuntimeMissing when it is not there or cannot be fetched."""
        if name in self._ready:
            return self._ready[name]
        runtime = await asyncio.to_thread(self.resolve, name)
        if runtime.interpreter is not None and runtime.folder is not None:
            lock = self._locks.setdefault(runtime.name, asyncio.Lock())
            async with lock:
                await asyncio.to_thread(
                    preparation.prepare, runtime.interpreter, runtime.folder, progress or self._progress
                )
        self._ready[name] = runtime
        return runtime
