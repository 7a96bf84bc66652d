"""Which mappings poll on this node: all that are enabled. Takes changes to their end, as the states' names say.

Each node of a store polls for itself, as consumers of one queue do: a message is with one of them at a time.
"""

import asyncio
import logging
from collections.abc import Callable
from collections.abc import Mapping as AnyMapping
from typing import Any

from cloudlet.compute.function import Invocation, InvocationResult
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.services.base import Platform
from cloudlet.services.lambda_.engines import Compute
from cloudlet.services.lambda_.event_sources import mapping as mappings
from cloudlet.services.lambda_.event_sources.mapping import DELETING, DISABLED, Mapping
from cloudlet.services.lambda_.event_sources.queue_poller import QueuePoller
from cloudlet.services.lambda_.names import EventSourceKey
from cloudlet.services.lambda_.role import SERVICE
from cloudlet.services.lambda_.routes import Route, Routes
from cloudlet.services.role_session import RoleSessions
from cloudlet.services.woken import work_when_woken
from cloudlet.store.base import Reader, StoreError

logger = logging.getLogger(__name__)

PAGE = 500


class Pollers:
    """All that poll here."""

    def __init__(self, platform: Platform, compute: Compute, routes: Routes, roles: RoleSessions) -> None:
        self._platform = platform
        self._compute = compute
        self._routes = routes
        self._roles = roles
        self._running: dict[EventSourceKey, tuple[Mapping, QueuePoller, asyncio.Task[None]]] = {}
        self._ending: dict[asyncio.Task[None], QueuePoller] = {}
        self._changed: dict[str, None] = {}
        self._results: dict[EventSourceKey, str] = {}
        """How the last batch of each ended, and is not yet kept."""
        self._known_results: dict[EventSourceKey, str] = {}
        self._wake = asyncio.Event()
        self._waiters: dict[str, set[asyncio.Event]] = {}
        self._stop_listening = platform.store.listen(mappings.CHANNEL, self._heard)

    def load(self) -> None:
        """Look at all mappings, as after missed notifications."""
        self._heard("")

    async def run(self) -> None:
        """Do what changes ask for, as they come. Ends when it is cancelled."""
        await work_when_woken(self._wake, self._follow, logger, "event source mappings could not be read")

    async def _follow(self) -> None:
        while self._changed:
            await self._look_at(next(iter(self._changed)))
        while self._results:
            await self._keep_result(*next(iter(self._results.items())))

    async def close(self, grace_s: float) -> None:
        """Receive no more, and let what is under way end within `grace_s`; what does not, comes back."""
        self._stop_listening()
        for key in list(self._running):
            self._end(key)
        if self._ending:
            _, late = await asyncio.wait(self._ending, timeout=grace_s)
            for task in late:
                self._ending[task].abandon()
            if late:
                await asyncio.wait(late)

    async def settled(self) -> None:
        """Wait for the batches that functions have now."""
        pollers = [poller for _, poller, _ in self._running.values()]
        await asyncio.gather(*(poller.settled() for poller in (*pollers, *self._ending.values())))

    def reset(self) -> None:
        """There are no mappings any more."""
        for key in list(self._running):
            self._end(key)
        for poller in self._ending.values():
            poller.abandon()
        self._changed.clear()
        self._results.clear()
        self._known_results.clear()

    async def wait(self, key: EventSourceKey, *, until: Callable[[Reader], bool], timeout_s: float) -> None:
        """Wait until `until` holds, looking again at each change of the mapping, for at most `timeout_s`."""
        event = asyncio.Event()
        waiters = self._waiters.setdefault("/".join(key), set())
        waiters.add(event)
        try:
            async with asyncio.timeout(timeout_s):
                while not await self._platform.store.read(until):
                    await event.wait()
                    event.clear()
        except TimeoutError:
            return
        finally:
            waiters.discard(event)
            if not waiters:
                self._waiters.pop("/".join(key), None)

    def _heard(self, payload: str) -> None:
        for waiters in [self._waiters.get(payload, set())] if payload else list(self._waiters.values()):
            for event in waiters:
                event.set()
        self._changed[payload] = None
        self._wake.set()

    async def _look_at(self, payload: str) -> None:
        del self._changed[payload]  # before it is read: what changes meanwhile is looked at again
        try:
            if payload:
                account, region, uuid = payload.split("/")
                key = EventSourceKey(account, region, uuid)
                await self._look(key, await self._platform.store.read(lambda reader: mappings.find(reader, key)))
            else:
                await self._look_at_all()
        except StoreError:
            self._changed[payload] = None
            raise

    async def _look_at_all(self) -> None:
        gone = set(self._running)
        page = await self._to_run(EventSourceKey("", "", ""))
        while page:
            for mapping in page:
                gone.discard(mapping.key)
                await self._look(mapping.key, mapping)
            page = await self._to_run(page[-1].key)
        for key in gone:
            self._end(key)

    async def _to_run(self, after: EventSourceKey) -> list[Mapping]:
        return await self._platform.store.read(lambda reader: mappings.to_run(reader, after, PAGE))

    async def _look(self, key: EventSourceKey, mapping: Mapping | None) -> None:
        if mapping is None or mapping.state in (DISABLED, DELETING) or not mapping.is_enabled:
            self._end(key)
        else:
            self._begin(mapping)
        if mapping is not None and mapping.state not in mappings.SETTLED:
            await self._platform.store.transact(lambda tx: mappings.settle(tx, mapping))

    def _begin(self, mapping: Mapping) -> None:
        """Poll with these settings, and no others."""
        running = self._running.get(mapping.key)
        if running is not None:
            if (running[0].modified_ms, running[0].settings) == (mapping.modified_ms, mapping.settings):
                return
            self._end(mapping.key)
        at_work = _AtWork(self._platform, self._compute, self._routes, self._roles, mapping)

        def report(result: str) -> None:
            if self._known_results.get(mapping.key) != result:
                self._results[mapping.key] = result
                self._wake.set()

        poller = QueuePoller(mapping, self._platform.clock, self._platform.ids, at_work.call, at_work.invoke, report)
        task = asyncio.create_task(poller.run(), name=f"poll {mapping.uuid}")
        self._running[mapping.key] = mapping, poller, task

    def _end(self, key: EventSourceKey) -> None:
        """Receive no more."""
        self._known_results.pop(key, None)
        if (running := self._running.pop(key, None)) is None:
            return
        _, poller, task = running
        task.cancel()
        self._ending[task] = poller
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._ending[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a poller failed", exc_info=error)

    async def _keep_result(self, key: EventSourceKey, result: str) -> None:
        await self._platform.store.transact(lambda tx: mappings.set_result(tx, key, result))
        self._known_results[key] = result
        if self._results.get(key) == result:
            del self._results[key]


class _AtWork:
    """What one mapping does to queues and functions: all of it as its function's role."""

    def __init__(
        self, platform: Platform, compute: Compute, routes: Routes, roles: RoleSessions, mapping: Mapping
    ) -> None:
        self._platform = platform
        self._compute = compute
        self._routes = routes
        self._roles = roles
        self._mapping = mapping
        self._principal = Principal.service(SERVICE, mapping.account)

    async def call(self, operation: str, params: AnyMapping[str, Any]) -> Any:
        """Call SQS. Raises ServiceError, also where the function is gone or its role cannot be assumed."""
        mapping, route = self._mapping, await self._route()
        caller = await self._roles.principal(
            route.function.role_arn, mapping.account, mapping.region, mapping.arn, mapping.name
        )
        ids, source = self._platform.ids, mapping.source
        context = RequestContext(caller, source.region, ids.uuid(), source_arn=mapping.arn)
        return await self._platform.calls.call(context, "sqs", operation, dict(params))

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        """Run the function. Raises ServiceError, ComputeError."""
        route = await self._route()
        route.enter(invocation)
        return await self._compute.invoke(route.pick(self._platform.ids), invocation)

    async def _route(self) -> Route:
        mapping = self._mapping
        context = RequestContext(self._principal, mapping.region, "", operation="Invoke")
        return await self._routes.find(context, mapping.ref.qualified_arn, "")
