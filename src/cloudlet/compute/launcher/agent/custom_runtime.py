"""`provided.al2023` and `provided.al2`: the function's own `bootstrap` is the runtime."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

_COMMAND_NOT_FOUND = 127
_NOT_EXECUTABLE = 126


class CustomRuntime:
    """Nothing to prepare: the runtime comes with the function."""

    def run(self, spec: dict[str, Any]) -> int:
        """Become the bootstrap, of the code or of a layer. Returns only when there is none that can be run.

        https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html
        """
        places = spec["places"]
        bootstraps = [f"{folder}/bootstrap" for folder in (places["task"], *places["layers"])]
        for bootstrap in bootstraps:
            if os.path.exists(bootstrap):
                return execute([bootstrap], spec)
        sys.stderr.write(f"Couldn't find valid bootstrap(s): [{' '.join(bootstraps)}]\n")
        return _COMMAND_NOT_FOUND


def execute(command: list[str], spec: dict[str, Any]) -> int:
    """Run another program in place of this process. Returns the shell's status when it cannot be run."""
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored_by_python, signal.SIG_DFL)
    try:
        os.chdir(spec["places"]["task"])
        os.execve(command[0], command, spec["environment"])
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.stderr.flush()
        return _NOT_EXECUTABLE if isinstance(error, PermissionError) else _COMMAND_NOT_FOUND
