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
from typing import Any, Iterable

from . import custom_runtime
from .python_preload import BOTO_FAMILY, RUNTIME_FOLDER, Preloaded, preload

TASK_ROOT = "/var/task"
_VERSION = "python{}.{}".format(*sys.version_info[:2])
_LAYER_FOLDERS = (f"/opt/python/lib/{_VERSION}/site-packages", "/opt/python")
_INTERPRETER = f"/var/lang/bin/{_VERSION}"
_BOOTSTRAP = f"{RUNTIME_FOLDER}/bootstrap.py"
_WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"
"""https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html"""

# Read by the interpreter or the loader at their start only; the zygote's stands for all sandboxes that have the same.
_READ_AT_START = ("LD_LIBRARY_PATH", "LD_PRELOAD", "LD_AUDIT", "LC_ALL", "LC_CTYPE", "LANG", "GLIBC_TUNABLES")
_READ_AT_START_PREFIXES = ("PYTHON", "MALLOC_")
# Of those: without effect here, or given effect by `_search_path` and `_settle`.
_HANDLED = ("PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONBREAKPOINT", "PYTHONASYNCIODEBUG",
            "PYTHONNOUSERSITE", "PYTHONSTARTUP", "PYTHONUSERBASE")  # fmt: skip


class PythonRuntime:
    """Made in the zygote, run in its children."""

    def __init__(self) -> None:
        self._preloaded = preload()
        self._own_modules = [name for name in sys.modules if name.partition(".")[0] == "agent"]

    def run(self, spec: dict[str, Any]) -> int:
        """Run the handler until the sandbox ends. Returns the exit status when the runtime comes to an end."""
        environment: dict[str, str] = spec["environment"]
        if _WRAPPER in environment:
            return custom_runtime.execute([environment[_WRAPPER], _INTERPRETER, _BOOTSTRAP], environment)
        own = set(_module_names([TASK_ROOT, *_LAYER_FOLDERS, *_python_path(environment)]))
        hidden = own & self._preloaded.ahead
        if hidden - BOTO_FAMILY or needs_fresh_interpreter(environment, self._preloaded):
            return custom_runtime.execute([_INTERPRETER, _BOOTSTRAP], environment)
        if hidden:
            _forget(name for name in list(sys.modules) if name.partition(".")[0] in BOTO_FAMILY)
        _forget(self._own_modules)
        _settle(environment)
        from awslambdaric import bootstrap
        from awslambdaric.lambda_runtime_client import LambdaRuntimeClient

        if "AWS_LAMBDA_LOG_FORMAT" in environment or "AWS_LAMBDA_LOG_LEVEL" in environment:
            importlib.reload(bootstrap)  # it reads them when it is imported
        bootstrap.run(spec["handler"], LambdaRuntimeClient(environment["AWS_LAMBDA_RUNTIME_API"]))
        return 0


def needs_fresh_interpreter(environment: dict[str, str], preloaded: Preloaded) -> bool:
    """True when a variable of the function should have been there when the zygote's interpreter started."""
    for name in {*environment, *preloaded.environment}:
        is_read_at_start = name in _READ_AT_START or name.startswith(_READ_AT_START_PREFIXES)
        is_same = environment.get(name) == preloaded.environment.get(name)
        if is_read_at_start and not is_same and name not in _HANDLED:
            return True
    return False


def _python_path(environment: dict[str, str]) -> list[str]:
    entries = [entry for entry in environment.get("PYTHONPATH", "").split(":") if entry]
    return [entry for entry in entries if entry != RUNTIME_FOLDER]


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


def _settle(environment: dict[str, str]) -> None:
    """Make this process look as if its interpreter had just been started for the function."""
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(TASK_ROOT)
    inherited = [entry for entry in sys.path if entry != RUNTIME_FOLDER and not entry.startswith("/var/rapid")]
    sys.path[:] = [TASK_ROOT, *_LAYER_FOLDERS, *_python_path(environment), RUNTIME_FOLDER, *inherited]
    sys.argv[:] = [_BOOTSTRAP]
    sys.executable = _INTERPRETER
    sys.dont_write_bytecode = bool(environment.get("PYTHONDONTWRITEBYTECODE"))
    main = sys.modules["__main__"].__dict__
    main.pop("main", None)
    main["__file__"] = _BOOTSTRAP
    _reseed()


def _reseed() -> None:
    """No two sandboxes may draw the same numbers."""
    random.seed()
    if "ssl" in sys.modules:
        sys.modules["ssl"].RAND_add(os.urandom(32), 32.0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
