"""The compute engine of one node, joined: front end, counting, worker manager, placement, worker, launcher."""

import asyncio
import logging

from cloudlet.compute import development
from cloudlet.compute.code_cache import CodeCache
from cloudlet.compute.counting import Counting
from cloudlet.compute.debugging import Debuggers
from cloudlet.compute.development import DevelopmentCode
from cloudlet.compute.environment_launches import EnvironmentMaker
from cloudlet.compute.frontend import FrontEnd
from cloudlet.compute.function import SNAP_START, CredentialSource, FunctionVersion, LogSink
from cloudlet.compute.host import Host
from cloudlet.compute.images import Images
from cloudlet.compute.launcher.client import SandboxLauncher
from cloudlet.compute.machine_memory import available_bytes, capacity_bytes
from cloudlet.compute.meter import Meter
from cloudlet.compute.placement import PlacedWorker, Placement
from cloudlet.compute.provisioning import Provisioner
from cloudlet.compute.runtime_process import ServePlatform
from cloudlet.compute.runtimes import Runtimes
from cloudlet.compute.runtimes.debuggers import DebuggerCode
from cloudlet.compute.worker import Worker
from cloudlet.compute.worker_manager import WorkerManager
from cloudlet.services.base import Platform

CODE_FOLDER = "code"
LAUNCHER_FOLDER = "launcher"

logger = logging.getLogger(__name__)


class NodeCompute:
    """Runs functions on this machine. `front_end` is what the Lambda service invokes."""

    def __init__(
        self,
        platform: Platform,
        logs: LogSink,
        credentials: CredentialSource,
        serve_platform: ServePlatform,
        images: Images,
        meter: Meter,
    ) -> None:
        config = platform.config
        self.runtimes = Runtimes(config.runtimes_folder, nearest=config.nearest_runtime)
        self.counting = Counting(config.concurrency, config.request_rate_factor)
        self._code = CodeCache(config.data / CODE_FOLDER, platform.blobs)
        debuggers = DebuggerCode(self.runtimes, self._code, logger.info)
        self.development = DevelopmentCode(config.data / development.FOLDER, debuggers)
        self._launcher = SandboxLauncher(self.runtimes, config.data / LAUNCHER_FOLDER, config.isolation)
        self.debuggers: Debuggers = {}
        host = Host(self._launcher, logs, platform.clock, platform.ids, serve_platform, self.debuggers)
        worker = Worker(host, self.development, credentials, self._runtime_version, images, config.snapshot_idle_s)
        self._snapshots = worker.snapshots
        placed: PlacedWorker[EnvironmentMaker] = PlacedWorker("local", worker, capacity_bytes(config))
        self._manager = WorkerManager(
            Placement([placed], available_bytes),
            platform.clock,
            config.idle_timeout_s,
            config.freeze_after_s or None,
            config.scaling_rate,
        )
        self.provisioner = Provisioner(self._manager, platform.clock)
        self.front_end = FrontEnd(self.counting, self._manager, [worker], platform.clock, platform.ids, meter)

    async def start(self) -> None:
        """Be ready to run functions. Raises SandboxFailure when this machine cannot isolate as configured."""
        await asyncio.to_thread(self.development.open)
        await self.front_end.start()

    async def drain(self, timeout_s: float) -> None:
        """Take no new invocation, let those that run finish for at most `timeout_s`, then end everything."""
        await self.provisioner.close()
        await self.front_end.drain(timeout_s)
        await self.development.close()
        await self._code.close()

    async def prepare(self, function: FunctionVersion) -> None:
        """Make the first launch of `function` a fast one. Raises ComputeError."""
        if function.image is not None:
            await self.front_end.prepare(function)
            return
        packages = [self._code.prefetch(digest) for digest in (function.code_digest, *function.layers)]
        await asyncio.gather(*packages, self._launcher.prepare(function.runtime))
        if function.initialization_type == SNAP_START:
            await self.front_end.prepare(function)

    def status(self) -> dict[str, int]:
        """How many sandboxes there are, and what they do."""
        environments, idle = self._manager.environments, self._manager.idle
        return {
            "idle": idle,
            "busy": environments - idle,
            "provisioned": self.provisioner.environments,
            "invocations": self.front_end.running,
            "snapshots": self._snapshots.count,
        }

    def _runtime_version(self, runtime: str) -> str:
        return self.runtimes.resolve(runtime).version
