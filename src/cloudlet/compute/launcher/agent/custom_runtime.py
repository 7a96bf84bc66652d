"""`provided.al2023` and `provided.al2`: the function's own `bootstrap` is the runtime."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

BOOTSTRAPS = ("/var/task/bootstrap", "/opt/bootstrap")
"""https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html"""
_COMMAND_NOT_FOUND = 127


def preload() -> None:
    """Nothing: the runtime comes with the function."""


def run(spec: dict[str, Any]) -> int:
    """Become the bootstrap. Returns only when there is none that can be run."""
    for bootstrap in BOOTSTRAPS:
        if os.path.exists(bootstrap):
            return execute([bootstrap], spec["environment"])
    sys.stderr.write(f"Couldn't find valid bootstrap(s): [{' '.join(BOOTSTRAPS)}]\n")
    return _COMMAND_NOT_FOUND


def execute(command: list[str], environment: dict[str, str]) -> int:
    """Run another program in place of this process. Returns the shell's status for one that cannot be run."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        os.chdir("/var/task")
        os.execve(command[0], command, environment)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.stderr.flush()
    return _COMMAND_NOT_FOUND
