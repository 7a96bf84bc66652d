"""Whatever crashes, what was enqueued is handled, and what was handled to its end is not handled again."""

import asyncio
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.delivery.delivery import Delivery, Done, Outcome, Retry
from cloudlet.delivery.engine import Engine
from cloudlet.ids import Ids
from cloudlet.store.sqlite import SqliteStore
from tests.support.clock import ManualClock

Plan = list[tuple[str, int]]
"""What happens one after the other: (`enqueue`, how many), (`crash`, after how many loop iterations), (`wait`, s)."""

ACTIONS = st.one_of(
    st.tuples(st.just("enqueue"), st.integers(1, 5)),
    st.tuples(st.just("crash"), st.integers(0, 30)),
    st.tuples(st.just("wait"), st.integers(1, 100)),
)


class Crash(Exception):
    """The engine is gone."""


@dataclass
class World:
    """What lasts from one life of the node to the next, beside the store."""

    clock: ManualClock = field(default_factory=ManualClock)
    enqueued: set[str] = field(default_factory=set)
    finished: Counter[str] = field(default_factory=Counter)
    """How often the handler of each came to its end."""
    dead: Counter[str] = field(default_factory=Counter)

    async def deliver(self, delivery: Delivery) -> Outcome:
        number = int(delivery.payload)
        for _ in range(number % 7):
            await asyncio.sleep(0)
        self.finished[delivery.id] += 1
        if number % 3 == 0 and delivery.attempt == 1:
            return Retry(after_s=number % 50)
        return Done()

    async def dead_letter(self, delivery: Delivery) -> Outcome:
        self.dead[delivery.id] += 1
        return Done()


class WorldHandler:
    """Hands all to the world."""

    def __init__(self, world: World) -> None:
        self.deliver = world.deliver
        self.dead = world.dead_letter


async def live(folder: Path, world: World, plan: Plan) -> Plan:
    """One life of a node: it follows `plan` up to a crash; what is left of the plan."""
    store = await SqliteStore.open(folder)
    engine = Engine(store, world.clock, Ids())
    engine.register("work", WorldHandler(world), concurrency=4, target_concurrency=3)
    rest: Plan = []
    try:
        async with asyncio.TaskGroup() as tasks:
            await engine.start(tasks)
            for index, (action, amount) in enumerate(plan):
                if action == "enqueue":
                    await enqueue(engine, store, world, amount)
                elif action == "wait":
                    world.clock.advance(amount)
                    await asyncio.sleep(0)
                else:
                    for _ in range(amount):
                        await asyncio.sleep(0)
                    rest = plan[index + 1 :]
                    raise Crash
            while await left(store):
                await engine.idle()
                world.clock.advance(60)
            await engine.stop()
    except* Crash:
        pass
    await store.close()
    return rest


async def enqueue(engine: Engine, store: SqliteStore, world: World, amount: int) -> None:
    """Accept work for three targets."""
    for number in range(amount):
        target = f"target-{number % 3}"
        accept = partial(
            engine.enqueue, kind="work", account="1", region="r", payload=str(number).encode(), target=target
        )
        world.enqueued.add(await store.transact(accept))


async def left(store: SqliteStore) -> int:
    """How many rows there are."""
    return len(await store.read(lambda reader: reader.query("SELECT id FROM delivery LIMIT 1000")))


@given(plan=st.lists(ACTIONS, max_size=12))
@settings(max_examples=30, deadline=None)
def test_every_row_is_handled_whatever_crashes(plan: Plan) -> None:
    async def run() -> World:
        world = World()
        rest = plan
        with tempfile.TemporaryDirectory() as folder:
            while rest := await live(Path(folder), world, rest):
                pass
            await live(Path(folder), world, [])
        return world

    world = asyncio.run(run())
    assert world.finished.keys() | world.dead.keys() >= world.enqueued
    crashes = sum(action == "crash" for action, _ in plan)
    # A second attempt is asked for by the handler, or a crash came between the handler's end and the row's.
    assert all(count <= 2 + crashes for count in world.finished.values())
    assert all(count <= 1 + crashes for count in world.dead.values())
