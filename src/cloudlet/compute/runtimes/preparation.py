"""Makes the folder that a Python runtime's functions see as /var/runtime: AWS's runtime client, and boto3.

The packages are pinned (`lambda-runtime*.txt` beside this file).
"""

import hashlib
import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from cloudlet.compute.function import RuntimeMissing

from . import folders
from .interpreter import Interpreter, Progress

_HERE = Path(__file__).parent
_PIP_TIMEOUT_S = 600.0
_BOOTSTRAP = """\
#!/bin/sh
# What AWS_LAMBDA_EXEC_WRAPPER is handed to run, and what runs when a function needs an interpreter of its own.
exec /var/lang/bin/python3 /var/runtime/bootstrap.py
"""
_BOOTSTRAP_PY = '''\
"""Runs the function of this sandbox in a fresh interpreter, with the search path that it has on AWS."""

import os
import sys

version = "python%d.%d" % sys.version_info[:2]
runtime = sys.path[0]
task = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
sys.path[:1] = [task, "/opt/python/lib/%s/site-packages" % version, "/opt/python"]
if runtime not in sys.path:
    sys.path.insert(3, runtime)

if __name__ == "__main__":  # not in the workers of multiprocessing, which import this too
    from awslambdaric import bootstrap
    from awslambdaric.lambda_runtime_client import LambdaRuntimeClient

    bootstrap.run(os.environ["_HANDLER"], LambdaRuntimeClient(os.environ["AWS_LAMBDA_RUNTIME_API"]))
'''
_LIST_MODULES = """
import json, sys
sys.path.insert(0, sys.argv[1])
import awslambdaric.bootstrap, awslambdaric.lambda_runtime_client
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def requirements(interpreter: Interpreter) -> list[str]:
    """The pinned packages for this version of Python."""
    special = _HERE / f"lambda-runtime-3.{interpreter.minor}.txt"
    file = special if special.exists() else _HERE / "lambda-runtime.txt"
    return [line.strip() for line in file.read_text().splitlines() if line.strip() and not line.startswith("#")]


def _fingerprint(interpreter: Interpreter) -> str:
    """Changes when a folder that was made before would no longer fit."""
    parts = [*requirements(interpreter), _BOOTSTRAP, _BOOTSTRAP_PY, _LIST_MODULES, interpreter.version]
    return hashlib.sha256("\n".join([*parts, platform.machine()]).encode()).hexdigest()


def is_prepared(interpreter: Interpreter, folder: Path) -> bool:
    """True when `folder` holds what this program's version puts there for this interpreter."""
    return folders.is_prepared(folder, _fingerprint(interpreter))


def prepare(interpreter: Interpreter, folder: Path, progress: Progress) -> None:
    """Make `folder`, unless it is there. Takes 5 to 20 s and needs the package index (or a configured mirror).

    Raises RuntimeMissing when the packages cannot be had, or not be kept, with the command that mends it.
    """

    def fill(building: Path) -> dict[str, Any]:
        progress(f"Preparing the runtime {folder.name} (Python {interpreter.version}): runtime client and boto3")
        _install(interpreter, building)
        return _finish(interpreter, building)

    if not is_prepared(interpreter, folder):
        folders.build(folder, _fingerprint(interpreter), fill)
        progress(f"The runtime {folder.name} is ready")


def _install(interpreter: Interpreter, target: Path) -> None:
    pinned = requirements(interpreter)
    if not (failures := install(interpreter, target, pinned)):
        return
    raise RuntimeMissing(
        f"The runtime {interpreter.name} is not prepared, and its packages could not be fetched. "
        f"With access to a package index, run: cloudlet runtimes prepare {interpreter.name}. "
        f"It needs: {', '.join(pinned)}. ({'; '.join(failures)})"
    )


def install(interpreter: Interpreter, target: Path, pinned: list[str]) -> list[str]:
    """Install with this program's own pip, or else with the interpreter's; why neither could, when that is so."""
    options = ["install", "--quiet", "--no-deps", "--no-compile", "--disable-pip-version-check", "--no-input"]
    foreign = ["--only-binary=:all:", "--implementation=cp", f"--python-version=3.{interpreter.minor}"]
    attempts = [
        [sys.executable, "-m", "pip", *options, *foreign, "--target", str(target), *pinned],
        [str(interpreter.executable), "-m", "pip", *options, "--target", str(target), *pinned],
    ]
    failures = []
    for command in attempts:
        failure = _failure(command)
        if failure is None:
            return []
        failures.append(f"{command[0]}: {failure}")
        for child in target.iterdir():
            shutil.rmtree(child) if child.is_dir() else child.unlink()
    return failures


def _failure(command: list[str]) -> str | None:
    """Run it; None when it has done its work, and else why it has not."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=_PIP_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return f"no answer within {_PIP_TIMEOUT_S:.0f} s"
    return None if result.returncode == 0 else folders.last_error(result.stderr)


def _finish(interpreter: Interpreter, folder: Path) -> dict[str, Any]:
    """Byte code for this very version, the bootstrap, and for the marker the list of modules."""
    (folder / "lib").mkdir(exist_ok=True)
    (folder / "bootstrap").write_text(_BOOTSTRAP)
    (folder / "bootstrap").chmod(0o755)
    (folder / "bootstrap.py").write_text(_BOOTSTRAP_PY)
    python = str(interpreter.executable)
    subprocess.run([python, "-I", "-m", "compileall", "-q", str(folder)], capture_output=True, check=False)
    listed = subprocess.run(
        [python, "-I", "-c", _LIST_MODULES, str(folder)], capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        reason = folders.last_error(listed.stderr)
        raise RuntimeMissing(f"The runtime client does not run on {python} (Python {interpreter.version}): {reason}")
    return {"python": interpreter.version, "modules": json.loads(listed.stdout)}
