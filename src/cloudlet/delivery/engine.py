"""The delivery engine: what has been accepted is done, whatever happens in between.

A piece of work is written by `enqueue` in the transaction that accepts it, and forgotten in the one that says that it
is done. Between the two an engine takes a lease on it, gives it to its kind's handler, and puts it off when the handler
says so. When the node is killed, its leases end - when it is started again, or after `LEASE_S` on the nodes that share
its store - and the work is taken up again: at least once.

```
enqueue(tx) --> row --notification--> schedule --claim--> handler.deliver --> Done: forgotten
                 ^                                             |
                 +--- due again later <-- Retry ---------------+--> Fail, too old, too often --> handler.dead
```
"""

import asyncio
import contextlib
import itertools
import logging
from collections import Counter
from collections.abc import Collection, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from cloudlet.clock import Clock, now_ms
from cloudlet.delivery import kept_tables, tables
from cloudlet.delivery.attempts import Attempts, Kind
from cloudlet.delivery.backoff import Backoff
from cloudlet.delivery.by_hand import ByHand
from cloudlet.delivery.changes import handed_back
from cloudlet.delivery.delivery import Delivery, Handler
from cloudlet.delivery.kept_tables import Bounds
from cloudlet.delivery.schedule import Request, Schedule
from cloudlet.delivery.tables import Change, Claimed
from cloudlet.delivery.timer import Timer
from cloudlet.delivery.writer import STORE_BACKOFF, Writer
from cloudlet.ids import Ids
from cloudlet.store.base import Store, StoreError, Transaction

logger = logging.getLogger(__name__)

LEASE_S = 60.0
"""An engine that does not renew its leases for this long has lost them. Goes by the host's clock."""
RENEW_S = 20.0
HAND_BACK_S = 5.0
"""How long `stop` waits for what is broken off to be handed back."""
MAX_PAYLOAD_BYTES = 8 * 1024 * 1024
MAX_TARGET_BYTES = 1024
MAX_COUNTED = 100_000
"""Work that waits is counted up to this."""


@dataclass(frozen=True, slots=True)
class KindStatus:
    """How much work of a kind there is."""

    kind: str
    waiting: int
    """Not being worked on; counted up to MAX_COUNTED."""
    in_flight: int
    dead: int
    """Dead letters that wait to be taken away."""
    kept: int = 0
    """Dead ones that had nowhere to go, counted up to MAX_COUNTED."""
    done: int = 0
    """Since the engine was started, as the two that follow."""
    retried: int = 0
    died: int = 0


class Engine:
    """Does the work of all kinds that are registered, on one node."""

    def __init__(self, store: Store, clock: Clock, ids: Ids, kept: Bounds = Bounds()) -> None:  # noqa: B008 - frozen
        """`kept`: how much dead work is kept for people to look at."""
        self._store = store
        self._clock = clock
        self._ids = ids
        self._owner = store.node
        self._life = ids.hex(16)
        self._numbers = itertools.count()
        self._kinds: dict[str, Kind] = {}
        self._schedule = Schedule()
        self._writer = Writer(store, clock, self._owner, kept)
        self.by_hand = ByHand(store, clock)
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._attempts = Attempts(store, clock, ids, self._owner)
        self._in_flight: set[Claimed] = set()
        self._workers: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()
        self._quiet = asyncio.Event()
        self._is_stopping = False

    def register(
        self,
        kind: str,
        handler: Handler,
        *,
        concurrency: int = 256,
        target_concurrency: int = 64,
        backoff: Backoff = Backoff(),  # noqa: B008 - frozen
    ) -> None:
        """Give the work of `kind` to `handler`; before `start`.

        At most `concurrency` pieces are worked on at once on this node, and `target_concurrency` of one target.
        """
        if kind in self._kinds or not kind or " " in kind:
            raise ValueError(f"{kind!r} is registered already, or no name of a kind")
        self._kinds[kind] = Kind(handler, backoff)
        self._schedule.add_kind(kind, concurrency, target_concurrency)

    def enqueue(
        self,
        tx: Transaction,
        kind: str,
        account: str,
        region: str,
        payload: bytes,
        *,
        target: str = "",
        delay_s: float = 0.0,
        max_attempts: int = 3,
        max_age_s: float = 6 * 3600.0,
    ) -> str:
        """Accept a piece of work in the transaction `tx`; its id. It is first tried `delay_s` from now.

        `target` is what it is for, so that targets do not wait for each other: by default the account and region.
        Raises ValueError for a kind that nobody has registered and for a payload that is too large.
        """
        target = target or f"{account}/{region}"
        if kind not in self._kinds:
            raise ValueError(f"no handler is registered for {kind!r}")
        if len(payload) > MAX_PAYLOAD_BYTES or len(target.encode()) > MAX_TARGET_BYTES:
            raise ValueError(f"a payload of {len(payload)} bytes or a target of {len(target)} characters is too large")
        now = now_ms(self._clock)
        due_ms = now + int(delay_s * 1000)
        delivery = Delivery(
            id=f"{now:012x}{next(self._numbers) & 0xFFFFFFFF:08x}{self._life}",
            kind=kind,
            account=account,
            region=region,
            target=target,
            payload=payload,
            attempt=0,
            deferrals=0,
            max_attempts=max_attempts,
            created_ms=now,
            expires_ms=now + int((delay_s + max_age_s) * 1000),
        )
        tables.insert(tx, delivery, due_ms)
        tx.notify(tables.CHANNEL, f"{due_ms} {kind} {target}")
        return delivery.id

    def has_work(self, tx: Transaction, kind: str, target: str) -> bool:
        """True while work of a kind for `target` waits or is under way; what is dead and kept does not count."""
        return tables.has_work(tx, kind, target)

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        """Take up what was in flight, and work in `tasks` until `stop`."""
        await self._store.migrate(tables.COMPONENT, tables.MIGRATIONS)
        self._tasks = tasks
        self._timer = Timer(self._clock, self._wake_up, tasks)
        self._end_listening = self._store.listen(tables.CHANNEL, self._heard)
        await self._store.transact(partial(tables.release, owner=self._owner))  # an earlier life's
        await self._look()
        self._loops = [tasks.create_task(self._claim_forever()), tasks.create_task(self._writer.run())]
        if self._store.shared:
            self._loops.append(tasks.create_task(self._keep_leases()))

    async def stop(self, timeout_s: float = 10.0) -> None:
        """Take up nothing more, wait for what is under way, and hand back what is not done after `timeout_s`."""
        if self._is_stopping or not self._loops:
            return
        self._is_stopping = True
        self._end_listening()
        self._wake_up()
        claiming, *others = self._loops
        try:
            await asyncio.wait([claiming], timeout=HAND_BACK_S)
            if self._workers:
                await asyncio.wait(self._workers, timeout=timeout_s)
        finally:  # also when the stopping is cut short
            await _cancel(self._workers)
            await self._hand_back()
            self._timer.stop()
            await _cancel([claiming, *others])

    async def reset(self) -> None:
        """Break off what is under way; the store has just been emptied."""
        self._schedule.clear()
        self._in_flight.clear()
        await _cancel(self._workers)

    async def idle(self) -> None:
        """Wait until nothing is under way and nothing is due; what is due later does not count.

        The outcome of what was under way is stored by then, and what it put off is scheduled.
        """
        while self._in_flight or self._schedule.is_busy(now_ms(self._clock)):
            self._quiet.clear()
            await self._quiet.wait()

    async def status(self) -> list[KindStatus]:
        """How much work of each kind there is."""
        counts = await self._store.read(
            lambda reader: {
                kind: (*tables.count(reader, kind, MAX_COUNTED), kept_tables.count(reader, kind, MAX_COUNTED))
                for kind in self._kinds
            }
        )
        running = Counter(claimed.delivery.kind for claimed in self._in_flight)
        outcomes = self._outcomes
        return [
            KindStatus(
                kind,
                max(0, total - running[kind]),
                running[kind],
                dead,
                kept,
                *(outcomes[kind, what] for what in ("done", "retried", "died")),
            )
            for kind, (total, dead, kept) in counts.items()
        ]

    def _wake_up(self) -> None:
        self._wake.set()

    def _heard(self, payload: str) -> None:
        """A row was written, here or on another node; or, without a payload, nobody knows what was."""
        if payload:
            due_ms, kind, target = payload.split(" ", 2)
            self._schedule.expect(kind, target, int(due_ms))
            self._wake_up()
        else:
            self._tasks.create_task(_logged(self._look()))

    async def _look(self) -> None:
        """Learn from the store what is due and when."""
        for kind, target, due_ms in await self._store.read(lambda reader: list(tables.targets(reader))):
            self._schedule.expect(kind, target, due_ms)
        self._wake_up()

    async def _claim_forever(self) -> None:
        failures = 0
        while not self._is_stopping:
            self._wake.clear()
            requests = self._schedule.take(now_ms(self._clock))
            if not requests:
                self._timer.set(self._schedule.next_due_ms())
                if not self._in_flight:
                    self._quiet.set()
                await self._wake.wait()
                continue
            failures = 0 if await self._claim(requests) else failures + 1
            if failures:
                await self._clock.sleep(STORE_BACKOFF.limit_s(failures))

    async def _claim(self, requests: Sequence[Request]) -> bool:
        """Claim rows and start to work on them; False when the store could not."""
        try:
            answers = await self._store.transact(partial(self._claim_rows, requests))
        except Exception as error:
            logger.warning(
                "work cannot be claimed, which is tried again: %s", error, exc_info=not isinstance(error, StoreError)
            )
            for request in requests:
                self._schedule.claimed(request, 0, 0)
            return False
        for request, (rows, next_due_ms) in zip(requests, answers, strict=True):
            self._schedule.claimed(request, len(rows), next_due_ms)
            for row in rows:
                self._in_flight.add(row)
                worker = self._tasks.create_task(self._work(row))
                self._workers.add(worker)
                worker.add_done_callback(self._workers.discard)
        return True

    def _claim_rows(self, requests: Sequence[Request], tx: Transaction) -> list[tuple[list[Claimed], int | None]]:
        now = now_ms(self._clock)
        lease_until_ms = int((self._clock.wall() + LEASE_S) * 1000)
        answers: list[tuple[list[Claimed], int | None]] = []
        for request in requests:
            rows = tables.claim(tx, request.kind, request.target, request.limit, now, self._owner, lease_until_ms)
            there_may_be_more = len(rows) == request.limit
            answers.append((rows, now if there_may_be_more else tables.next_due_ms(tx, request.kind, request.target)))
        return answers

    async def _work(self, claimed: Claimed) -> None:
        """See one attempt through: the handler, then what becomes of the row."""
        delivery = claimed.delivery
        change: Change | None = handed_back(claimed, now_ms(self._clock))  # unless it comes to an end
        try:
            change = await self._attempts.make(claimed, self._kinds[delivery.kind])
            self._count(delivery, change)
        finally:
            try:
                if change is not None and claimed in self._in_flight:
                    await self._writer.write(change)
            finally:
                self._in_flight.discard(claimed)
                if change is not None and change.due_ms is not None and not change.keep:
                    self._schedule.expect(delivery.kind, delivery.target, change.due_ms)
                self._schedule.finished(delivery.kind, delivery.target)
                self._wake_up()

    def _count(self, delivery: Delivery, change: Change | None) -> None:
        """Note what came of an attempt; the way of a dead letter is no news."""
        if not delivery.reason:
            done = change is None or change.due_ms is None
            what = "done" if done else "died" if change is not None and change.reason else "retried"
            self._outcomes[delivery.kind, what] += 1

    async def _hand_back(self) -> None:
        """Hand back what was claimed and not begun."""
        rows = [self._writer.write(handed_back(row, now_ms(self._clock))) for row in self._in_flight]
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout(HAND_BACK_S):
                await asyncio.gather(*rows)

    async def _keep_leases(self) -> None:
        """Keep the leases on what is under way, and end those of engines that are gone."""
        next_s = self._clock.now()
        while True:
            next_s = max(next_s + RENEW_S, self._clock.now())  # not later because the store was slow
            await self._clock.sleep_until(next_s)
            await _logged(self._renew())

    async def _renew(self) -> None:
        rows = tuple(self._in_flight)
        wall_ms = int(self._clock.wall() * 1000)

        def renew(tx: Transaction) -> int:
            tables.renew(tx, rows, self._owner, wall_ms + int(LEASE_S * 1000))
            return tables.release_expired(tx, wall_ms)

        if await self._store.transact(renew):
            await self._look()


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    """Do what will be done again anyway."""
    try:
        await work
    except StoreError as error:
        logger.warning("the delivery engine could not reach the store: %s", error)


async def _cancel(tasks: Collection[asyncio.Task[None]]) -> None:
    for task in tuple(tasks):
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=HAND_BACK_S)
