"""A node, built of its parts and run: the one place where everything is joined.

    store, clock, keys -> dispatcher -> compute -> services -> edge

Parts are started in this order and ended in the opposite one. Stopping takes no new requests, lets what runs finish
within `DRAIN_LIMIT_S`, and then closes; `hurry` ends the waiting.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, Self, TypeVar

from cloudlet import __version__, process_memory
from cloudlet.background import Background
from cloudlet.clock import PlatformClock
from cloudlet.compute.images import Images
from cloudlet.compute.images.store import ImageStore
from cloudlet.config import Config
from cloudlet.delivery.by_hand import ByHand
from cloudlet.delivery.engine import Engine
from cloudlet.delivery.kept_tables import Bounds
from cloudlet.gateway.control import Control
from cloudlet.gateway.dispatcher import Dispatcher
from cloudlet.gateway.edge import Edge
from cloudlet.gateway.function_url_gate import FunctionUrlGate
from cloudlet.gateway.router import Router
from cloudlet.gateway.server import Closer, HttpServer
from cloudlet.iam.authenticate import Authenticator, Target
from cloudlet.iam.credentials import Credentials
from cloudlet.iam.enforce import PolicyAuthorizer
from cloudlet.iam.principals import Principal
from cloudlet.ids import Ids
from cloudlet.node_compute import NodeCompute
from cloudlet.node_folder import NodeFolder, NodeRecord
from cloudlet.services.base import Platform, Service
from cloudlet.services.cloudtrail import CallQueue, CloudTrailService
from cloudlet.services.cloudwatch import CloudWatchService
from cloudlet.services.ecr import EcrService
from cloudlet.services.iam import IamService
from cloudlet.services.lambda_ import FunctionCredentials, FunctionLogs, FunctionMetrics, LambdaService, LogPermission
from cloudlet.services.lambda_.names import FunctionRef
from cloudlet.services.logs import LogsService
from cloudlet.services.organizations import OrganizationsService
from cloudlet.services.sns import SnsService
from cloudlet.services.sqs import SqsService
from cloudlet.services.sts import StsService
from cloudlet.store.open import open_image_blobs, open_store
from cloudlet.stored_clock import StoredClock
from cloudlet.wire.http import HttpRequest
from cloudlet.wire.model import ServiceModels
from cloudlet.wire.service_index import ServiceIndex

logger = logging.getLogger(__name__)
ServiceT = TypeVar("ServiceT", bound=Service)

LAYERS_FOLDER = "layers"
"""Unpacked layers of images; their packed parts are beside the store."""
DRAIN_LIMIT_S = 60.0
"""How long running requests and invocations get to finish when the node stops."""
CONTROL_TARGET = Target("cloudlet", "", "rest-json")
"""What a request to the control interface is signed for: any service's name will do."""


class Node:
    """One node. `async with Node(config) as node` serves while it is entered.

    Entering raises StoreError (StoreLocked when another node has the data folder), OSError when the address is taken,
    SandboxFailure when this machine cannot isolate as configured.
    """

    platform: Platform
    clock: PlatformClock
    services: list[Service]
    port: int

    def __init__(self, config: Config) -> None:
        self.config = config = _with_whole_paths(config)
        self.is_ready = False
        self._started = time.monotonic()
        self._folder = NodeFolder(config.data)
        self._hurry = asyncio.Event()
        self._parts = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._parts.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    def hurry(self) -> None:
        """Wait no longer for what is still running."""
        self._hurry.set()

    @property
    def endpoint(self) -> str:
        """Where the node serves, as a client on this machine names it."""
        return self.config.endpoint

    def service(self, kind: type[ServiceT]) -> ServiceT:
        """The service of this class. Raises StopIteration when the node has none."""
        return next(service for service in self.services if isinstance(service, kind))

    async def failed(self) -> None:
        """Return when a part has ended that must not; the log says which."""
        await self._background.failed()

    async def _start(self) -> None:
        listening = _bind(self.config.host, self.config.port)
        self.port = listening.getsockname()[1]
        self.config = replace(self.config, port=self.port)
        self._parts.callback(listening.close)
        await self._open_state()
        await self._build()
        await self._run()
        await self._http.listen(listening, self._edge.public)
        record = NodeRecord(self.endpoint, os.getpid(), __version__, self.config.region, self.config.is_open)
        self._folder.write(record)
        self._parts.callback(self._folder.remove)
        self.is_ready = True
        logger.info("node serves", extra={"endpoint": self.endpoint, "version": __version__})

    async def _open_state(self) -> None:
        """The store, the clock and the keys."""
        self.ids = Ids()
        self.store, self.blobs = await open_store(self.config)
        self._parts.push_async_callback(self.store.close)
        self._stored_clock = await StoredClock.open(self.store)
        self._parts.push_async_callback(self._stored_clock.close)
        self.clock = self._stored_clock.clock
        parts = ImageStore(self.store, self.clock, self.ids, await open_image_blobs(self.config, self.store))
        await parts.open()
        self.images = Images(self.config, parts, self.config.data / LAYERS_FOLDER)
        self._parts.push_async_callback(self.images.close)
        self._credentials = Credentials(self.config, self.store, self.clock, self.ids)
        await self._credentials.open()
        self._authenticator = Authenticator(self.config, self._credentials, self.clock)

    async def _build(self) -> None:
        """Dispatcher, services and edge."""
        models = ServiceModels(self.ids.uuid)
        self._authorizer = PolicyAuthorizer(self.store, self.clock)
        self._calls = CallQueue(self.clock, with_data=self.config.data_events)
        dispatcher = Dispatcher(models, self._authorizer, self._calls)
        self.platform = Platform(self.config, self.clock, self.ids, self.store, self.blobs, dispatcher)
        self.services = self._make_services()
        dispatcher.register(self.services)
        for service in self.services:
            self._authorizer.know(models.service(service.name).signing_name, service)
        router = Router(models, ServiceIndex(), [service.name for service in self.services])
        urls = self.service(LambdaService).urls
        urls.gate = FunctionUrlGate(self._authenticator, self._authorizer)
        router.add_host("lambda-url", urls.handle)
        for service in self.services:
            router.add_streams(service.streams())
        control = Control(self.config, self, self._authenticate_operator)
        for service in self.services:
            control.add_routes(service.routes())
        self._edge = Edge(self.config, router, self._authenticator, dispatcher, control, self.ids)
        self._edge.add_limits(self.services)
        self._http = await self._parts.enter_async_context(HttpServer(self.clock))

    def _make_services(self) -> list[Service]:
        """All services of this node, with the engines that they rest on."""
        platform = self.platform
        config = self.config
        kept = Bounds(config.dead_deliveries, config.dead_deliveries_days * 86400.0)
        self._engine = Engine(self.store, self.clock, self.ids, kept)
        logs = LogsService(platform)
        metrics = CloudWatchService(platform)
        self._function_credentials = FunctionCredentials(platform)
        self._log_permission = LogPermission(platform, self._authorizer, self._function_credentials.session)
        self._function_logs = FunctionLogs(logs.append, self._log_permission)
        self._function_metrics = FunctionMetrics(metrics.record, platform.clock)
        self.compute = NodeCompute(
            platform,
            self._function_logs,
            self._function_credentials,
            self._serve_platform,
            self.images,
            self._function_metrics,
        )
        functions = LambdaService(
            platform,
            self.compute.front_end,
            self.compute.counting,
            self._engine,
            self.compute.runtimes,
            self.compute.prepare,
            self._function_logs.stored,
            self.compute.provisioner,
            self.images,
            self.compute.development,
            self._function_metrics,
            self.compute.debuggers,
        )
        audit = CloudTrailService(platform, self._calls)  # the first to start, so that it sees the others stop
        registry = EcrService(platform, self.images.store, self._credentials)
        identity = [StsService(platform, self._credentials), IamService(platform, self._credentials.uses)]
        messaging = [SqsService(platform, metrics.record), SnsService(platform, self._engine, metrics.record)]
        observing = [logs, metrics]
        return [audit, *identity, OrganizationsService(platform), *observing, *messaging, registry, functions]

    async def _run(self) -> None:
        """Start what runs beside requests. What is started later ends earlier."""
        for service in self.services:
            await self.store.migrate(service.name, service.migrations)
        self._background = await self._parts.enter_async_context(Background())
        self._function_logs.start()
        self._parts.push_async_callback(self._function_logs.close)
        self._function_metrics.measuring.start()
        self._parts.push_async_callback(self._function_metrics.measuring.close)
        self._parts.callback(self.clock.add_participant(self._function_metrics.flush))
        self._parts.push_async_callback(self.compute.drain, 0.0)
        await self.compute.start()
        self._background.tasks.create_task(self.images.run(), name="unused parts of images")
        for service in self.services:
            await service.start(self._background.tasks)
            self._parts.push_async_callback(service.stop)
            if type(service).idle is not Service.idle:
                self._parts.callback(self.clock.add_participant(service.idle))
        await self._engine.start(self._background.tasks)
        self._parts.callback(self.clock.add_participant(self._engine.idle))

    async def _stop(self) -> None:
        self.is_ready = False
        logger.info("node stops")
        self._http.stop_accepting()
        for service in self.services:
            service.drain()
        await self._within_limit(asyncio.gather(self._http.drain(), self._engine.stop(DRAIN_LIMIT_S)))
        await self._parts.aclose()

    async def _within_limit(self, work: Awaitable[object]) -> None:
        """Wait for `work`, but not beyond the limit for stopping, nor when it has to be fast."""
        tasks = [asyncio.ensure_future(work), asyncio.ensure_future(self._hurry.wait())]
        await asyncio.wait(tasks, timeout=DRAIN_LIMIT_S, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve_platform(self, sock: socket.socket) -> Closer:
        """Answer API calls on a socket inside a sandbox."""
        return await self._http.serve_socket(sock, self._edge.sandboxed)

    async def _authenticate_operator(self, request: HttpRequest) -> Principal:
        """Who has signed a request to the control interface, with a real key: those of dev mode mean nothing there."""
        return (await self._authenticator.authenticate(request, CONTROL_TARGET, sandboxed=True)).principal

    # -- what the control interface asks of the node

    @property
    def deliveries(self) -> ByHand:
        """Asynchronous work, for people to look at and to change."""
        return self._engine.by_hand

    def now(self) -> float:
        """The platform's time: seconds since the epoch."""
        return self.clock.now()

    def offset_s(self) -> float:
        """How far the platform's time is ahead of the host's, in seconds."""
        return self.clock.offset_s

    async def advance(self, duration_s: float) -> None:
        """Move the platform's time forward, durably."""
        await self._stored_clock.advance(duration_s)

    async def develop(self, function_arn: str, copy: str) -> None:
        """Have a function run a copy of its project's folder in place of its package; "" ends that."""
        await self.service(LambdaService).develop(function_arn, copy)

    async def debug(self, function_arn: str, event: bytes, port: int) -> Mapping[str, Any]:
        """Invoke a function that waits for a debugger on a port of this machine; the answer has its `id`."""
        return await self.service(LambdaService).debugging.begin(FunctionRef.parse(function_arn), event, port)

    async def debugged(self, identifier: str) -> Mapping[str, Any]:
        """What has come of an invocation that is debugged, after a while at most."""
        return await self.service(LambdaService).debugging.look(identifier)

    async def end_debugging(self, identifier: str) -> None:
        """Kill an invocation that is debugged."""
        await self.service(LambdaService).debugging.end(identifier)

    async def reset(self) -> None:
        """Forget all state of all services; keys and time stay."""
        await self.store.reset()
        await self.blobs.reset()
        await self.images.reset()
        await self._stored_clock.reset()
        await self._credentials.reset()
        self._authorizer.forget()
        await self._engine.reset()
        self._function_logs.reset()
        self._function_credentials.forget()
        self._log_permission.forget()
        self._function_metrics.reset()
        for service in self.services:
            await service.reset()
        logger.info("node is empty")

    async def status(self) -> Mapping[str, Any]:
        """What runs here."""
        return {
            "version": __version__,
            "pid": os.getpid(),
            "uptime_s": round(time.monotonic() - self._started, 3),
            "endpoint": self.endpoint,
            "store": "postgresql" if self.store.shared else "sqlite",
            "auth": self.config.auth,
            "isolation": self.config.isolation,
            "services": {service.name: len(service.operations()) for service in self.services},
            "sandboxes": self.compute.status(),
            "deliveries": {
                each.kind: {
                    "waiting": each.waiting,
                    "running": each.in_flight,
                    "dead": each.dead + each.kept,
                    "done": each.done,
                    "retried": each.retried,
                    "died": each.died,
                }
                for each in await self._engine.status()
            },
            "memory": process_memory.by_role(),
            "connections": self._http.connections,
        }


def _with_whole_paths(config: Config) -> Config:
    """Parts of a node work in folders of their own, where a relative path would mean another place."""
    runtimes = config.runtimes.absolute() if config.runtimes else None
    return replace(config, data=config.data.absolute(), runtimes=runtimes)


def _bind(host: str, port: int) -> socket.socket:
    """A socket with the address that the node will listen on. Raises OSError when it cannot be had."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock
