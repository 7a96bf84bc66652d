"""Asks the kernel for notifications of memory use (version 1), in a process of its own.

Each such request takes 5 to 20 ms, because the kernel waits until every processor has seen it. The launcher must not
wait so long at every start of a sandbox, and must have no threads, for it forks. So a helper process with some
threads makes the requests; many at once share one waiting time. It ends with the launcher.
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import threading
from typing import Any

from . import cgroups, messages

_THREADS = 16


class MemoryMarks:
    """The launcher's end."""

    def __init__(self) -> None:
        self._connection, theirs = messages.pair()
        if os.fork() == 0:
            with contextlib.suppress(BaseException):
                self._connection.close()
                _serve(theirs)
            os._exit(0)
        theirs.close()

    def set(self, folder: str, mark_bytes: int, notifier: int) -> None:
        """Have `notifier` (an eventfd) signalled when the group at `folder` uses more than `mark_bytes`."""
        with contextlib.suppress(OSError):  # without the helper, the kernel's own limit still holds
            messages.send(self._connection, {"folder": folder, "mark": mark_bytes}, [notifier])

    def close(self) -> None:
        """End the helper."""
        self._connection.close()


def _serve(connection: socket.socket) -> None:
    requests: queue.SimpleQueue[tuple[dict[str, Any], int]] = queue.SimpleQueue()
    for _ in range(_THREADS):
        threading.Thread(target=_work, args=(requests,), daemon=True).start()
    while True:
        received = messages.receive(connection)
        if received is None:
            return
        message, descriptors = received
        requests.put((message, descriptors[0]))


def _work(requests: queue.SimpleQueue[tuple[dict[str, Any], int]]) -> None:
    while True:
        message, notifier = requests.get()
        with contextlib.suppress(OSError):  # the group is gone already
            _request(message["folder"], message["mark"], notifier)
        os.close(notifier)


def _request(folder: str, mark_bytes: int, notifier: int) -> None:
    usage = os.open(f"{folder}/memory.usage_in_bytes", os.O_RDONLY | os.O_CLOEXEC)
    try:
        cgroups.write(f"{folder}/cgroup.event_control", f"{notifier} {usage} {mark_bytes}")
        if int(os.pread(usage, 32, 0)) > mark_bytes:  # it was passed before the kernel looked
            os.eventfd_write(notifier, 1)
    finally:
        os.close(usage)
