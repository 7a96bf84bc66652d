"""When access keys and roles were last used: noted for each request in memory, written down together now and then.

What is noted and not yet written is lost when a node dies: AWS promises no more than hours for these dates either.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed.html
"""

import asyncio

from cloudlet.clock import Clock
from cloudlet.iam import access_key_table
from cloudlet.iam.access_key_table import Use
from cloudlet.iam.principals import Principal
from cloudlet.store.base import Store, StoreError

WRITE_EVERY_S = 60.0
_MOST_NOTED = 10_000


class KeyUses:
    """Notes who was here. One instance per node."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._noted: dict[str, Use] = {}
        self._some = asyncio.Event()
        """Set while something is noted: with nothing to write, the loop does not wake, however far time is moved."""

    def note(self, principal: Principal, service: str, region: str) -> None:
        """`principal` has signed a request to `service` in `region`. Does nothing but to remember it."""
        if principal.kind == "assumed-role":
            subject = principal.user_id.partition(":")[0]
        elif principal.is_session:
            return
        else:
            subject = principal.access_key_id
        # More than this in a minute is no program that anybody watches; what is over is not noted.
        if subject in self._noted or len(self._noted) < _MOST_NOTED:
            self._noted[subject] = Use(subject, self._clock.now(), service, region)
            if not self._some.is_set():
                self._some.set()

    async def write(self) -> None:
        """Write down what was noted. Raises StoreError; what was noted is kept then."""
        if not self._noted:
            return
        uses = self._noted
        self._noted = {}
        try:
            await self._store.transact(lambda tx: access_key_table.put_uses(tx, uses.values()))
        except BaseException:
            self._noted = uses | self._noted
            raise

    async def write_forever(self) -> None:
        """Write down what was noted, a minute after the first of it."""
        while True:
            await self._some.wait()
            await self._clock.sleep(WRITE_EVERY_S)
            self._some.clear()
            try:
                await self.write()
            except StoreError:
                self._some.set()

    def forget(self) -> None:
        """The store has been emptied."""
        self._noted.clear()
