"""The node's line to the process in a sandbox that starts its extensions and its runtime, and says how they end.

That process runs as the function does, so what it says is believed of its own sandbox only, and bounded.
"""

import asyncio
import contextlib
import signal
import socket
from typing import Any, Final, Protocol

import orjson

RUNTIME: Final = -1
"""The number of the runtime's process; extensions are 0, 1 ..."""
MAX_MESSAGE_BYTES: Final = 4096


class SupervisorEvents(Protocol):
    """Who is told. Called from the event loop; must not raise."""

    def process_ended(self, number: int, status: int) -> None:
        """A process is gone; `status` is that of waitpid."""

    def process_not_started(self, number: int, error: int) -> None:
        """An extension's file could not be run, for the reason `error` (errno)."""


class Supervisor:
    """One sandbox's."""

    def __init__(self, control: socket.socket, events: SupervisorEvents) -> None:
        """`control` stays the sandbox's to close."""
        self._control = control
        self._events = events
        self._is_closed = False
        asyncio.get_running_loop().add_reader(control.fileno(), self._receive)

    def start_runtime(self) -> None:
        """Extensions have registered: the runtime may start."""
        self._tell({"t": "start"})

    def send_signal(self, number: int, number_of_signal: signal.Signals) -> None:
        """To a process that it has started, if it is there still."""
        self._tell({"t": "signal", "process": number, "signal": int(number_of_signal)})

    def close(self) -> None:
        """Listen no more. May be called twice."""
        if not self._is_closed:
            self._is_closed = True
            asyncio.get_running_loop().remove_reader(self._control.fileno())

    def _tell(self, message: dict[str, Any]) -> None:
        if not self._is_closed:
            with contextlib.suppress(OSError):  # it has ended: the sandbox's end is told otherwise
                self._control.send(orjson.dumps(message))

    def _receive(self) -> None:
        while not self._is_closed:
            try:
                data = self._control.recv(MAX_MESSAGE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self.close()
                return
            self._handle(data)

    def _handle(self, data: bytes) -> None:
        try:
            message = orjson.loads(data)
            kind, number, detail = message["t"], int(message["process"]), int(message["detail"])
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            return
        if kind == "ended":
            self._events.process_ended(number, detail)
        elif kind == "not started":
            self._events.process_not_started(number, detail)
