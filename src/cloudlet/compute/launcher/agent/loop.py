"""The launcher's one loop: who is told when a descriptor has something, and what is done while none has."""

from __future__ import annotations

import os
import select
import signal
from typing import Callable

_IDLE_S = 0.02


class Loop:
    """Calls handlers, one after the other, in one thread."""

    def __init__(self) -> None:
        self.is_done = False
        """Set by a handler: `run` returns after it."""
        self._poll = select.epoll()
        self._handlers: dict[int, Callable[[], None]] = {}

    def handle(self, fd: int, events: int, handler: Callable[[], None]) -> None:
        """Call `handler` whenever there are such `events` (`select.EPOLLIN`) on `fd`."""
        self._handlers[fd] = handler
        self._poll.register(fd, events)

    def forget(self, fd: int) -> None:
        """Undo `handle`, before `fd` is closed."""
        del self._handlers[fd]
        self._poll.unregister(fd)

    def reap_children(self) -> None:
        """Wait for every child that ends, also those that are inherited, from now on."""
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.handle(woken, select.EPOLLIN, lambda: _reap(woken))

    def run(self, has_idle_work: Callable[[], bool], idle: Callable[[], None]) -> None:
        """Until `is_done`. `idle` is called when nothing has happened for a while and there is idle work."""
        while not self.is_done:
            events = self._poll.poll(_IDLE_S if has_idle_work() else None)
            for fd, handler in [(fd, self._handlers[fd]) for fd, _event in events]:
                # One that is called may forget others, whose numbers what it opens then gets: that has nothing yet.
                if self._handlers.get(fd) is handler:
                    handler()
            if not events:
                idle()


def _reap(woken: int) -> None:
    """Zygotes, and what they have left: the launcher is process 1, who inherits all orphans.

    A sandbox's first process cannot end before every other process of its namespace has been waited for.
    """
    os.read(woken, 4096)
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass
