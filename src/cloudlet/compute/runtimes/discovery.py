"""Finds the Python interpreters of this machine: no path is taken for granted."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from . import probes
from .interpreter import Interpreter
from .probes import Facts, is_program

_NAME = re.compile(r"python3\.(9|1[0-9])")
"""AWS's Python runtimes begin at 3.9 (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html)."""
_PROBE = """
import json, os, site, struct, sys, sysconfig
try:
    import bz2, ctypes, lzma, readline, sqlite3, ssl
except ImportError:
    pass
base = getattr(sys, "_base_executable", None) or sys.executable
folders = {sys.base_prefix, sys.base_exec_prefix, sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
hidden = {*site.getsitepackages([sys.base_prefix, sys.base_exec_prefix]), "/usr/local/lib/python%d.%d/dist-packages"
          % sys.version_info[:2], "/usr/lib/python3/dist-packages"}
with open("/proc/self/maps") as maps:
    mapped = (line.split(None, 5)[5:] for line in maps)
    folders.update(os.path.dirname(path[0].strip()) for path in mapped if path and ".so" in path[0])
print(json.dumps({"implementation": sys.implementation.name, "version": "%d.%d.%d" % sys.version_info[:3],
                  "final": sys.version_info[3] == "final", "bits": struct.calcsize("P") * 8, "executable": base,
                  "folders": sorted(folders), "hidden": sorted(hidden)}))
"""


def candidates(environ: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """Every file that may be a Python interpreter, with the way it was found; the best ways first."""
    home = Path(environ.get("HOME", "/root"))
    yield "this program", Path(getattr(sys, "_base_executable", sys.executable))
    for found_by, root, pattern in (
        ("pyenv", Path(environ.get("PYENV_ROOT", home / ".pyenv")) / "versions", "*/bin"),
        ("uv", Path(environ.get("UV_PYTHON_INSTALL_DIR", home / ".local/share/uv/python")), "*/bin"),
        ("/opt", Path("/opt"), "python*/bin"),
    ):
        for folder in probes.folders_like(root, pattern):
            yield from _in_folder(found_by, folder)
    for entry in environ.get("PATH", "").split(os.pathsep):
        if entry:
            yield from _in_folder("PATH", Path(entry))
    for entry in ("/usr/bin", "/usr/local/bin"):
        yield from _in_folder(entry, Path(entry))


def _in_folder(found_by: str, folder: Path) -> Iterator[tuple[str, Path]]:
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - a folder that cannot be read is not an error
    except OSError:
        return
    for name in names:
        if _NAME.fullmatch(name) and is_program(folder / name):
            yield found_by, folder / name


def ask(path: Path) -> Facts | None:
    """What the interpreter says of itself; None for one that does not run."""
    return probes.ask([str(path), "-I", "-c", _PROBE])


def probe(path: Path, found_by: str) -> Interpreter | None:
    """Ask the interpreter what it is; None for one that does not run or that functions cannot use."""
    return _understood(ask(path), found_by)


def _understood(facts: Facts | None, found_by: str) -> Interpreter | None:
    if facts is None:
        return None
    name = f"python{facts['version'].rpartition('.')[0]}"
    if facts["implementation"] != "cpython" or facts["bits"] != 64 or not facts["final"] or not _NAME.fullmatch(name):
        return None
    return Interpreter(
        name=name,
        version=facts["version"],
        executable=Path(facts["executable"]).resolve(),
        found_by=found_by,
        folders=tuple(_outermost(facts["folders"])),
        hidden=tuple(facts["hidden"]),
    )


def _outermost(folders: list[str]) -> Iterator[str]:
    """Those that lie in none of the others."""
    resolved = sorted({os.path.realpath(folder) for folder in folders if Path(folder).is_dir()})
    for folder in resolved:
        if not any(folder.startswith(f"{other}/") for other in resolved if other != folder):
            yield folder


def discover(environ: Mapping[str, str], memory: Path | None = None) -> dict[str, Interpreter]:
    """The newest interpreter of each minor version, by runtime name.

    Runs every interpreter once, some 60 ms each. What they said is kept in the file `memory`, and asked again only of
    those that have changed.
    """
    answers = probes.Answers(memory, _PROBE)
    found = []
    for found_by, path in candidates(environ):
        real = path.resolve()
        state = answers.state(real)
        if not answers.is_new(state):
            continue
        is_known, said = answers.recall(state)
        facts = said if is_known else ask(real)
        answers.add(state, facts)
        interpreter = _understood(facts, found_by)
        if interpreter is not None:
            found.append(interpreter)
    answers.keep()
    return probes.newest(found)
