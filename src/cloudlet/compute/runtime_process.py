"""A sandbox with the runtime that runs in it: started, listened to, and ended for certain."""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from cloudlet.compute.function import SandboxFailure
from cloudlet.compute.runtime_api import RuntimeApi, RuntimeEvents
from cloudlet.compute.sandbox import ExitStatus, Launcher, Sandbox, SandboxSpec

LAUNCH_LIMIT_S: Final = 30.0
"""A launcher that takes longer for one sandbox is stuck."""
LAST_WORDS_S: Final = 0.2
"""How long after its end a runtime's connections may stay open before they are given up."""
KILL_LIMIT_S: Final = 5.0
"""A killed tree that is not gone after this time is treated as if it were."""
KILLED: Final = ExitStatus(None, signal.SIGKILL)


Closer = Callable[[], None]
ServePlatform = Callable[[socket.socket], Awaitable[Closer]]
"""Answers on a sandbox's platform socket; returns what ends it."""


class ProcessEvents(RuntimeEvents, Protocol):
    """Who is told what the runtime and its process do."""

    def runtime_exited(self, status: ExitStatus) -> None:
        """The whole tree is gone, and everything that it had sent before has been told."""


class RuntimeProcess:
    """One sandbox from launch to end."""

    __slots__ = (
        "_close_platform",
        "_events",
        "_has_runtime_ended",
        "_is_closed",
        "_is_quiet",
        "_runtime_status",
        "_sandbox",
        "_status",
        "_timer",
        "api",
        "gone",
    )

    def __init__(self, events: ProcessEvents) -> None:
        self._events = events
        self.api = RuntimeApi(events, self._on_disconnected)
        self.gone: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()
        """Done once `runtime_exited` has been called."""
        self._sandbox: Sandbox | None = None
        self._status: ExitStatus | None = None
        self._runtime_status: ExitStatus | None = None
        self._has_runtime_ended = False
        self._timer: asyncio.TimerHandle | None = None
        self._close_platform: Closer | None = None
        self._is_closed = False
        self._is_quiet = False

    @property
    def sandbox(self) -> Sandbox:
        """The sandbox, once launched."""
        assert self._sandbox is not None, "not launched"
        return self._sandbox

    @property
    def has_exited(self) -> bool:
        """True once the tree is gone, even if the last that it sent is still to be told."""
        return self._status is not None or self._has_runtime_ended

    async def launch(
        self,
        launcher: Launcher,
        spec: SandboxSpec,
        serve_platform: ServePlatform | None,
        launched: Callable[[Sandbox], None] | None = None,
    ) -> None:
        """Start the runtime; `launched` gets the sandbox before it is heard. Raises RuntimeMissing, SandboxFailure."""
        try:
            async with asyncio.timeout(LAUNCH_LIMIT_S):
                sandbox = await launcher.launch(spec)
        except TimeoutError:
            raise SandboxFailure(f"The sandbox did not start within {LAUNCH_LIMIT_S:.0f} seconds.") from None
        if self._is_closed:
            sandbox.close()
            raise SandboxFailure("The node is stopping.")
        self._sandbox = sandbox
        if launched is not None:
            launched(sandbox)
        await self.api.serve(sandbox.runtime_api)
        if serve_platform is not None:
            self._close_platform = await serve_platform(sandbox.platform)
        sandbox.exited.add_done_callback(self._on_exited)

    def runtime_ended(self, status: ExitStatus) -> None:
        """The runtime's own process is gone, and extensions may live on: `runtime_exited` follows, once."""
        self._runtime_status = status
        self._has_runtime_ended = True
        if self.api.is_connected:
            self._guard(LAST_WORDS_S)
        else:
            self._tell()

    def hush(self) -> None:
        """Tell nothing of its end any more."""
        self._is_quiet = True

    def kill(self) -> None:
        """End the tree; `runtime_exited` follows."""
        if self._sandbox is not None and self._status is None:
            self._sandbox.kill()
            self._guard(KILL_LIMIT_S)

    async def end(self) -> ExitStatus:
        """End the tree and wait until it is gone; `runtime_exited` is not called."""
        self._is_quiet = True
        self.kill()
        return await self.gone

    @property
    def is_launched(self) -> bool:
        """True once there is a sandbox."""
        return self._sandbox is not None

    def hang_up(self) -> None:
        """Listen no more. What the sandbox leaves behind stays until `close`. Nothing is told any more."""
        self._is_closed = True
        self._cancel_timer()
        self.api.close()
        if self._close_platform is not None:
            self._close_platform()
            self._close_platform = None

    def close(self) -> None:
        """Kill what runs and give everything back. Nothing is told any more. May be called twice."""
        self.hang_up()
        if self._sandbox is not None:
            self._sandbox.exited.remove_done_callback(self._on_exited)
            self._sandbox.close()
        if not self.gone.done():
            self.gone.set_result(self._status or KILLED)

    def _on_exited(self, exited: "asyncio.Future[ExitStatus]") -> None:
        self._status = KILLED if exited.cancelled() or exited.exception() else exited.result()
        if self.api.is_connected:
            # Its last answer may be in the socket still; the loop promises no order between that and the exit.
            self._guard(LAST_WORDS_S)
        else:
            self._tell()

    def _on_disconnected(self) -> None:
        if self._status is not None or self._runtime_status is not None:
            self._tell()

    def _guard(self, limit_s: float) -> None:
        self._cancel_timer()
        self._timer = asyncio.get_running_loop().call_later(limit_s, self._tell)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell(self) -> None:
        if self._is_closed or self.gone.done():
            return
        self._cancel_timer()
        if self._status is None and self._runtime_status is not None:
            ended, self._runtime_status = self._runtime_status, None
            if not self._is_quiet:
                self._events.runtime_exited(ended)
            return
        status = self._status or KILLED
        self.gone.set_result(status)
        if not self._is_quiet:
            self._events.runtime_exited(status)
