"""Queues beside a plain model of one: whatever is done in whatever order, both have the same messages."""

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cloudlet.config import Config
from cloudlet.ids import Ids
from cloudlet.services.base import Platform
from cloudlet.services.sqs.exchange import Exchange
from cloudlet.services.sqs.group_tables import GROUPS
from cloudlet.services.sqs.message import NEVER, Message, details
from cloudlet.services.sqs.message_tables import MESSAGES, count
from cloudlet.services.sqs.names import QueueKey
from cloudlet.services.sqs.queue import Queue
from cloudlet.services.sqs.queue_tables import QUEUES, add
from cloudlet.services.sqs.queues import Queues
from cloudlet.services.sqs.receipt import Receipt
from cloudlet.services.sqs.upkeep import Upkeep
from cloudlet.store.sqlite import SqliteStore
from tests.support.clock import ManualClock

KEY = QueueKey("111111111111", "us-east-1", "q")
TIMEOUT_S = 30
DEDUPLICATION_S = 300


@dataclass
class Known:
    """A message as the model has it."""

    id: str
    group: str
    order: int
    visible: float = 0.0
    receives: int = 0
    is_in_flight: bool = False
    sequence: int = 0


@dataclass
class Model:
    """A queue as its documentation describes it."""

    is_fifo: bool
    messages: dict[str, Known] = field(default_factory=dict)
    deduplication: dict[str, tuple[str, float]] = field(default_factory=dict)

    def in_flight(self, message: Known, now: float) -> bool:
        return message.receives > 0 and message.visible > now

    def receivable(self, now: float) -> list[Known]:
        """All that a receive could give now."""
        found = sorted(self.messages.values(), key=lambda message: message.order)
        if not self.is_fifo:
            return [message for message in found if message.visible <= now]
        held = {message.group for message in found if self.in_flight(message, now)}
        return [message for message in found if message.group not in held]


class Queueing(RuleBasedStateMachine):
    """What producers, consumers and time do to a queue."""

    @initialize(is_fifo=st.booleans())
    def begin(self, is_fifo: bool) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = ManualClock(1_800_000_000.0)
        self.model = Model(is_fifo)
        self.queue = Queue(KEY, 1, 2, {"FifoQueue": "true"} if is_fifo else {}, {}, 0, 0, 0)
        self.handles: list[tuple[str, Receipt]] = []
        self.orders = 0
        self.run(self._open(is_new=True))
        for group in "aaab":  # so that what happens to several of a group is seen often
            self.send(group, "", 0)

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    async def _open(self, *, is_new: bool) -> None:
        self.store = await SqliteStore.open(Path(self.folder.name))
        if is_new:
            await self.store.migrate("sqs", (QUEUES, MESSAGES, GROUPS))
            await self.store.transact(lambda tx: add(tx, self.queue))
        platform = Platform(Config(data=Path(self.folder.name)), self.clock, Ids(), self.store, None, None)  # type: ignore[arg-type]
        self.queues = Queues(self.store)
        self.exchange = Exchange(platform, self.queues, Upkeep(self.store, self.clock))

    async def _close(self) -> None:
        self.exchange.close()
        self.queues.close()
        await self.store.close()

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.run(self._close())
            self.loop.close()
            self.folder.cleanup()

    @rule(group=st.sampled_from("ab"), deduplication=st.sampled_from(["", "", "x"]), delay_s=st.sampled_from([0, 0, 5]))
    def send(self, group: str, deduplication: str, delay_s: int) -> None:
        now, self.orders = self.clock.now(), self.orders + 1
        name = f"m{self.orders}"
        is_fifo = self.model.is_fifo
        delay_s = 0 if is_fifo else delay_s
        known = deduplication or name
        message = Message(
            self.exchange.sequences.next(self.exchange.now_ms()),
            self.exchange.now_ms() + delay_s * 1000,
            0,
            NEVER,
            NEVER,
            group if is_fifo else "",
            name,
            "me",
            name,
            details(deduplication=known) if is_fifo else "",
        )
        [sent] = self.run(self.exchange.send(self.queue, [message]))
        before = self.model.deduplication.get(known) if is_fifo else None
        if before is not None and now < before[1]:
            assert (sent.id, sent.is_duplicate) == (before[0], True)
            return
        assert (sent.id, sent.is_duplicate) == (name, False)
        self.model.deduplication[known] = (name, now + DEDUPLICATION_S)
        self.model.messages[name] = Known(name, group, self.orders, now + delay_s, sequence=sent.sequence)

    @rule(limit=st.integers(1, 10))
    def receive(self, limit: int) -> None:
        now, could = self.clock.now(), self.model.receivable(self.clock.now())
        got = self.run(self.exchange.receive(self.queue, limit, TIMEOUT_S, 0))
        names = [message.id for message in got]
        assert len(set(names)) == len(names)
        assert set(names) <= {message.id for message in could}
        assert len(names) == min(limit, len(could))
        if self.model.is_fifo:
            for group in {message.group for message in got}:
                expected = [message.id for message in could if message.group == group]
                of_group = [message.id for message in got if message.group == group]
                assert of_group == expected[: len(of_group)]
        for message in got:
            known = self.model.messages[message.id]
            known.receives += 1
            known.visible = now + TIMEOUT_S
            assert message.receives == known.receives
            self.handles.append((message.id, Receipt(message.sequence, message.receives)))

    @precondition(lambda self: self.handles)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        name, receipt = data.draw(st.sampled_from(self.handles))
        [error] = self.run(self.exchange.delete(self.queue, [(receipt, "handle")]))
        known = self.model.messages.get(name)
        is_current = known is not None and known.receives == receipt.receives
        is_held = known is not None and self.model.in_flight(known, self.clock.now())
        if self.model.is_fifo and known is not None and not (is_current and is_held):
            assert "expired" in str(error)
            return
        assert error is None
        if is_current:
            del self.model.messages[name]

    @precondition(lambda self: self.handles)
    @rule(data=st.data(), timeout_s=st.sampled_from([0, 0, 10, 100]))
    def change_visibility(self, data: st.DataObject, timeout_s: int) -> None:
        name, receipt = data.draw(st.sampled_from(self.handles))
        [error] = self.run(self.exchange.change_visibility(self.queue, [(receipt, "handle", timeout_s)]))
        known, now = self.model.messages.get(name), self.clock.now()
        assert (error is None) == (known is not None)
        if known is not None and known.receives == receipt.receives and self.model.in_flight(known, now):
            known.visible = now + timeout_s

    @rule(duration_s=st.sampled_from([1, 6, 31, 301]))
    def wait(self, duration_s: int) -> None:
        self.clock.advance(duration_s)

    @rule()
    def restart(self) -> None:
        async def again() -> None:
            await self._close()
            self.clock.advance(0.001)  # none is faster: sequences, and handles with them, are new in each millisecond
            await self._open(is_new=False)

        self.run(again())

    @invariant()
    def nothing_is_lost(self) -> None:
        if hasattr(self, "loop"):
            assert self.run(self.store.read(lambda reader: count(reader, 2))) == len(self.model.messages)


Queueing.TestCase.settings = settings(
    max_examples=100, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestQueueing = Queueing.TestCase
