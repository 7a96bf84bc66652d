"""Has compute keep started what is provisioned: at the start of the node, and whenever a function changes."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from cloudlet.compute.function import FunctionVersion
from cloudlet.compute.provisioning import Allocation
from cloudlet.services.base import Platform
from cloudlet.services.lambda_ import provisioned, provisioned_tables
from cloudlet.services.lambda_.changes import Changes
from cloudlet.services.lambda_.names import FunctionRef
from cloudlet.services.woken import work_when_woken
from cloudlet.store.base import StoreError

logger = logging.getLogger(__name__)


class Keeper(Protocol):
    """What compute does about it: `Provisioner`."""

    def provision(self, function_arn: str, targets: Sequence[tuple[FunctionVersion, int]]) -> None:
        """Keep so many environments of these versions of the function, and none of its others."""

    def allocations(self, function_arn: str) -> Mapping[str, Allocation]:
        """How far each version of a function is, by its environment id."""


class Provisioning:
    """The part of the node that other nodes' changes reach too: each node of a store keeps all that is provisioned."""

    def __init__(self, platform: Platform, keeper: Keeper, changes: Changes) -> None:
        self._platform = platform
        self._keeper = keeper
        self._known: set[str] = set()
        """The functions, by their key, of which something is provisioned here."""
        self._changed: dict[str, None] = {}
        self._reconciling = asyncio.Lock()
        self._wake = asyncio.Event()
        changes.on_change.append(self._heard)

    async def load(self) -> None:
        """Look at all functions that have something provisioned, and at those that had."""
        rows = await self._platform.store.read(provisioned_tables.functions)
        self._changed.update(dict.fromkeys([FunctionRef(*row).key for row in rows]))
        self._changed.update(dict.fromkeys(self._known))
        self._wake.set()

    async def run(self) -> None:
        """Do what changes ask for, as they come. Ends when it is cancelled."""
        await work_when_woken(self._wake, self._follow, logger, "provisioned concurrency could not be read")

    async def _follow(self) -> None:
        while self._changed:
            await self._look(next(iter(self._changed)))

    async def _look(self, key: str) -> None:
        del self._changed[key]  # before it is read: what changes meanwhile is looked at again
        try:
            await (self.reconcile(FunctionRef.from_key(key)) if key else self.load())
        except StoreError:
            self._changed[key] = None
            raise

    async def reconcile(self, ref: FunctionRef) -> None:
        """Have compute keep what the function has provisioned now."""
        ref = ref.qualified("")
        async with self._reconciling:  # what was read first must not be told last
            targets = await self._platform.store.read(lambda reader: provisioned.targets(reader, ref))
            self._keeper.provision(ref.arn, targets)
            if targets:
                self._known.add(ref.key)
            else:
                self._known.discard(ref.key)

    def allocations(self, ref: FunctionRef) -> Mapping[str, Allocation]:
        """How far each version of the function is, by its environment id."""
        return self._keeper.allocations(ref.arn)

    def reset(self) -> None:
        """There are no functions any more."""
        for key in self._known:
            self._keeper.provision(FunctionRef.from_key(key).arn, ())
        self._known.clear()

    def _heard(self, key: str) -> None:
        # Most functions have nothing provisioned; whether one has is for the store to say, off the way of requests.
        self._changed[key] = None
        self._wake.set()
