"""Python runtimes: an interpreter of this machine, AWS's runtime client and boto3. Sandboxes are forks of a zygote."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import discovery, preparation
from .interpreter import Interpreter, Progress

LIBRARY_PATH = "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"
"""LD_LIBRARY_PATH of AWS's Python runtimes. A zygote is started with it, because the loader reads it only once."""
_NAME = re.compile(r"python3\.(\d+)")
_ZYGOTE_ENVIRONMENT = {
    "LANG": "en_US.UTF-8",
    "LC_CTYPE": "C.UTF-8",
    "LD_LIBRARY_PATH": LIBRARY_PATH,
    "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    "TZ": ":UTC",
}


class Python:
    """See `Language`."""

    name = "python"
    runs_older = False

    def discover(self, environ: Mapping[str, str], memory: Path) -> dict[str, Interpreter]:
        return discovery.discover(environ, memory / "interpreters.json")

    def release(self, name: str) -> float | None:
        found = _NAME.fullmatch(name)
        return float(found[1]) if found else None

    def remedy(self, name: str) -> str:
        version = name.removeprefix(self.name)
        return f"install Python {version} (for example: pyenv install {version}, or uv python install {version})"

    def is_prepared(self, interpreter: Interpreter, folder: Path) -> bool:
        return preparation.is_prepared(interpreter, folder)

    def prepare(self, interpreter: Interpreter, folder: Path, progress: Progress) -> None:
        preparation.prepare(interpreter, folder, progress)

    def lacks(self, interpreter: Interpreter, folder: Path) -> str:  # noqa: ARG002 - of the interface
        return ""

    def for_launcher(self, interpreter: Interpreter, folder: Path) -> dict[str, Any]:
        executable = str(interpreter.executable)
        names = ("python", "python3", interpreter.name, interpreter.executable.name)
        return {
            "kind": "python",
            "has_telemetry": True,
            "executable": executable,
            "links": {f"/var/lang/bin/{name}": executable for name in names},
            "folders": list(interpreter.folders),
            "hidden": list(interpreter.hidden),
            "folder": str(folder),
            "environment": _ZYGOTE_ENVIRONMENT,
        }
