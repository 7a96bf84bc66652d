"""What is put beside a function for it to be debugged: a wrapper that starts its interpreter with a debugger.

It comes as one more layer: `/opt/cloudlet-debug` is the function's AWS_LAMBDA_EXEC_WRAPPER, which AWS's runtimes run in
place of the interpreter, with its command line. The interpreter waits until a debugger has connected.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html
"""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from cloudlet.compute.debugging import INNER_PORT
from cloudlet.compute.function import CodeSource, RuntimeMissing

from . import Runtime, Runtimes, folders, preparation

WRAPPER: Final = "/opt/cloudlet-debug"
WRAPPED: Final = "CLOUDLET_DEBUG_WRAPPED"
"""Names the wrapper that the function brings itself."""
PREFIX: Final = "debugger:"
DEBUGPY: Final = "debugpy==1.8.22"
_HEAD: Final = f"""\
#!/bin/sh
# Runs the interpreter $1 with a debugger that listens on port {INNER_PORT} and is waited for.
interpreter=$1
shift
unset AWS_LAMBDA_EXEC_WRAPPER
"""
_RUN: Final = f'exec ${{{WRAPPED}:+"${WRAPPED}"}} "$interpreter"'
_WRAPPERS: Final = {
    "python": f"""\
export PYTHONPATH="/opt/python${{PYTHONPATH:+:$PYTHONPATH}}" PYDEVD_DISABLE_FILE_VALIDATION=1
{_RUN} -X frozen_modules=off -m debugpy --listen 127.0.0.1:{INNER_PORT} --wait-for-client "$@"
""",
    "nodejs": f'{_RUN} --inspect-brk=127.0.0.1:{INNER_PORT} "$@"\n',
}


class DebuggerCode:
    """A `CodeSource` of such layers, named `debugger:<runtime>`, and of all that `packages` has."""

    def __init__(self, runtimes: Runtimes, packages: CodeSource, progress: Callable[[str], None]) -> None:
        self._runtimes = runtimes
        self._packages = packages
        self._progress = progress

    async def folder(self, digest: str) -> Path:
        if not digest.startswith(PREFIX):
            return await self._packages.folder(digest)
        return await asyncio.to_thread(self._prepared, digest.removeprefix(PREFIX))

    def release(self, digest: str) -> None:
        if not digest.startswith(PREFIX):
            self._packages.release(digest)

    def _prepared(self, name: str) -> Path:
        """The layer for functions of this runtime, made at its first use. Raises RuntimeMissing."""
        runtime = self._runtimes.resolve(name)
        language = runtime.language.name if runtime.language is not None else ""
        if language not in _WRAPPERS or runtime.interpreter is None:
            raise RuntimeMissing(f"Functions of the runtime {name} cannot be debugged: Python and Node.js can.")
        folder = self._runtimes.folder / "debuggers" / runtime.name
        fingerprint = hashlib.sha256(f"{_WRAPPERS[language]}{DEBUGPY}{runtime.interpreter.version}".encode())

        def fill(building: Path) -> dict[str, Any]:
            if language == "python":
                self._progress(f"Fetching {DEBUGPY} for {runtime.name}")
                _fetch(runtime, building / "python")
            wrapper = building / Path(WRAPPER).name
            wrapper.write_text(_HEAD + _WRAPPERS[language])
            wrapper.chmod(0o755)
            return {"debugs": runtime.interpreter.version if runtime.interpreter is not None else ""}

        folders.build(folder, fingerprint.hexdigest(), fill)
        return folder


def _fetch(runtime: Runtime, target: Path) -> None:
    assert runtime.interpreter is not None
    target.mkdir()
    failures = preparation.install(runtime.interpreter, target, [DEBUGPY])
    if failures:
        raise RuntimeMissing(f"{DEBUGPY} could not be fetched for {runtime.name}: {'; '.join(failures)}")
