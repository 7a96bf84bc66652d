"""Without a process namespace: finds and kills what a runtime has left behind.

The zygote is made the one who inherits orphans. A child of its that is no runtime, and that is not in the session of
a living runtime, belongs to nobody any more. A daemon that a living sandbox has started can be told from those by the
address of its Runtime API, in its variables.
"""

from __future__ import annotations

import os
import signal

_ADDRESS = b"AWS_LAMBDA_RUNTIME_API="
_ATTEMPTS = 20


def sweep(runtime: int, living: set[int]) -> None:
    """Kill the session of `runtime`, which has ended, and every orphan that is of none of the `living`."""
    try:
        os.killpg(runtime, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    for _ in range(_ATTEMPTS):
        found = [pid for pid in children() if pid not in living and not _belongs_to(pid, living)]
        if not found:
            return
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError, PermissionError):
                pass


def children() -> list[int]:
    """The children of this process."""
    own = os.getpid()
    try:
        with open(f"/proc/{own}/task/{own}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:  # a kernel without CONFIG_PROC_CHILDREN
        return []


def _belongs_to(pid: int, living: set[int]) -> bool:
    try:
        if os.getsid(pid) in living:
            return True
    except ProcessLookupError:
        return True
    address = _address(pid)
    return address != b"" and any(_address(runtime) == address for runtime in living)


def _address(pid: int) -> bytes:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return b""
    return next((variable for variable in variables if variable.startswith(_ADDRESS)), b"")
