"""Runs functions in real sandboxes, without a node: a Runtime API of a few lines, launchers as two kinds of user."""

import asyncio
import json
import os
import secrets
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cloudlet.compute import launcher
from cloudlet.compute.launcher.client import SandboxLauncher
from cloudlet.compute.launcher.sandbox import LaunchedSandbox
from cloudlet.compute.runtimes import LIBRARY_PATH, Interpreter, Runtimes, discovery
from cloudlet.compute.sandbox import SandboxSpec

REPOSITORY = Path(__file__).parents[2]
PREPARED = REPOSITORY / ".state" / "runtimes"
"""Kept between test runs: preparing a runtime needs the package index and some seconds."""
EVERYBODYS_PREPARED = Path(tempfile.gettempdir()) / "cloudlet-tests-runtimes"
"""The same for tests as `nobody`: a checkout may be where other users cannot enter."""
NOBODY = 65534

VARIABLES = {
    "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    "LD_LIBRARY_PATH": LIBRARY_PATH,
    "LANG": "en_US.UTF-8",
    "LC_CTYPE": "C.UTF-8",
    "PYTHONPATH": "/var/runtime",
    "TZ": ":UTC",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "LAMBDA_TASK_ROOT": "/var/task",
}

RUN_SOURCE = """
def handler(event, context):
    scope = {}
    exec(event["source"], scope)
    return scope.get("answer")
"""
"""A function that runs what it is sent and returns what that leaves in `answer`."""


class FunctionError(Exception):
    """The runtime reported an error; the argument is its JSON."""


class InitError(Exception):
    """The runtime reported an error of its initialisation; the argument is its JSON."""


class RunningFunction:
    """A sandbox, with a Runtime API that hands it events."""

    def __init__(self, sandbox: LaunchedSandbox) -> None:
        self.sandbox = sandbox
        self.output = b""
        self._events: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._answers: asyncio.Queue[Any] = asyncio.Queue()
        self._server: asyncio.Server | None = None
        self.is_ready = asyncio.Event()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, sock=self.sandbox.runtime_api)
        asyncio.get_running_loop().add_reader(self.sandbox.output, self._read_output)

    def _read_output(self) -> None:
        data = os.read(self.sandbox.output, 65536)
        self.output += data
        if not data:
            asyncio.get_running_loop().remove_reader(self.sandbox.output)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                line, *fields = request.decode().strip().split("\r\n")
                headers = {name.lower(): value.strip() for name, value in (field.split(":", 1) for field in fields)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                await self._answer(line.split()[1].rsplit("/", 2)[-2:], body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, path: list[str], body: bytes, writer: asyncio.StreamWriter) -> None:
        if path[-1] == "next":
            self.is_ready.set()
            event = await self._events.get()
            if event is None:
                return
            head = (
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: 1\r\n"
                "Lambda-Runtime-Deadline-Ms: 4000000000000\r\nLambda-Runtime-Invoked-Function-Arn: arn:x\r\n"
                f"Content-Length: {len(event)}\r\n\r\n"
            )
            writer.write(head.encode() + event)
        else:
            if path[-1] == "response":
                self._answers.put_nowait(json.loads(body or b"null"))
            elif path[0] == "init":
                self._answers.put_nowait(InitError(json.loads(body)))
            else:
                self._answers.put_nowait(FunctionError(json.loads(body)))
            writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async def invoke(self, event: Any = None) -> Any:
        """What the handler returned. Raises FunctionError, InitError; EOFError when the sandbox ended instead."""
        self._events.put_nowait(json.dumps(event).encode())
        return await self.answer()

    async def answer(self) -> Any:
        """The next thing that the runtime says."""
        answered = asyncio.ensure_future(self._answers.get())
        await asyncio.wait([answered, self.sandbox.exited], return_when=asyncio.FIRST_COMPLETED)
        if not answered.done():
            answered.cancel()
            raise EOFError(self.sandbox.exited.result())
        if isinstance(answered.result(), Exception):
            raise answered.result()
        return answered.result()

    async def run(self, source: str) -> Any:
        """Run `source` inside (the function must be RUN_SOURCE), and return its `answer`."""
        return await self.invoke({"source": textwrap.dedent(source)})

    async def close(self) -> None:
        self.sandbox.kill()
        await self.sandbox.exited
        loop = asyncio.get_running_loop()
        if loop.remove_reader(self.sandbox.output):
            while data := os.read(self.sandbox.output, 65536):
                self.output += data
        self._events.put_nowait(None)
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        self.sandbox.close()


class OrdinaryLauncher(SandboxLauncher):
    """A launcher that runs as `nobody`, as it does when an ordinary user starts a node."""

    def __init__(self, runtimes: Runtimes, state: Path, python: Path) -> None:
        super().__init__(runtimes, state)
        self._python = python
        self._program = state.with_name("program")
        """A copy of the launcher's program: `nobody` may be unable to enter the checkout."""
        agent = Path(launcher.__file__).with_name("agent")
        shutil.copytree(agent, self._program / "agent", ignore=shutil.ignore_patterns("__pycache__"))

    def command(self, connection: int) -> list[str]:
        _own_python, *arguments = super().command(connection)
        user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        here = str(Path(launcher.__file__).parent)
        return [*user, str(self._python), *(argument.replace(here, str(self._program)) for argument in arguments)]


class Bench:
    """A launcher, and the functions that a test runs on it."""

    def __init__(self, launcher: SandboxLauncher, folder: Path, runtime: str, *, is_root: bool) -> None:
        self.launcher = launcher
        self.folder = folder
        self.runtime = runtime
        self.is_root = is_root
        self._running: list[RunningFunction] = []

    def package(self, files: Mapping[str, str]) -> Path:
        """An unpacked package."""
        return write_files(self.folder / f"code-{secrets.token_hex(8)}", files)

    def spec(self, code: Path | None, handler: str = "function.handler", **changes: Any) -> SandboxSpec:
        """What to launch; `environment` is added to the usual variables."""
        environment = {**VARIABLES, "_HANDLER": handler, **changes.pop("environment", {})}
        fields = {"runtime": self.runtime, "layers": (), "memory_mb": 256, "ephemeral_storage_mb": 512, **changes}
        return SandboxSpec(
            sandbox_id=secrets.token_hex(16), handler=handler, code=code, environment=environment, **fields
        )

    async def start(
        self, source: str = RUN_SOURCE, files: Mapping[str, str] | None = None, **changes: Any
    ) -> RunningFunction:
        """Launch a function of this source."""
        code = self.package({"function.py": textwrap.dedent(source), **(files or {})})
        return await self.start_spec(self.spec(code, **changes))

    async def start_spec(self, spec: SandboxSpec) -> RunningFunction:
        function = RunningFunction(await self.launcher.launch(spec))
        self._running.append(function)
        await function.start()
        return function

    async def close_functions(self) -> None:
        while self._running:
            await self._running.pop().close()


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write `files` below `folder`; those that begin with `#!`, and programs, are executable."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(data)
        path.chmod(0o755 if data.startswith((b"#!", b"\x7fELF")) else 0o644)
    for parent in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        parent.chmod(0o755)
    return folder


def root_launcher(state: Path) -> tuple[SandboxLauncher, str]:
    """A launcher as the user of the tests, and this Python's runtime."""
    return SandboxLauncher(Runtimes(PREPARED), state), f"python3.{sys.version_info[1]}"


def everybodys_interpreter() -> Interpreter | None:
    """A Python that `nobody` can run too: not one in root's home."""
    for path in sorted(Path("/usr/bin").glob("python3.*")) + sorted(Path("/usr/local/bin").glob("python3.*")):
        if path.suffix[1:].isdigit() and (found := discovery.probe(path.resolve(), str(path.parent))):
            return found
    return None


def ordinary_launcher(state: Path) -> tuple[SandboxLauncher, str] | None:
    """A launcher as `nobody`; None where the tests cannot become it, or where it has no Python."""
    interpreter = everybodys_interpreter()
    if interpreter is None:
        return None
    runtimes = Runtimes(EVERYBODYS_PREPARED, interpreters={interpreter.name: interpreter})
    launcher = ordinary_launcher_with(runtimes, state)
    return (launcher, interpreter.name) if launcher is not None else None


def ordinary_launcher_with(runtimes: Runtimes, state: Path) -> OrdinaryLauncher | None:
    """A launcher as `nobody` for these runtimes; None where the tests cannot become it, or where it has no Python."""
    interpreter = everybodys_interpreter()
    if os.geteuid() != 0 or interpreter is None or shutil.which("setpriv") is None:
        return None
    state.mkdir(parents=True, exist_ok=True)
    os.chown(state, NOBODY, NOBODY)
    return OrdinaryLauncher(runtimes, state, interpreter.executable)


@contextmanager
def everybodys_folder() -> Iterator[Path]:
    """A temporary folder that every user can enter; pytest's own are closed, and closed again by other runs."""
    with tempfile.TemporaryDirectory(prefix="cloudlet-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
