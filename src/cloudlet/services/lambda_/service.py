"""The Lambda service, put together."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from cloudlet.arn import Arn
from cloudlet.compute.debugging import Debuggers
from cloudlet.compute.images import Images
from cloudlet.delivery.engine import Engine
from cloudlet.iam.facts import ResourceFacts
from cloudlet.services.base import BodyLimit, Platform, RouteHandler
from cloudlet.services.lambda_ import limits
from cloudlet.services.lambda_.access_operations import AccessOperations
from cloudlet.services.lambda_.asynchronous import Asynchronous
from cloudlet.services.lambda_.code_signing_operations import CodeSigningOperations
from cloudlet.services.lambda_.code_signing_tables import CODE_SIGNING
from cloudlet.services.lambda_.code_urls import ROUTE, CodeUrls
from cloudlet.services.lambda_.debugging import Debugging
from cloudlet.services.lambda_.destination import Destinations
from cloudlet.services.lambda_.development import Copies, Development
from cloudlet.services.lambda_.engines import Compute, Limits, Logged, Prepare, RuntimeFinder
from cloudlet.services.lambda_.errors import RequestEntityTooLarge
from cloudlet.services.lambda_.event_invoke_operations import EventInvokeOperations
from cloudlet.services.lambda_.event_invoke_tables import EVENT_INVOKE
from cloudlet.services.lambda_.event_sources.mapping import EVENT_SOURCES
from cloudlet.services.lambda_.event_sources.operations import EventSourceOperations
from cloudlet.services.lambda_.event_sources.pollers import Pollers
from cloudlet.services.lambda_.facts import (
    code_signing_facts,
    event_source_facts,
    function_facts,
    layer_facts,
    stored_keys,
)
from cloudlet.services.lambda_.function_images import FunctionImages
from cloudlet.services.lambda_.function_metrics import FunctionMetrics
from cloudlet.services.lambda_.function_operations import FunctionOperations
from cloudlet.services.lambda_.invocation import Invoker, too_large
from cloudlet.services.lambda_.invoke_operations import InvokeOperations
from cloudlet.services.lambda_.layer_tables import LAYERS
from cloudlet.services.lambda_.management_operations import ManagementOperations
from cloudlet.services.lambda_.names import FunctionRef
from cloudlet.services.lambda_.packages import Packages
from cloudlet.services.lambda_.provisioned_operations import ProvisionedOperations
from cloudlet.services.lambda_.provisioned_tables import PROVISIONED
from cloudlet.services.lambda_.provisioning import Keeper, Provisioning
from cloudlet.services.lambda_.routes import Routes
from cloudlet.services.lambda_.tables import MIGRATIONS
from cloudlet.services.lambda_.url_config import URLS
from cloudlet.services.lambda_.url_endpoint import UrlEndpoint
from cloudlet.services.lambda_.url_operations import UrlOperations
from cloudlet.wire.http import HttpRequest


def _create_too_large(size_bytes: int, request: HttpRequest) -> RequestEntityTooLarge:  # noqa: ARG001
    return RequestEntityTooLarge(
        f"Request must be smaller than {limits.CREATE_REQUEST_BYTES} bytes for the CreateFunction operation"
    )


def _publish_too_large(size_bytes: int, request: HttpRequest) -> RequestEntityTooLarge:  # noqa: ARG001
    return RequestEntityTooLarge(
        f"Request must be smaller than {limits.CREATE_REQUEST_BYTES} bytes for the PublishLayerVersion operation"
    )


def _invoke_too_large(size_bytes: int, request: HttpRequest) -> RequestEntityTooLarge:
    return too_large(size_bytes, request.headers.get("x-amz-invocation-type", "RequestResponse"))


STOP_GRACE_S = 5.0
"""How long batches of event source mappings may go on when the node stops."""


class LambdaService(
    FunctionOperations,
    InvokeOperations,
    UrlOperations,
    AccessOperations,
    EventInvokeOperations,
    EventSourceOperations,
    ProvisionedOperations,
    CodeSigningOperations,
    ManagementOperations,
):
    """AWS Lambda: https://docs.aws.amazon.com/lambda/latest/api/welcome.html"""

    name = "lambda"
    migrations = (*MIGRATIONS, LAYERS, EVENT_INVOKE, URLS, PROVISIONED, EVENT_SOURCES, CODE_SIGNING)
    body_limits = {
        "CreateFunction": BodyLimit(limits.CREATE_REQUEST_BYTES, _create_too_large),
        "PublishLayerVersion": BodyLimit(limits.CREATE_REQUEST_BYTES, _publish_too_large),
        "Invoke": BodyLimit(limits.SYNCHRONOUS_PAYLOAD_BYTES, _invoke_too_large),
        "InvokeWithResponseStream": BodyLimit(limits.SYNCHRONOUS_PAYLOAD_BYTES, _invoke_too_large),
    }

    def __init__(
        self,
        platform: Platform,
        compute: Compute,
        counting: Limits,
        engine: Engine,
        runtimes: RuntimeFinder,
        prepare: Prepare,
        logged: Logged,
        keeper: Keeper,
        images: Images,
        copies: Copies,
        metrics: FunctionMetrics,
        debuggers: Debuggers,
    ) -> None:
        super().__init__(platform, compute, counting, runtimes, prepare)
        self._loops: list[asyncio.Task[None]] = []
        self._metrics = metrics
        self.packages = Packages(platform)
        self.images = FunctionImages(platform, images, self.packages)
        self.code_urls = CodeUrls(platform)
        self.development = Development(platform, self.changes, copies)
        routes = Routes(
            platform.store, platform.clock, self.activation, self.changes, self.development, self._loop_stopped
        )
        self.destinations = Destinations(platform, engine, metrics)
        self.provisioning = Provisioning(platform, keeper, self.changes)
        asynchronous = Asynchronous(platform, engine, compute, routes, logged, self.destinations, metrics)
        self.invoker = Invoker(platform, compute, routes, asynchronous)
        self.pollers = Pollers(platform, compute, routes, self.destinations.roles)
        self.debugging = Debugging(platform, compute, routes, debuggers)
        self.urls = UrlEndpoint(platform, compute, routes)

    async def facts(self, resource: Arn) -> ResourceFacts | None:
        if resource.resource.startswith("layer:"):
            return await self.platform.store.read(lambda reader: layer_facts(reader, resource))
        if resource.resource.startswith("event-source-mapping:"):
            return await self.platform.store.read(lambda reader: event_source_facts(reader, resource))
        if resource.resource.startswith("code-signing-config:"):
            return await self.platform.store.read(lambda reader: code_signing_facts(reader, resource))
        if not resource.resource.startswith("function:"):
            return None
        return await self.platform.store.read(lambda reader: function_facts(reader, resource))

    async def condition_keys(
        self, action: str, resource: Arn, params: Mapping[str, Any]
    ) -> Mapping[str, Sequence[str]]:
        return await self.platform.store.read(lambda reader: stored_keys(reader, action, resource, params))

    def _loop_stopped(self, invoked_arn: str) -> None:
        self._metrics.event(invoked_arn, "RecursiveInvocationsDropped")

    async def develop(self, function_arn: str, copy: str) -> None:
        """Have $LATEST of a function run the copy of this name in place of its package, on this node; "" ends that.

        Raises ResourceNotFound, InvalidParameterValue.
        """
        ref = FunctionRef.parse(function_arn)
        if copy:
            await self.development.run(ref, copy)
        else:
            self.development.end(ref)

    def routes(self) -> dict[str, RouteHandler]:
        return {ROUTE: self.code_urls.serve}

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        await self.changes.load()
        await self.activation.start(tasks)
        await self.provisioning.load()
        self.pollers.load()
        loops = (self.changes.run(), self.packages.run(), self.provisioning.run(), self.pollers.run())
        self._loops = [tasks.create_task(loop) for loop in loops]

    async def stop(self) -> None:
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self.pollers.close(STOP_GRACE_S)
        await self.debugging.close()
        await self.activation.close()
        self.packages.close()
        self.changes.close()

    async def idle(self) -> None:
        await self.pollers.settled()

    async def reset(self) -> None:
        self.provisioning.reset()
        self.development.reset()
        self.pollers.reset()
        self.changes.reset()
        self.code_urls.reset()
        self.destinations.roles.forget()
