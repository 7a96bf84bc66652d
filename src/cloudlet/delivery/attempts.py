"""One attempt at a piece of work: its handler is called, and its answer becomes a change of the row."""

import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass

from cloudlet.clock import Clock, now_ms
from cloudlet.delivery import tables
from cloudlet.delivery.backoff import Backoff
from cloudlet.delivery.changes import change_after, too_late
from cloudlet.delivery.delivery import Done, Handler, Outcome, Retry
from cloudlet.delivery.tables import Change, Claimed
from cloudlet.delivery.writer import STORE_BACKOFF
from cloudlet.ids import Ids
from cloudlet.store.base import Store, StoreFull, StoreUnavailable, Transaction

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kind:
    """Who does the work of a kind."""

    handler: Handler
    backoff: Backoff


class Attempts:
    """Makes attempts for the engine `owner`."""

    def __init__(self, store: Store, clock: Clock, ids: Ids, owner: str) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._owner = owner

    async def make(self, claimed: Claimed, kind: Kind) -> Change | None:
        """Give the work to its handler; the change that follows, None when the row is gone already."""
        if change := too_late(claimed, now_ms(self._clock)):
            return change
        delivery = claimed.delivery
        outcome: Outcome
        try:
            outcome = await (kind.handler.dead(delivery) if delivery.reason else kind.handler.deliver(delivery))
            if isinstance(outcome, Done) and outcome.also is not None:
                await self._forget(claimed, outcome.also)
                return None
        except Exception as error:
            logger.exception("the handler of %s failed for %s", delivery.kind, delivery.target)
            outcome = Retry(detail=str(error).encode(errors="replace"))
        change = change_after(claimed, outcome, kind.backoff, now_ms(self._clock), self._ids.fraction)
        if change.keep:
            logger.warning("%s for %s is dead and kept: %s", delivery.kind, delivery.target, delivery.reason)
        return change

    async def _forget(self, claimed: Claimed, also: Callable[[Transaction], None]) -> None:
        def forget(tx: Transaction) -> None:
            if tables.forget(tx, claimed, self._owner):
                also(tx)

        for failures in itertools.count(1):
            try:
                await self._store.transact(forget)
            except (StoreFull, StoreUnavailable) as error:
                logger.warning("a result cannot be written, which is tried again: %s", error)
                await self._clock.sleep(STORE_BACKOFF.limit_s(failures))
            else:
                return
