"""From the name in an invocation to what runs: `my-function:live` -> version 7, or with a weight version 8.

A route is kept in memory until something about the function changes, which the store tells every node; so an invocation
reads nothing. Should a notification be lost, a route is read anew after a while nevertheless.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from cloudlet.clock import Clock
from cloudlet.compute.function import ComputeError, FunctionVersion, Invocation
from cloudlet.iam.principals import RequestContext
from cloudlet.ids import Ids
from cloudlet.services.lambda_ import alias, recursion
from cloudlet.services.lambda_.activation import Activation
from cloudlet.services.lambda_.changes import Changes
from cloudlet.services.lambda_.development import Development
from cloudlet.services.lambda_.errors import InvalidRuntime, RecursiveInvocation, ServiceFailure
from cloudlet.services.lambda_.event_invoke_config import EventInvokeConfig, lookup
from cloudlet.services.lambda_.function import wrong_state
from cloudlet.services.lambda_.names import LATEST, FunctionRef, is_alias, resolve
from cloudlet.services.lambda_.version import Version, find
from cloudlet.store.base import Reader, Store

MAX_ROUTES = 10_000
ROUTE_S = 30.0
CREATION_WAIT_S = 10.0
"""How long the first invocation waits for a function that is still Pending, where AWS would refuse it."""
UPDATE_WAIT_S = 1.0
"""How long an invocation waits for an update that is under way, before it runs what ran before."""

Key = tuple[str, str, str, str]


@dataclass(slots=True)
class Route:
    """Where invocations under one name go."""

    function_key: str
    invoked_arn: str
    function: FunctionVersion
    other: FunctionVersion | None
    weight: float
    """The share of `other`, 0 to 1."""
    expires: float
    """On the monotonic clock."""
    event_invoke: EventInvokeConfig | None = None
    """How events that come under this name are handled, where that is configured."""
    may_loop: bool = False
    """Whether it may come back in one chain of events as often as it likes."""
    stopped: Callable[[str], None] | None = None
    """Told the ARN of an invocation that was stopped for that."""

    def pick(self, ids: Ids) -> FunctionVersion:
        """The version that runs this invocation."""
        if self.other is not None and ids.fraction() < self.weight:
            return self.other
        return self.function

    def enter(self, invocation: Invocation) -> None:
        """`invocation` is about to run here. Raises RecursiveInvocation when it does so in a loop."""
        try:
            recursion.enter(invocation, self.function.function_arn, is_allowed=self.may_loop)
        except RecursiveInvocation:
            if self.stopped is not None:
                self.stopped(invocation.invoked_function_arn)
            raise


class Routes:
    """All routes that this node knows."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        activation: Activation,
        changes: Changes,
        development: Development | None = None,
        stopped: Callable[[str], None] | None = None,
    ) -> None:
        """`stopped` is told the ARNs of invocations that were stopped because they were in a loop."""
        self._development = development
        self._stopped = stopped
        self._store = store
        self._clock = clock
        self._activation = activation
        self._changes = changes
        self._routes: OrderedDict[Key, Route] = OrderedDict()
        self._keys: dict[str, set[Key]] = {}
        """The routes of each function, by its `FunctionRef.key`."""
        self._generation = 0
        """Grows with each change of any function: what was read before one is not kept after it."""
        changes.on_change.append(self.forget)

    async def find(self, context: RequestContext, name: str, qualifier: str) -> Route:
        """The route of `name` and `qualifier` ("" for none). Raises ResourceNotFound, ResourceConflict and others."""
        key = (context.account, context.region, name, qualifier)
        route = self._routes.get(key)
        if route is not None and route.expires > self._clock.monotonic():
            self._routes.move_to_end(key)
            return route
        return await self._load(key, resolve(context, name, qualifier))

    def forget(self, function_key: str) -> None:
        """A function has changed; with "" any may have."""
        self._generation += 1
        if not function_key:
            self._routes.clear()
            self._keys.clear()
        for key in self._keys.pop(function_key, ()):
            self._routes.pop(key, None)

    async def _load(self, key: Key, ref: FunctionRef) -> Route:
        generation = self._generation
        (version, other, weight), event_invoke, loop = await self._store.read(
            lambda reader: (_read(reader, ref), lookup(reader, ref), recursion.setting(reader, ref))
        )
        self._changes.know(ref)
        route = Route(
            ref.key,
            ref.qualified_arn,
            self._worked_on(version, await self._runnable(version)),
            await self._runnable(other) if other else None,
            weight,
            self._clock.monotonic() + ROUTE_S,
            event_invoke,
            loop == recursion.ALLOW,
            self._stopped,
        )
        if generation == self._generation:
            self._keep(key, route)
        return route

    def _keep(self, key: Key, route: Route) -> None:
        self._routes[key] = route
        self._keys.setdefault(route.function_key, set()).add(key)
        if len(self._routes) > MAX_ROUTES:
            oldest, old = self._routes.popitem(last=False)
            if keys := self._keys.get(old.function_key):
                keys.discard(oldest)
                if not keys:
                    del self._keys[old.function_key]

    def _worked_on(self, version: Version, running: FunctionVersion) -> FunctionVersion:
        return running if self._development is None else self._development.apply(version, running)

    async def _runnable(self, version: Version) -> FunctionVersion:
        """What runs for `version` now. A creation or update under way is waited for, within limits."""
        running = version.running
        if version.is_changing:
            try:
                async with asyncio.timeout(UPDATE_WAIT_S if running else CREATION_WAIT_S):
                    await self._activation.prepared(version.target)
                return version.target
            except TimeoutError:
                if running is None:
                    raise wrong_state(version) from None
            except ComputeError as error:
                if running is None:
                    raise ServiceFailure(str(error)) from error
        if running is None:
            if version.state_reason_code == "InvalidRuntime":
                raise InvalidRuntime(version.state_reason)
            raise wrong_state(version)
        return running


def _read(reader: Reader, ref: FunctionRef) -> tuple[Version, Version | None, float]:
    """The version that `ref` means, with its alias's second one and the weight of that."""
    # Unlike other operations, Invoke names $LATEST in its error where the caller named nothing.
    version = find(reader, ref if ref.qualifier else ref.qualified(LATEST))
    target = alias.find(reader, ref, ref.qualifier) if is_alias(ref.qualifier) else None
    if target is None or target.other_sequence is None or not target.weight:
        return version, None, 0.0
    return version, find(reader, ref.qualified(str(target.other_sequence))), target.weight
