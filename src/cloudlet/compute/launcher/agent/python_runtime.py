"""The Python runtime: AWS's own runtime client and boto3, imported ahead of time in the zygote.

A function must not notice that. Where it would, its sandbox gives up the head start:

- it brings packages of boto3's family: ours are forgotten, and imported again from where it wants them;
- it has a module of the name of another one that the zygote has imported, or variables that the interpreter or the
  dynamic loader reads at its start: a fresh interpreter is run, as AWS runs one.
"""

from __future__ import annotations

import importlib
import os
import random
import sys
import time
from typing import Any, Iterable, NamedTuple

from . import checkpoint_reader, custom_runtime, enter, snap_start
from .python_preload import BOTO_FAMILY, Preloaded, preload

_VERSION = "python{}.{}".format(*sys.version_info[:2])
_WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"
"""https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html"""

# Read by the interpreter or the loader at their start only; the zygote's stands for all sandboxes that have the same.
_READ_AT_START = ("LD_LIBRARY_PATH", "LD_PRELOAD", "LD_AUDIT", "LC_ALL", "LC_CTYPE", "LANG", "GLIBC_TUNABLES")
_READ_AT_START_PREFIXES = ("PYTHON", "MALLOC_")
# Of those: without effect here, or given effect by `_search_path` and `_settle`.
_HANDLED = ("PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONBREAKPOINT", "PYTHONASYNCIODEBUG",
            "PYTHONNOUSERSITE", "PYTHONSTARTUP", "PYTHONUSERBASE")  # fmt: skip


class _Places(NamedTuple):
    """Where a function's modules are looked for, and the interpreter."""

    task: str
    layers: list[str]
    runtime: str
    interpreter: str

    @classmethod
    def of(cls, spec: dict[str, Any]) -> _Places:
        places = spec["places"]
        layers = [
            folder
            for layer in places["layers"]
            for folder in (f"{layer}/python/lib/{_VERSION}/site-packages", f"{layer}/python")
        ]
        return cls(places["task"], layers, places["runtime"], places["interpreter"].format(_VERSION))

    @property
    def bootstrap(self) -> str:
        """The script that runs a function in a fresh interpreter."""
        return f"{self.runtime}/bootstrap.py"

    def python_path(self, environment: dict[str, str]) -> list[str]:
        """What the function adds to the search path by PYTHONPATH."""
        entries = [entry for entry in environment.get("PYTHONPATH", "").split(":") if entry]
        return [entry for entry in entries if entry != self.runtime]


class PythonRuntime:
    """Made in the zygote, run in its children."""

    def __init__(self, folder: str) -> None:
        self._preloaded = preload(folder)
        self._own_modules = [name for name in sys.modules if name.partition(".")[0] == "agent"]

    def run(self, spec: dict[str, Any]) -> int:
        """Run the handler until the sandbox ends. Returns the exit status when the runtime comes to an end."""
        snapshot = spec.get("snapshot", {})
        if "json" in snapshot:
            checkpoint_reader.become(enter.SNAPSHOT_FD, *snapshot["json"])
        environment: dict[str, str] = spec["environment"]
        places = _Places.of(spec)
        if snapshot and (reason := self._obstacle(environment, places)):
            return _refuse(reason, environment)
        if _WRAPPER in environment:
            return custom_runtime.execute([environment[_WRAPPER], places.interpreter, places.bootstrap], spec)
        hidden = self._hidden(environment, places)
        if hidden - BOTO_FAMILY or needs_fresh_interpreter(environment, self._preloaded):
            return custom_runtime.execute([places.interpreter, places.bootstrap], spec)
        if hidden:
            _forget(name for name in list(sys.modules) if name.partition(".")[0] in BOTO_FAMILY)
        _settle(environment, places)
        _forget(self._own_modules)
        from awslambdaric import bootstrap
        from awslambdaric.lambda_runtime_client import LambdaRuntimeClient

        if "AWS_LAMBDA_LOG_FORMAT" in environment or "AWS_LAMBDA_LOG_LEVEL" in environment:
            importlib.reload(bootstrap)  # it reads them when it is imported
        client = LambdaRuntimeClient(environment["AWS_LAMBDA_RUNTIME_API"])
        if snapshot:
            client.restore_next = snap_start.Offer(enter.SNAPSHOT_FD)
        bootstrap.run(spec["handler"], client)
        return 0

    def _hidden(self, environment: dict[str, str], places: _Places) -> set[str]:
        """Modules of the function whose names are taken by what the zygote has imported."""
        own = set(_module_names([places.task, *places.layers, *places.python_path(environment)]))
        return own & self._preloaded.ahead

    def _obstacle(self, environment: dict[str, str], places: _Places) -> str:
        """Why a fresh interpreter would be needed: only forks of the zygote can be copied."""
        if _WRAPPER in environment:
            return f"the variable {_WRAPPER}"
        if names := sorted(self._hidden(environment, places) - BOTO_FAMILY):
            return f"modules of its own in place of Python's or the runtime's: {', '.join(names)}"
        if needs_fresh_interpreter(environment, self._preloaded):
            return "variables that Python or the dynamic loader reads when it starts"
        return ""


def _refuse(reason: str, environment: dict[str, str]) -> int:
    from awslambdaric.lambda_runtime_client import LambdaRuntimeClient

    message = f"Cloudlet cannot take a snapshot of a function that has {reason}."
    sys.stderr.write(f"SnapStart: {message}\n")
    sys.stderr.flush()
    error = {"errorType": "Runtime.SnapStartUnsupported", "errorMessage": message}
    LambdaRuntimeClient(environment["AWS_LAMBDA_RUNTIME_API"]).post_init_error(error)
    return 1


def needs_fresh_interpreter(environment: dict[str, str], preloaded: Preloaded) -> bool:
    """True when a variable of the function should have been there when the zygote's interpreter started."""
    for name in {*environment, *preloaded.environment}:
        is_read_at_start = name in _READ_AT_START or name.startswith(_READ_AT_START_PREFIXES)
        is_same = environment.get(name) == preloaded.environment.get(name)
        if is_read_at_start and not is_same and name not in _HANDLED:
            return True
    return False


def _module_names(folders: Iterable[str]) -> Iterable[str]:
    """The first names of all modules that could be imported from these folders."""
    for folder in folders:
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        for entry in entries:
            name, dot, _rest = entry.name.partition(".")
            is_package = not dot and os.path.exists(f"{entry.path}/__init__.py")
            if is_package or entry.name.endswith((".py", ".pyc", ".so")):
                yield name


def _forget(modules: Iterable[str]) -> None:
    for name in modules:
        del sys.modules[name]


def _settle(environment: dict[str, str], places: _Places) -> None:
    """Make this process look as if its interpreter had just been started for the function."""
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(places.task)
    inherited = [entry for entry in sys.path[1:] if entry != places.runtime]  # without the agent's own folder
    sys.path[:] = [places.task, *places.layers, *places.python_path(environment), places.runtime, *inherited]
    sys.argv[:] = [places.bootstrap]
    sys.executable = places.interpreter
    sys.dont_write_bytecode = bool(environment.get("PYTHONDONTWRITEBYTECODE"))
    main = sys.modules["__main__"].__dict__
    main.pop("main", None)
    main["__file__"] = places.bootstrap
    _reseed()


def _reseed() -> None:
    """No two sandboxes may draw the same numbers."""
    random.seed()
    if "ssl" in sys.modules:
        sys.modules["ssl"].RAND_add(os.urandom(32), 32.0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
