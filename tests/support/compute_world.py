"""A compute engine without a launcher: sandboxes whose runtime is the test itself."""

import asyncio
import contextlib
import dataclasses
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from cloudlet.clock import Clock, PlatformClock
from cloudlet.compute.active_invocation import ActiveInvocation
from cloudlet.compute.counting import Counting
from cloudlet.compute.environment_launches import EnvironmentMaker
from cloudlet.compute.frontend import FrontEnd
from cloudlet.compute.function import (
    FunctionVersion,
    Invocation,
    InvocationResult,
    LogEvent,
    RuntimeMissing,
    SandboxFailure,
    TemporaryCredentials,
)
from cloudlet.compute.host import Host
from cloudlet.compute.placement import PlacedWorker, Placement
from cloudlet.compute.sandbox import Container, ExitStatus, SandboxSpec
from cloudlet.compute.worker import Worker
from cloudlet.compute.worker_manager import WorkerManager
from cloudlet.config import MIB
from cloudlet.ids import Ids

ACCOUNT = "123456789012"
REGION = "eu-central-1"
GIB = 1024 * MIB


def function_version(name: str = "greet", **changes: Any) -> FunctionVersion:
    """A function version; `changes` are its fields."""
    function = FunctionVersion(
        account=ACCOUNT,
        region=REGION,
        name=name,
        version="$LATEST",
        environment_id=f"{name}-1",
        runtime="python3.12",
        handler="app.handler",
        code_digest="a" * 64,
        role_arn=f"arn:aws:iam::{ACCOUNT}:role/{name}",
    )
    return dataclasses.replace(function, **changes)


def invocation(payload: bytes = b'{"a":1}', **changes: Any) -> Invocation:
    """An invocation with a request id of its own."""
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:greet"
    return dataclasses.replace(Invocation(Ids().uuid(), payload, arn), **changes)


def sandbox_spec() -> SandboxSpec:
    """What a launcher is asked for."""
    return SandboxSpec("0" * 32, "python3.12", "app.handler", Path("/nowhere"), (), {}, 128, 512)


def active(given: Invocation | None = None) -> ActiveInvocation:
    """An invocation that is counted by nobody."""
    future: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
    return ActiveInvocation(given or invocation(), future, lambda _: None)


class KeptLogs:
    """A `LogSink` that keeps everything."""

    def __init__(self) -> None:
        self.events: list[tuple[str, LogEvent]] = []
        self._more = asyncio.Event()

    def write(self, function: FunctionVersion, log_stream: str, events: Sequence[LogEvent]) -> None:
        self.events += [(log_stream, event) for event in events]
        self._more.set()

    @property
    def messages(self) -> list[str]:
        """All lines, in order."""
        return [event.message for _, event in self.events]

    @property
    def streams(self) -> list[str]:
        """The log streams, in the order of their first line."""
        return list(dict.fromkeys(stream for stream, _ in self.events))

    async def wait_for(self, text: str) -> None:
        """Return when a line holds `text`."""
        while not any(text in message for message in self.messages):
            self._more.clear()
            await self._more.wait()


class FolderCode:
    """A `CodeSource` with one folder for all, which counts its users."""

    def __init__(self, folder: Path = Path("/nowhere")) -> None:
        self.path = folder
        self.users: dict[str, int] = {}

    async def folder(self, digest: str) -> Path:
        self.users[digest] = self.users.get(digest, 0) + 1
        return self.path

    def release(self, digest: str) -> None:
        self.users[digest] -= 1


class FixedCredentials:
    """A `CredentialSource` whose credentials last `lifetime_s`."""

    def __init__(self, clock: Clock, lifetime_s: float = 12 * 3600.0) -> None:
        self._clock = clock
        self._lifetime_s = lifetime_s
        self.issued = 0

    async def credentials(self, function: FunctionVersion) -> TemporaryCredentials:
        self.issued += 1
        return TemporaryCredentials(f"ASIA{self.issued}", "secret", "token", self._clock.now() + self._lifetime_s)


class ScriptedSandbox:
    """A `Sandbox` with real sockets and pipes, in which the test plays the runtime."""

    def __init__(self, spec: SandboxSpec) -> None:
        self.spec = spec
        self.runtime_api = socket.create_server(("127.0.0.1", 0))
        self.platform = socket.create_server(("127.0.0.1", 0))
        self.address = self.runtime_api.getsockname()
        self.output, self._stdout = os.pipe()
        self.telemetry: int | None
        self.telemetry, self._frames = os.pipe()
        self.extension_output: int | None = None
        self.control: socket.socket | None = None
        self._extension_stdout: int | None = None
        self.supervisor: socket.socket | None = None
        """With external extensions: the other end of `control`, where the test says what processes do."""
        if spec.extensions:
            self.extension_output, self._extension_stdout = os.pipe()
            os.set_blocking(self.extension_output, False)
            self.control, self.supervisor = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.control.setblocking(False)
            self.supervisor.setblocking(False)
        self.is_terminated = asyncio.Event()
        for descriptor in (self.output, self.telemetry):
            os.set_blocking(descriptor, False)
        self.exited: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()
        self.snapshot_bytes: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.peak_bytes = 36 * MIB
        self.frozen: list[bool] = []
        self.runtimes: list[ScriptedRuntime] = []
        self.connected: list[ScriptedRuntime] = []
        """Those of `runtimes` that hang up when the tree ends."""
        self.is_killed = False
        self.is_closed = False

    async def connect(self) -> "ScriptedRuntime":
        """Start the runtime: it connects to the Runtime API."""
        reader, writer = await asyncio.open_connection(*self.address[:2])
        self.runtimes.append(ScriptedRuntime(reader, writer))
        self.connected.append(self.runtimes[-1])
        return self.runtimes[-1]

    def print(self, text: str) -> None:
        """Write to standard output."""
        os.write(self._stdout, text.encode())

    def log(self, message: str, kind: int = 0xA55A0003, microseconds: int = 0) -> None:
        """Write a frame to the telemetry pipe."""
        data = message.encode()
        head = kind.to_bytes(4, "big") + len(data).to_bytes(4, "big") + microseconds.to_bytes(8, "big")
        os.write(self._frames, head + data)

    def print_extension(self, text: str) -> None:
        """Write to the standard output of the extensions."""
        assert self._extension_stdout is not None
        os.write(self._extension_stdout, text.encode())

    async def commanded(self) -> dict[str, Any]:
        """What the node tells the supervisor next."""
        assert self.supervisor is not None
        command: dict[str, Any] = orjson.loads(await asyncio.get_running_loop().sock_recv(self.supervisor, 4096))
        return command

    def tell(self, kind: str, process: int, detail: int) -> None:
        """Say what the supervisor says."""
        assert self.supervisor is not None
        self.supervisor.send(orjson.dumps({"t": kind, "process": process, "detail": detail}))

    def terminate(self) -> None:
        self.is_terminated.set()

    async def new_socket(self) -> socket.socket:
        made = socket.socket()
        made.setblocking(False)
        return made

    def exit(self, code: int | None = 0, signal: int | None = None, out_of_memory: bool = False) -> None:
        """End the tree."""
        if not self.exited.done():
            for runtime in self.connected:
                runtime.close()
            self.exited.set_result(ExitStatus(code, signal, out_of_memory))

    def kill(self) -> None:
        self.is_killed = True
        self.exit(None, 9)

    def memory_peak_bytes(self) -> int:
        return self.peak_bytes

    def freeze(self) -> None:
        self.frozen.append(True)

    def thaw(self) -> None:
        self.frozen.append(False)

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self.exit(None, 9)
            for runtime in self.runtimes:
                runtime.close()
            self.runtime_api.close()
            self.platform.close()
            assert self.telemetry is not None
            for descriptor in (self.output, self._stdout, self.telemetry, self._frames):
                os.close(descriptor)
            for more in (self.extension_output, self._extension_stdout):
                if more is not None:
                    os.close(more)
            for line in (self.control, self.supervisor):
                if line is not None:
                    line.close()


class ScriptedRuntime:
    """One connection of a runtime to its Runtime API."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(data)

    async def call(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Make a request below /2018-06-01; the answer's status, headers (lower case) and body."""
        self.request(method, path, body, headers)
        return await self.answer()

    def request(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Make a request, and do not wait for its answer."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        head = f"{method} /2018-06-01{path} HTTP/1.1\r\nHost: api\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
        self.send(head.encode() + body)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The next answer."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return int(head[0].split()[1]), headers, body

    async def next(self) -> tuple[dict[str, str], bytes]:
        """Wait for an invocation: its headers and its payload."""
        status, headers, body = await self.call("GET", "/runtime/invocation/next")
        assert status == 200, body
        return headers, body

    def poll(self) -> None:
        """Ask for an invocation, without waiting for it."""
        self.send(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: api\r\n\r\n")

    async def respond(self, request_id: str, payload: bytes, **headers: str) -> int:
        """Give a result; the status of the answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return (await self.call("POST", f"/runtime/invocation/{request_id}/response", payload, named))[0]

    async def serve(self, answer: bytes = b'"ok"') -> None:
        """Be a function that always answers the same, until the connection ends."""
        try:
            while True:
                headers, _ = await self.next()
                await self.respond(headers["lambda-runtime-aws-request-id"], answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return

    def close(self) -> None:
        """Hang up."""
        self._writer.close()

    async def closed(self) -> None:
        """Return when the connection has gone."""
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


class ScriptedLauncher:
    """A `Launcher` of scripted sandboxes. The test takes each from `sandboxes`."""

    def __init__(self) -> None:
        self.launched: list[ScriptedSandbox] = []
        self.sandboxes: asyncio.Queue[ScriptedSandbox] = asyncio.Queue()
        self.prepared: list[str] = []
        self.failures: list[RuntimeMissing | SandboxFailure] = []
        """What the next launches raise."""
        self.is_started = False
        self.snapshots: set[str] = set()
        """Those that sandboxes can be launched from."""

    async def start(self) -> None:
        self.is_started = True

    async def prepare(self, runtime: str) -> None:
        self.prepared.append(runtime)

    async def launch(self, spec: SandboxSpec) -> ScriptedSandbox:
        if self.failures:
            raise self.failures.pop(0)
        sandbox = ScriptedSandbox(spec)
        self.launched.append(sandbox)
        self.sandboxes.put_nowait(sandbox)
        return sandbox

    def retire(self, container: Container) -> None:
        """Nothing is kept for an image."""

    def has_snapshot(self, snapshot: str) -> bool:
        return snapshot in self.snapshots

    def drop_snapshot(self, snapshot: str) -> None:
        self.snapshots.discard(snapshot)

    async def close(self) -> None:
        for sandbox in self.launched:
            sandbox.close()
            for runtime in sandbox.runtimes:
                await runtime.closed()


class ComputeWorld:
    """An engine of scripted sandboxes, and all that it stands on."""

    def __init__(self, clock: Clock | None = None, idle_timeout_s: float = 600.0, capacity_bytes: int = GIB) -> None:
        self.clock = clock or PlatformClock()
        self.launcher = ScriptedLauncher()
        self.logs = KeptLogs()
        self.code = FolderCode()
        self.credentials = FixedCredentials(self.clock)
        self.host = Host(self.launcher, self.logs, self.clock, Ids())
        self.worker = Worker(self.host, self.code, self.credentials, lambda _: "3.12.1")
        self.available_bytes = 100 * GIB
        placed: PlacedWorker[EnvironmentMaker] = PlacedWorker("worker", self.worker, capacity_bytes)
        self.placement = Placement([placed], lambda: self.available_bytes)
        self.manager = WorkerManager(self.placement, self.clock, idle_timeout_s)
        self.front_end = FrontEnd(Counting(), self.manager, [self.worker], self.clock, self.host.ids)

    async def __aenter__(self) -> "ComputeWorld":
        await self.front_end.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.front_end.drain(0)

    def invoke(self, function: FunctionVersion, given: Invocation | None = None) -> "asyncio.Task[InvocationResult]":
        """Invoke in the background."""
        return asyncio.create_task(self.front_end.invoke(function, given or invocation()))

    async def sandbox(self) -> ScriptedSandbox:
        """The next sandbox that is launched."""
        return await self.launcher.sandboxes.get()

    async def serving(self, answer: bytes = b'"ok"') -> ScriptedSandbox:
        """The next sandbox, in which a runtime answers everything."""
        sandbox = await self.sandbox()
        runtime = await sandbox.connect()
        task = asyncio.create_task(runtime.serve(answer))
        sandbox.exited.add_done_callback(lambda _: task.cancel())
        return sandbox


def error_of(result: InvocationResult) -> dict[str, Any]:
    """The error that is a result's payload."""
    assert result.function_error == "Unhandled"
    error: dict[str, Any] = orjson.loads(result.payload)
    return error
