"""What changes in functions, heard on every node, and what a node does about it.

Each change of a function drops what the node knows of its routes, and then lets compute drain the environments that no
version needs any more. Each change of reserved concurrency is given to compute's counting.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Collection

import orjson

from cloudlet.services.base import Platform
from cloudlet.services.lambda_ import provisioned, tables
from cloudlet.services.lambda_.engines import Compute, Limits
from cloudlet.services.lambda_.function import CONCURRENCY_CHANNEL, FUNCTIONS_CHANNEL
from cloudlet.services.lambda_.names import FunctionRef
from cloudlet.services.woken import work_when_woken
from cloudlet.store.base import Reader, StoreError

logger = logging.getLogger(__name__)

MAX_KNOWN = 100_000
"""Functions whose environments a node remembers to look after; the one not heard of for longest is forgotten first."""


class Changes:
    """Hears of changes. `on_change` is called at once with a function's key, or with "" when any may have changed."""

    def __init__(self, platform: Platform, compute: Compute, counting: Limits) -> None:
        self._platform = platform
        self._compute = compute
        self._counting = counting
        self._known: OrderedDict[str, None] = OrderedDict()
        self._changed: dict[str, None] = {}
        self._reconfigured: dict[tuple[str, str], None] = {}
        self._reserving: set[tuple[str, str]] = set()
        """The accounts and regions in which counting knows of something reserved."""
        self._is_incomplete = False
        """True when counting may not know all that is reserved."""
        self._configuring = asyncio.Lock()
        self._wake = asyncio.Event()
        self._waiters: dict[str, set[asyncio.Event]] = {}
        self.on_change: list[Callable[[str], None]] = []
        self.also_keep: Callable[[str], Collection[str]] = lambda _key: ()
        """Further environment ids of a function that are not drained."""
        store = platform.store
        self._stop_listening = (
            store.listen(FUNCTIONS_CHANNEL, self._function_changed),
            store.listen(CONCURRENCY_CHANNEL, self._concurrency_changed),
        )

    def close(self) -> None:
        """Hear of no more changes."""
        for stop in self._stop_listening:
            stop()

    def know(self, ref: FunctionRef) -> None:
        """The node runs environments of this function from now on."""
        self._known[ref.key] = None
        self._known.move_to_end(ref.key)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def touched(self, key: str) -> None:
        """What this node runs of the function of this key has changed, without a change in the store."""
        self._function_changed(key)

    async def wait(self, ref: FunctionRef, *, until: Callable[[Reader], bool], timeout_s: float) -> bool:
        """Wait until `until` holds, looking again at each change of the function; false when it does not in time."""
        event = asyncio.Event()
        waiters = self._waiters.setdefault(ref.key, set())
        waiters.add(event)
        try:
            async with asyncio.timeout(timeout_s):
                while not await self._platform.store.read(until):
                    await event.wait()
                    event.clear()
            return True
        except TimeoutError:
            return False
        finally:
            waiters.discard(event)
            if not waiters:
                self._waiters.pop(ref.key, None)

    async def load(self) -> None:
        """Tell counting what is reserved. Call it before the first invocation."""
        self._is_incomplete = False
        for account, region in await self._platform.store.read(tables.reserving_accounts):
            await self.configure(account, region)

    async def run(self) -> None:
        """Do what changes ask for, as they come. Ends when it is cancelled."""
        await work_when_woken(self._wake, self._follow, logger, "changes of functions could not be read")

    async def _follow(self) -> None:
        if self._is_incomplete:
            await self.load()
        while self._reconfigured:
            await self.configure(*next(iter(self._reconfigured)))
        while self._changed:
            await self._retire(next(iter(self._changed)))

    def reset(self) -> None:
        """There are no functions any more."""
        for key in self._known:
            self._compute.retire(FunctionRef.from_key(key).arn, ())
        for account, region in self._reserving:
            self._counting.configure(account, region, self._platform.config.concurrency, {})
        self._known.clear()
        self._reserving.clear()
        self._function_changed("")

    def _function_changed(self, key: str) -> None:
        for listener in self.on_change:
            listener(key)
        for waiters in [self._waiters.get(key, set())] if key else list(self._waiters.values()):
            for event in waiters:
                event.set()
        # A function that this node has not run has nothing here to drain.
        self._changed.update(dict.fromkeys([key] if key in self._known else [] if key else self._known))
        self._wake.set()

    def _concurrency_changed(self, place: str) -> None:
        if place:
            account, region = place.split("/", 1)
            self._reconfigured[account, region] = None
        else:
            self._reconfigured.update(dict.fromkeys(self._reserving))
            self._is_incomplete = True
        self._wake.set()

    async def _retire(self, key: str) -> None:
        ref = FunctionRef.from_key(key)
        self._changed.pop(key, None)  # before it is read: what changes meanwhile is looked at again
        try:
            rows = await self._platform.store.read(lambda reader: tables.environments(reader, ref))
        except StoreError:
            self._changed[key] = None
            raise
        keep = {row[0] for row in rows} | {orjson.loads(row[1])["environment_id"] for row in rows if row[1]}
        self._compute.retire(ref.arn, keep | set(self.also_keep(key)))

    async def configure(self, account: str, region: str) -> None:
        """Tell counting what is reserved and provisioned in an account now."""
        async with self._configuring:  # what was read first must not be told last
            await self._configure(account, region)

    async def _configure(self, account: str, region: str) -> None:
        self._reconfigured.pop((account, region), None)
        try:
            rows, by_version = await self._platform.store.read(
                lambda reader: (
                    tables.reserved_concurrency(reader, account, region),
                    provisioned.by_version(reader, account, region),
                )
            )
        except StoreError:
            self._reconfigured[account, region] = None
            raise
        if rows or by_version:
            self._reserving.add((account, region))
        else:
            self._reserving.discard((account, region))
        reserved = {FunctionRef(account, region, name).arn: int(count) for name, count in rows}
        self._counting.configure(account, region, self._platform.config.concurrency, reserved, by_version)
