"""The compute engine on real sandboxes, without a node around it."""

import dataclasses
import hashlib
import os
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloudlet.clock import PlatformClock
from cloudlet.compute.counting import Counting
from cloudlet.compute.environment_launches import EnvironmentMaker
from cloudlet.compute.frontend import FrontEnd
from cloudlet.compute.function import FunctionVersion, InvocationResult
from cloudlet.compute.host import Host
from cloudlet.compute.images import Images
from cloudlet.compute.machine_memory import available_bytes, capacity_bytes
from cloudlet.compute.placement import PlacedWorker, Placement
from cloudlet.compute.sandbox import Launcher
from cloudlet.compute.variables import language
from cloudlet.compute.worker import Worker
from cloudlet.compute.worker_manager import WorkerManager
from cloudlet.config import Config
from cloudlet.ids import Ids
from tests.support.compute_world import FixedCredentials, KeptLogs, function_version, invocation
from tests.support.sandboxes import write_files


class CodeFolders:
    """A `CodeSource` over folders that are there already, by any key."""

    def __init__(self) -> None:
        self.folders: dict[str, Path] = {}

    async def folder(self, digest: str) -> Path:
        return self.folders[digest]

    def release(self, digest: str) -> None:
        """Folders stay."""


class Engine:
    """A front end on real sandboxes. `async with`."""

    def __init__(
        self,
        launcher: Launcher,
        folder: Path,
        runtime: str,
        freeze_after_s: float | None = None,
        images: Images | None = None,
    ) -> None:
        self.launcher = launcher
        self.folder = folder
        self.runtime = runtime
        self.logs = KeptLogs()
        self.code = CodeFolders()
        clock = PlatformClock()
        host = Host(launcher, self.logs, clock, Ids())
        worker = Worker(
            host, self.code, FixedCredentials(clock), lambda name: name.removeprefix(language(name)), images
        )
        placed: PlacedWorker[EnvironmentMaker] = PlacedWorker("local", worker, capacity_bytes(Config()))
        self.manager = WorkerManager(Placement([placed], available_bytes), clock, 600.0, freeze_after_s)
        self.front_end = FrontEnd(Counting(), self.manager, [worker], clock, host.ids)

    async def __aenter__(self) -> "Engine":
        await self.front_end.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.front_end.drain(5.0)

    def function(self, source: str | Mapping[str, str | bytes], name: str = "", **changes: Any) -> FunctionVersion:
        """A function whose module `app` is `source`, or whose package is these files."""
        files = {"app.py": textwrap.dedent(source)} if isinstance(source, str) else source
        digest = hashlib.sha256("".join(f"{path}\0{data!r}" for path, data in files.items()).encode()).hexdigest()
        if digest not in self.code.folders:
            self.code.folders[digest] = write_files(self.folder / digest[:16], files)
        name = name or f"f{os.urandom(4).hex()}"
        made = function_version(name, runtime=self.runtime, code_digest=digest, log_group=f"/aws/lambda/{name}")
        return dataclasses.replace(made, **changes)

    async def run(self, function: FunctionVersion, payload: bytes = b"{}", **changes: Any) -> InvocationResult:
        """Invoke once."""
        return await self.front_end.invoke(function, invocation(payload, **changes))
