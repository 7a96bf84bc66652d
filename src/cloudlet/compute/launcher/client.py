"""The node's side of the launcher: starts its process, asks it for sandboxes, and learns how they end."""

import asyncio
import contextlib
import itertools
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from cloudlet.compute.function import SandboxFailure
from cloudlet.compute.launcher.agent import messages
from cloudlet.compute.launcher.sandbox import LaunchedSandbox
from cloudlet.compute.runtimes import Runtime, Runtimes
from cloudlet.compute.sandbox import Container, SandboxSpec
from cloudlet.config import Isolation

__all__ = ["SandboxLauncher"]

T = TypeVar("T")
logger = logging.getLogger(__name__)

_REFUSED = (
    "This machine does not let the launcher isolate functions by namespaces ({}). `cloudlet doctor` says what is "
    "missing. To run functions without isolation of files, processes and network, use --isolation process."
)
_START_TIMEOUT_S = 30.0
_END_TIMEOUT_S = 10.0
_UNANSWERED_LAUNCHES = 32
"""Requests that the launcher is sent ahead; more wait in the node."""


class LauncherEnded(SandboxFailure):
    """The launcher has ended."""

    def __init__(self) -> None:
        super().__init__("The launcher has ended.")


class SandboxLauncher:
    """Makes sandboxes through one launcher process. A launcher that dies is started again at the next request."""

    def __init__(self, runtimes: Runtimes, state: Path, isolation: Isolation = "namespaces") -> None:
        """`state` is a folder for the launcher's own use. With `process`, sandboxes are only what machines without
        user namespaces can give: processes with limits and a system call filter, in the host's network."""
        self._runtimes = runtimes
        self._isolation = isolation
        self._state = state.absolute()
        self._sandboxes: dict[str, LaunchedSandbox] = {}
        self._launches: dict[str, tuple[SandboxSpec, asyncio.Future[LaunchedSandbox]]] = {}
        self._preparing: dict[str, asyncio.Future[None]] = {}
        self._sockets: dict[int, asyncio.Future[socket.socket]] = {}
        self._snapshots: set[str] = set()
        self._numbers = itertools.count()
        self._connection: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._started: asyncio.Future[None] | None = None
        self._starting = asyncio.Lock()
        self._sending = asyncio.Lock()
        self._room = asyncio.Semaphore(_UNANSWERED_LAUNCHES)
        self._is_closed = False

    async def start(self) -> None:
        """Start the launcher's process. Raises SandboxFailure when this machine cannot isolate as configured."""
        if self._started is not None and self._started.done() and self._connection is not None:
            return
        async with self._starting:
            if self._connection is not None:
                return
            if self._process is not None:  # it has died
                await asyncio.to_thread(_end, self._process)
            if self._is_closed:  # maybe just now
                raise SandboxFailure("The launcher is closed.")
            self._state.mkdir(parents=True, exist_ok=True)
            started = self._spawn()
            try:
                await asyncio.wait_for(asyncio.shield(started), _START_TIMEOUT_S)
            except TimeoutError:
                self._lose()
                raise SandboxFailure(f"The launcher did not start within {_START_TIMEOUT_S:.0f} s.") from None
            except SandboxFailure:
                self._lose()
                raise

    def _spawn(self) -> asyncio.Future[None]:
        """Start the process; the future is done when it says that it serves, or why it cannot."""
        ours, theirs = messages.pair()
        ours.setblocking(False)
        with theirs:
            self._process = subprocess.Popen(
                self.command(theirs.fileno()),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,  # a terminal's Ctrl-C is for the node, which ends its sandboxes in order
                env={"LC_CTYPE": "C.UTF-8"},
            )
        loop = asyncio.get_running_loop()
        started: asyncio.Future[None] = loop.create_future()
        self._started = started
        self._connection = ours
        loop.add_reader(ours.fileno(), self._receive)
        return started

    def command(self, connection: int) -> list[str]:
        """How the launcher's process is started."""
        folder = Path(__file__).parent
        code = f"import sys; sys.path.insert(0, {str(folder)!r}); from agent.main import main; main()"
        return [sys.executable, "-I", "-S", "-c", code, str(connection), str(self._state), self._isolation]

    async def prepare(self, runtime: str) -> None:
        """Prepare the runtime's folder and start its zygote. Raises RuntimeMissing, SandboxFailure."""
        resolved = await self._runtimes.prepare(runtime)
        await self.start()
        await self._start_zygote(resolved)

    async def _start_zygote(self, runtime: Runtime) -> None:
        description = runtime.for_launcher()
        name = description["name"]
        future = self._preparing.get(name)
        if future is None:

            def expect() -> asyncio.Future[None]:
                self._preparing[name] = asyncio.get_running_loop().create_future()
                return self._preparing[name]

            try:
                future = await self._request({"t": "prepare", "runtime": description}, expect)
            except BaseException:
                self._preparing.pop(name, None)
                raise
        await asyncio.shield(future)

    async def launch(self, spec: SandboxSpec) -> LaunchedSandbox:
        """A new sandbox with its runtime starting in it. Raises RuntimeMissing, SandboxFailure."""
        container = spec.container
        described = (
            (await self._runtimes.prepare(spec.runtime)).for_launcher() if container is None else _image(container)
        )
        await self.start()
        request = {
            "t": "launch",
            "id": spec.sandbox_id,
            "runtime": described,
            "handler": spec.handler,
            "container": None
            if container is None
            else {"command": container.command, "directory": container.directory},
            "code": str(spec.code) if spec.code is not None else "",
            "layers": [str(layer) for layer in spec.layers],
            "environment": dict(spec.environment),
            "memory_mb": spec.memory_mb,
            "ephemeral_storage_mb": spec.ephemeral_storage_mb,
            "follows": spec.follows,
            "extensions": list(spec.extensions),
            "snapshot": "take" if spec.takes_snapshot else spec.snapshot,
        }

        def expect() -> asyncio.Future[LaunchedSandbox]:
            future: asyncio.Future[LaunchedSandbox] = asyncio.get_running_loop().create_future()
            self._launches[spec.sandbox_id] = (spec, future)
            return future

        async with self._room:
            try:
                future = await self._request(request, expect)
            except BaseException:  # it has not been sent: nobody will answer
                self._launches.pop(spec.sandbox_id, None)
                raise
            try:
                return await asyncio.shield(future)
            except asyncio.CancelledError:
                future.add_done_callback(_close_unwanted)
                raise

    async def _request(self, message: dict[str, Any], expect: Callable[[], asyncio.Future[T]]) -> asyncio.Future[T]:
        """Send a request; `expect` makes the future that its answer resolves.

        Should the launcher turn out to have died before it got the request, another is started and asked.
        """
        future = expect()
        try:
            await self._send(message)
        except LauncherEnded:
            await self.start()
            future = expect()
            await self._send(message)
        return future

    async def _send(self, message: dict[str, Any]) -> None:
        try:
            packet = messages.encode(message)
        except messages.MessageTooLarge as error:
            raise SandboxFailure(f"The sandbox's settings are too large: {error}.") from error
        async with self._sending:
            connection = self._connection
            if connection is None:
                raise LauncherEnded
            try:
                await asyncio.get_running_loop().sock_sendall(connection, packet)
            except OSError as error:
                self._lose()
                raise LauncherEnded from error

    def _receive(self) -> None:
        connection = self._connection
        while connection is not None and connection is self._connection:
            try:
                received = messages.receive(connection)
            except BlockingIOError:
                return
            except OSError:
                received = None
            if received is None:
                self._lose()
                return
            self._handle(*received)

    def _handle(self, message: dict[str, Any], descriptors: list[int]) -> None:
        kind = message["t"]
        if kind == "launched":
            self._take(message, descriptors)
        elif kind == "failed":
            self._refuse(message["id"], f"The sandbox could not be made: {message['error']}")
        elif kind == "exited":
            sandbox = self._sandboxes.pop(message["id"], None)
            if sandbox is not None:
                sandbox.ended(message)
        elif kind == "socket":
            self._take_socket(message, descriptors)
        elif kind.startswith("snapshot"):
            self._take_snapshot(message)
        elif kind == "prepared":
            self._zygote_is(message["runtime"], None)
        elif kind == "unprepared" and not message["error"]:
            self._preparing.pop(message["runtime"], None)  # it was retired
        elif kind == "unprepared":
            error = f"The zygote of {message['runtime']} has ended: {message['error']}"
            logger.warning("%s", error)
            self._zygote_is(message["runtime"], SandboxFailure(error))
        elif self._started is not None and not self._started.done():
            if kind == "started":
                self._started.set_result(None)
            else:
                self._started.set_exception(SandboxFailure(_REFUSED.format(message["error"])))

    def _take(self, message: dict[str, Any], descriptors: list[int]) -> None:
        if message["id"] not in self._launches or len(descriptors) != message["descriptors"]:
            for fd in descriptors:
                os.close(fd)
            self._tell({"t": "kill", "id": message["id"]})
            self.forget(message["id"])
            self._refuse(message["id"], "The node has too many open files for another sandbox (ulimit -n).")
            return
        spec, future = self._launches.pop(message["id"])
        sandbox = LaunchedSandbox(spec, message, descriptors, self)
        self._sandboxes[spec.sandbox_id] = sandbox
        future.set_result(sandbox)

    def _refuse(self, sandbox_id: str, problem: str) -> None:
        """Tell who asked for a sandbox, unless it was cancelled just as the request was sent."""
        if (launch := self._launches.pop(sandbox_id, None)) is not None:
            launch[1].set_exception(SandboxFailure(problem))

    def retire(self, container: Container) -> None:
        """Let the image's zygote end when no sandbox of it is left; the next launch starts another."""
        self._tell({"t": "retire", "runtime": _image(container)["name"]})

    def _take_snapshot(self, message: dict[str, Any]) -> None:
        if message["t"] == "snapshot lost":
            self._snapshots.discard(message["id"])
            return
        sandbox = self._sandboxes.get(message["id"])
        if sandbox is None or sandbox.snapshot_bytes.done():
            self.drop_snapshot(message["id"])
        elif "error" in message:
            sandbox.snapshot_bytes.set_exception(SandboxFailure(message["error"]))
            sandbox.snapshot_bytes.exception()  # seen, also where nobody waits any more
        else:
            self._snapshots.add(message["id"])
            sandbox.snapshot_bytes.set_result(message["size_bytes"])

    def has_snapshot(self, snapshot: str) -> bool:
        """True while sandboxes can be launched from it."""
        return snapshot in self._snapshots

    def drop_snapshot(self, snapshot: str) -> None:
        """It is needed no more."""
        self._snapshots.discard(snapshot)
        self._tell({"t": "drop snapshot", "id": snapshot})

    def forget(self, sandbox_id: str) -> None:
        """No other sandbox will follow this one."""
        self._tell({"t": "forget", "id": sandbox_id})

    def terminate(self, sandbox_id: str) -> None:
        """Send a sandbox's runtime SIGTERM."""
        self._tell({"t": "terminate", "id": sandbox_id})

    async def new_socket(self, sandbox_id: str) -> socket.socket:
        """A socket in a sandbox's network, not connected and non-blocking. Raises OSError."""
        number = next(self._numbers)
        future: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()
        self._sockets[number] = future
        try:
            await self._send({"t": "socket", "id": sandbox_id, "number": number})
            return await future
        except SandboxFailure as error:
            raise OSError(str(error)) from error
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                future.result().close()  # it came in the same moment
            raise
        finally:
            self._sockets.pop(number, None)

    def _take_socket(self, message: dict[str, Any], descriptors: list[int]) -> None:
        future = self._sockets.get(message["number"])
        for fd in descriptors:
            made = socket.socket(fileno=fd)
            made.setblocking(False)
            if future is None or future.done():
                made.close()
            else:
                future.set_result(made)
        if future is not None and not future.done():
            future.set_exception(OSError(message.get("error", "The node has too many open files.")))

    def _tell(self, message: dict[str, Any]) -> None:
        """Send something short that nothing depends on."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.send(messages.encode(message))

    def _zygote_is(self, runtime: str, error: SandboxFailure | None) -> None:
        future = self._preparing.get(runtime)
        if future is None or (future.done() and error is None):
            return
        if error is not None:
            del self._preparing[runtime]
            if not future.done():
                future.set_exception(error)
        else:
            future.set_result(None)

    def _lose(self) -> None:
        """The launcher is gone, and with it every sandbox. The next request starts another."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        asyncio.get_running_loop().remove_reader(connection.fileno())
        connection.close()
        failure = LauncherEnded()
        waiting = [future for _spec, future in self._launches.values()]
        for future in (self._started, *waiting, *self._preparing.values(), *self._sockets.values()):
            if future is not None and not future.done():
                future.set_exception(failure)
                future.exception()  # seen, also where nobody waits any more
        for sandbox in self._sandboxes.values():
            sandbox.ended({"status": int(signal.SIGKILL)})
        self._launches.clear()
        self._preparing.clear()
        self._sandboxes.clear()
        self._snapshots.clear()

    async def close(self) -> None:
        """Kill every sandbox and end the launcher's processes. May be called twice."""
        self._is_closed = True
        sandboxes = list(self._sandboxes.values())
        for sandbox in sandboxes:
            sandbox.kill()
        if self._connection is not None and sandboxes:
            await asyncio.wait([sandbox.exited for sandbox in sandboxes], timeout=_END_TIMEOUT_S)
        self._lose()
        if self._process is not None:
            await asyncio.to_thread(_end, self._process)
            self._process = None


def _image(container: Container) -> dict[str, Any]:
    """What the launcher is told of an image in place of a runtime."""
    layers = [str(layer) for layer in container.layers]
    return {"name": f"image {container.name}", "kind": "container", "has_telemetry": True, "layers": layers}


def _end(process: subprocess.Popen[bytes]) -> None:
    """It ends by itself when its connection is closed."""
    try:
        process.wait(_END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _close_unwanted(future: asyncio.Future[LaunchedSandbox]) -> None:
    """A launch that was given up has come to its end all the same."""
    with contextlib.suppress(SandboxFailure, asyncio.CancelledError):
        future.result().close()
