"""The Lambda service over a real store and the real dispatcher, with a compute engine that only takes notes."""

import asyncio
import io
import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudlet.clock import PlatformClock
from cloudlet.compute.code_cache import CodeCache
from cloudlet.compute.development import DevelopmentCode
from cloudlet.compute.function import FunctionVersion, Invocation, InvocationResult
from cloudlet.compute.images import Images
from cloudlet.compute.images.store import ImageStore
from cloudlet.compute.provisioning import Allocation
from cloudlet.config import Config
from cloudlet.delivery.engine import Engine
from cloudlet.gateway.dispatcher import Dispatcher
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.ids import Ids
from cloudlet.services.base import Platform
from cloudlet.services.lambda_ import FunctionMetrics, LambdaService
from cloudlet.services.lambda_.names import FunctionRef
from cloudlet.services.lambda_.tables import versions
from cloudlet.services.measurements import Measurement
from cloudlet.store.folder_blobs import FolderBlobs
from cloudlet.store.sqlite import SqliteStore
from cloudlet.wire.model import ServiceModels
from tests.support.own_account import OwnAccountAuthorizer

ACCOUNT = "111111111111"
REGION = "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"
MODELS = ServiceModels()


def zip_of(**files: str) -> bytes:
    """A package with these files, `_` in a name standing for a dot."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name.replace("_", ".")), text)
    return buffer.getvalue()


@dataclass
class FakeCompute:
    """Answers with `answer`, and remembers."""

    answer: Callable[[FunctionVersion, Invocation], InvocationResult] = lambda _function, invocation: InvocationResult(
        invocation.payload
    )
    ran: list[tuple[FunctionVersion, Invocation]] = field(default_factory=list)
    ran_one: asyncio.Event = field(default_factory=asyncio.Event)
    retired: list[tuple[str, set[str]]] = field(default_factory=list)
    retired_one: asyncio.Event = field(default_factory=asyncio.Event)

    async def invoke(self, function: FunctionVersion, invocation: Invocation) -> InvocationResult:
        self.ran.append((function, invocation))
        self.ran_one.set()
        return self.answer(function, invocation)

    def retire(self, function_arn: str, keep: Collection[str]) -> None:
        self.retired.append((function_arn, set(keep)))
        self.retired_one.set()


@dataclass
class FakeCounting:
    """Remembers what each account was told."""

    told: dict[tuple[str, str], tuple[int, dict[str, int]]] = field(default_factory=dict)
    provisioned: dict[str, dict[str, int]] = field(default_factory=dict)
    told_one: asyncio.Event = field(default_factory=asyncio.Event)

    def configure(
        self,
        account: str,
        region: str,
        limit: int,
        reserved: Mapping[str, int],
        provisioned: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        self.provisioned = {arn: dict(counts) for arn, counts in (provisioned or {}).items()}
        self.told[account, region] = (limit, dict(reserved))
        self.told_one.set()


@dataclass
class FakeKeeper:
    """Has started whatever it is told to keep, unless `started` says otherwise."""

    kept: dict[str, list[tuple[FunctionVersion, int]]] = field(default_factory=dict)
    kept_one: asyncio.Event = field(default_factory=asyncio.Event)
    started: Callable[[int], Allocation] = lambda count: Allocation(count, count)

    def provision(self, function_arn: str, targets: Sequence[tuple[FunctionVersion, int]]) -> None:
        self.kept[function_arn] = list(targets)
        self.kept_one.set()

    def allocations(self, function_arn: str) -> dict[str, Allocation]:
        return {function.environment_id: self.started(count) for function, count in self.kept.get(function_arn, [])}


@dataclass(frozen=True)
class FoundRuntime:
    name: str


class FakeRuntimes:
    """Has every runtime unless told otherwise."""

    def __init__(self) -> None:
        self.instead: dict[str, str | Exception] = {}
        self.obstacles: dict[str, str] = {}
        """Why there can be no snapshots, by runtime."""

    def resolve(self, name: str) -> FoundRuntime:
        found = self.instead.get(name, name)
        if isinstance(found, Exception):
            raise found
        return FoundRuntime(found)

    def snapshot_obstacle(self, name: str) -> str:
        return self.obstacles.get(name, "")


class FakePreparation:
    """Ready at once, unless `hold` is called: then when `release` is."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self.error: Exception | None = None
        self.prepared: list[FunctionVersion] = []

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    async def __call__(self, function: FunctionVersion) -> None:
        await self._open.wait()
        if self.error is not None:
            raise self.error
        self.prepared.append(function)


class World:
    """A service that runs, and the shortest way to call it."""

    def __init__(self, folder: Path, store: SqliteStore, clock: PlatformClock) -> None:
        self.store = store
        self.clock = clock
        self.config = Config(data=folder, port=4566)
        self.dispatcher = Dispatcher(MODELS, OwnAccountAuthorizer())
        self.blobs = FolderBlobs(folder / "blobs")
        self.platform = Platform(self.config, clock, Ids(), store, self.blobs, self.dispatcher)
        self.compute, self.counting = FakeCompute(), FakeCounting()
        self.runtimes, self.prepare = FakeRuntimes(), FakePreparation()
        self.engine = Engine(store, clock, self.platform.ids)
        clock.add_participant(self.engine.idle)
        self.keeper = FakeKeeper()
        parts = ImageStore(store, clock, self.platform.ids, FolderBlobs(folder / "image-blobs"))
        self.images = Images(self.config, parts, folder / "layers")
        self.measured: list[Measurement] = []
        self.metrics = FunctionMetrics(self._record, clock)
        self.service = LambdaService(
            self.platform,
            self.compute,
            self.counting,
            self.engine,
            self.runtimes,
            self.prepare,
            self._logged,
            self.keeper,
            self.images,
            DevelopmentCode(folder / "development", CodeCache(folder / "code", self.blobs)),
            self.metrics,
            {},
        )
        self.logged = asyncio.Event()
        self.logged.set()
        self.dispatcher.register([self.service])
        self._stop = asyncio.Event()

    async def _record(self, measurements: Iterable[Measurement]) -> None:
        self.measured += measurements

    async def _logged(self) -> None:
        await self.logged.wait()

    def context(self, account: str = ACCOUNT, region: str = REGION, request_id: str = "") -> RequestContext:
        return RequestContext(Principal.root(account), region, request_id or self.platform.ids.uuid())

    async def call(self, operation: str, /, **params: Any) -> Any:
        return await self.dispatcher.call(self.context(), "lambda", operation, params)

    async def create(self, name: str = "fn", /, **params: Any) -> Any:
        """Create a function and wait until it is active."""
        given = {
            "FunctionName": name,
            "Role": ROLE,
            "Runtime": "python3.12",
            "Handler": "index.handler",
            "Code": {"ZipFile": zip_of(index_py="handler = print")},
            **params,
        }
        made = await self.call("CreateFunction", **given)
        await self.settled(name)
        return made

    async def exists(self, name: str = "fn") -> None:
        """Wait until the function is there, whatever its state."""
        ref = FunctionRef(ACCOUNT, REGION, name)
        assert await self.service.changes.wait(
            ref, until=lambda reader: bool(versions(reader, ref, -1, 1)), timeout_s=10
        )

    async def settled(self, name: str = "fn") -> Any:
        """Wait until nothing about the function is under way; its configuration."""
        ref = FunctionRef(ACCOUNT, REGION, name)
        done = await self.service.changes.wait(
            ref,
            until=lambda reader: all(
                row[6] != "Pending" and row[9] != "InProgress" for row in versions(reader, ref, -1, 100)
            ),
            timeout_s=10,
        )
        assert done
        return await self.call("GetFunctionConfiguration", FunctionName=name)

    async def run(self, started: asyncio.Future[None]) -> None:
        async with asyncio.TaskGroup() as tasks:
            await self.store.migrate("lambda", self.service.migrations)
            await self.images.store.open()
            await self.engine.start(tasks)
            await self.service.start(tasks)
            started.set_result(None)
            await self._stop.wait()
            await self.engine.stop()
            await self.service.stop()
            await self.images.close()

    def stop(self) -> None:
        self._stop.set()
