"""`provided.al2023` and `provided.al2`: the function's own `bootstrap` is the runtime."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

TASK_ROOT = "/var/task"
BOOTSTRAPS = (f"{TASK_ROOT}/bootstrap", "/opt/bootstrap")
"""https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html"""
_COMMAND_NOT_FOUND = 127
_NOT_EXECUTABLE = 126


class CustomRuntime:
    """Nothing to prepare: the runtime comes with the function."""

    def run(self, spec: dict[str, Any]) -> int:
        """Become the bootstrap. Returns only when there is none that can be run."""
        for bootstrap in BOOTSTRAPS:
            if os.path.exists(bootstrap):
                return execute([bootstrap], spec["environment"])
        sys.stderr.write(f"Couldn't find valid bootstrap(s): [{' '.join(BOOTSTRAPS)}]\n")
        return _COMMAND_NOT_FOUND


def execute(command: list[str], environment: dict[str, str]) -> int:
    """Run another program in place of this process. Returns the shell's status when it cannot be run."""
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored_by_python, signal.SIG_DFL)
    try:
        os.chdir(TASK_ROOT)
        os.execve(command[0], command, environment)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.stderr.flush()
        return _NOT_EXECUTABLE if isinstance(error, PermissionError) else _COMMAND_NOT_FOUND
