"""Durable transactions a second, one by one and 32 at once, over both stores.

usage: python -m benchmarks.store
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from cloudlet.clock import PlatformClock
from cloudlet.config import Config
from cloudlet.delivery.delivery import Delivery
from cloudlet.delivery.engine import Engine
from cloudlet.ids import Ids
from cloudlet.store.base import Migration, Reader, Store, Transaction
from cloudlet.store.open import open_store
from tests.support.postgres import Cluster, programs

ROUNDS = 3
DURATION_S = 1.0
CALLERS = 32
DELIVERIES = 3000
CONTENT = b"x" * 200
MIGRATION = Migration(1, ("CREATE TABLE bench (name TEXT PRIMARY KEY, content BLOB NOT NULL)",))

Row = tuple[str, str]


def run() -> list[Row]:
    """The figures, as pairs of a name and a value with its unit; PostgreSQL is left out where it is not installed."""
    with tempfile.TemporaryDirectory(prefix="cloudlet-bench-", dir=".") as folder:
        rows = asyncio.run(_measure("SQLite", Path(folder), ""))
    if programs() is None:
        return rows
    cluster = Cluster.create(durable=True)
    try:
        with tempfile.TemporaryDirectory(prefix="cloudlet-bench-") as folder:
            return rows + asyncio.run(_measure("PostgreSQL", Path(folder), cluster.create_database()))
    finally:
        cluster.destroy()


async def _measure(name: str, folder: Path, url: str) -> list[Row]:
    store, _ = await open_store(Config(data=folder, store=url))
    await store.migrate("bench", [MIGRATION])
    numbers = iter(range(10**9))

    async def write() -> None:
        await store.transact(partial(_insert, f"{next(numbers):09}"))

    async def read() -> None:
        await store.read(_look_up)

    await _rate(write, 1)  # warm: the log is prepared, connections are there
    one, many, reads = [], [], []
    for _ in range(ROUNDS):
        one.append(await _rate(write, 1))
        many.append(await _rate(write, CALLERS))
        reads.append(await _rate(read, 1))
    delivered_per_s = await _delivered_per_s(store)
    await store.close()
    return [
        (f"store {name}: one by one", f"{_median(one, 0):,.0f} transactions/s, p50 {_median(one, 1):.2f} ms"),
        (f"store {name}: {CALLERS} at once", f"{_median(many, 0):,.0f} transactions/s, p50 {_median(many, 1):.2f} ms"),
        (f"store {name}: reads", f"{_median(reads, 0):,.0f} reads/s, p50 {_median(reads, 1):.3f} ms"),
        (f"delivery {name}: accepted and done", f"{delivered_per_s:,.0f} deliveries/s"),
    ]


def _insert(name: str, tx: Transaction) -> None:
    tx.execute("INSERT INTO bench (name, content) VALUES (?, ?)", (name, CONTENT))


def _look_up(reader: Reader) -> None:
    reader.one("SELECT content FROM bench WHERE name = ?", ("000000007",))


def _median(seen: list[tuple[float, float]], index: int) -> float:
    return statistics.median(figures[index] for figures in seen)


async def _rate(work: Callable[[], Awaitable[None]], callers: int) -> tuple[float, float]:
    """How often a second `callers` that each wait for their own get `work` done, and its median time in ms."""
    latencies: list[float] = []
    start = time.perf_counter()

    async def call() -> None:
        while (begun := time.perf_counter()) - start < DURATION_S:
            await work()
            latencies.append(time.perf_counter() - begun)

    await asyncio.gather(*(call() for _ in range(callers)))
    return len(latencies) / (time.perf_counter() - start), statistics.median(latencies) * 1000


class _Nothing:
    """Does the work at once."""

    async def deliver(self, delivery: Delivery) -> None:
        pass

    async def dead(self, delivery: Delivery) -> None:
        pass


async def _delivered_per_s(store: Store) -> float:
    """Work accepted by 32 callers, each in a transaction of its own, and delivered."""
    engine = Engine(store, PlatformClock(), Ids())
    engine.register("bench", _Nothing())

    def accept(tx: Transaction) -> None:
        engine.enqueue(tx, "bench", "000000000000", "us-east-1", CONTENT)

    async def call() -> None:
        for _ in range(DELIVERIES // CALLERS):
            await store.transact(accept)

    async with asyncio.TaskGroup() as tasks:
        await engine.start(tasks)
        start = time.perf_counter()
        await asyncio.gather(*(call() for _ in range(CALLERS)))
        await engine.idle()
        duration_s = time.perf_counter() - start
        await engine.stop()
    return DELIVERIES // CALLERS * CALLERS / duration_s


def main() -> None:
    for name, value in run():
        print(f"{name:44}{value}")


if __name__ == "__main__":
    main()
