"""SnapStart in a Python function's own process: it offers itself for a snapshot, and wakes up as a copy.

AWS's runtime client runs the function's before-snapshot hooks, calls `restore_next`, and then runs the after-restore
hooks. On AWS that call takes from the snapshot to a restore. So it does here:

    describe this process -> fork -> the child tells the launcher, and stops (`checkpoint_code.save`)
                                       ... is copied ... wakes up in a sandbox of its own, and returns

It is a child that is copied, because a copy has one thread: after a fork, Python and the libraries have mended
themselves for that. A thread that the init phase started is not there after a restore, and the log says so.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import random
import socket
import sys
import threading
import warnings
from typing import Any

from . import checkpoint_code, checkpoint_state

_STANDARD = (0, 1, 2, 3)
_PR_GET_TID_ADDRESS = 40
_libc = ctypes.CDLL(None, use_errno=True)


class SnapshotFailed(RuntimeError):
    """The process that was to be copied has ended."""


class Offer:
    """The runtime client's `restore_next`."""

    def __init__(self, fd: int) -> None:
        """`fd` is the line to the launcher."""
        self._fd = fd

    def __call__(self) -> None:
        """Return as a copy, in another sandbox. Raises CannotBeKept, SnapshotFailed."""
        description = checkpoint_state.describe((*_STANDARD, self._fd))
        _tell_of_threads()
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of threads
            child = os.fork()
        if child != 0:
            _pid, status = os.waitpid(child, 0)
            raise SnapshotFailed(f"the process to be kept has ended (status {status})")
        try:
            self._stop(description)
        except BaseException:
            os._exit(1)
        freshen()

    def _stop(self, description: dict[str, Any]) -> None:
        gc.collect()
        gc.freeze()  # so that the collector does not write to every page in every copy
        area = checkpoint_code.Area()
        message = json.dumps({**description, "registers": area.registers}).encode()
        with socket.socket(fileno=os.dup(self._fd)) as line:
            line.send(message)
        area.save(self._fd)


def _tell_of_threads() -> None:
    others = [thread.name for thread in threading.enumerate() if thread is not threading.current_thread()]
    if others:
        sys.stderr.write(
            f"SnapStart: {len(others)} thread(s) that the init phase has started ({', '.join(others[:10])}) do not run "
            "in restored environments. Start them in an after-restore hook.\n"
        )


def freshen() -> None:
    """After a restore: no two copies may draw the same numbers, and this thread has another number."""
    random.seed()
    if "ssl" in sys.modules:
        sys.modules["ssl"].RAND_add(os.urandom(32), 32.0)
    if "numpy" in sys.modules and hasattr(sys.modules["numpy"], "random"):
        sys.modules["numpy"].random.seed()
    if "tempfile" in sys.modules:
        setattr(sys.modules["tempfile"], "_name_sequence", None)  # noqa: B010 - no public name
    _correct_thread_id()


def _correct_thread_id() -> None:
    address = ctypes.c_ulong()
    if _libc.prctl(_PR_GET_TID_ADDRESS, ctypes.byref(address), 0, 0, 0) == 0 and address.value:
        ctypes.c_int.from_address(address.value).value = threading.get_native_id()
    set_number = getattr(threading.main_thread(), "_set_native_id", None)
    if set_number is not None:
        set_number()
