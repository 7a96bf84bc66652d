"""The database goes away while the node writes, and comes back."""

import asyncio
import functools
import itertools
from pathlib import Path

import pytest

from cloudlet.config import Config
from cloudlet.store.base import Store, StoreUnavailable
from cloudlet.store.open import open_store
from cloudlet.store.postgres import PostgresStore
from tests.support import chaos_writer
from tests.support.postgres import Cluster

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120)]


async def test_a_crash_of_postgresql_loses_nothing_that_was_acknowledged(
    own_cluster: Cluster, data_folder: Path
) -> None:
    store, _ = await open_store(Config(data=data_folder, store=own_cluster.create_database()))
    await store.migrate("chaos", [chaos_writer.MIGRATION])
    acknowledged: set[tuple[int, int]] = set()
    failures = 0
    ended = asyncio.Event()

    async def write(writer: int) -> None:
        nonlocal failures
        for number in itertools.count():
            if ended.is_set():
                break
            try:
                await store.transact(
                    functools.partial(chaos_writer.write, round_number=0, writer=writer, number=number)
                )
                acknowledged.add((writer, number))
            except StoreUnavailable:
                failures += 1

    async with asyncio.TaskGroup() as tasks:
        for writer in range(chaos_writer.WRITERS):
            tasks.create_task(write(writer))
        for _ in range(3):
            await reach(acknowledged, len(acknowledged) + 200)
            await asyncio.to_thread(own_cluster.stop, "immediate")
            await asyncio.to_thread(own_cluster.start)
        await reach(acknowledged, len(acknowledged) + 200)
        ended.set()
    assert failures
    await store.read(lambda reader: chaos_writer.check(reader, 0, acknowledged))
    await store.close()


async def test_a_lost_connection_fails_no_transaction_that_can_be_run_again(
    postgres_cluster: Cluster, data_folder: Path
) -> None:
    url = postgres_cluster.create_database()
    store, _ = await open_store(Config(data=data_folder, store=url))
    await store.transact(lambda tx: None)
    await terminate_connections(store)
    await store.transact(lambda tx: tx.query("SELECT 1"))
    await terminate_connections(store)
    assert await store.read(lambda reader: reader.query("SELECT 1")) == [(1,)]
    await store.close()


async def test_notifications_of_other_nodes_come_again_after_a_lost_connection(
    postgres_cluster: Cluster,
) -> None:
    url = postgres_cluster.create_database()
    one = await PostgresStore.open(url)
    two = await PostgresStore.open(url)
    heard: asyncio.Queue[str] = asyncio.Queue()
    two.listen("channel", heard.put_nowait)
    assert await heard.get() == "", "a new connection says: look for yourself"
    await one.transact(lambda tx: tx.notify("channel", "first"))
    assert await heard.get() == "first"
    await terminate_connections(one)
    assert await heard.get() == "", "a new connection says: look for yourself"
    await one.transact(lambda tx: tx.notify("channel", "second"))
    assert await heard.get() == "second"
    await one.close()
    await two.close()


async def terminate_connections(store: Store) -> None:
    """Cut every connection to the store's database but the one that does it."""
    await store.transact(
        lambda tx: tx.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    )


async def reach(acknowledged: set[tuple[int, int]], count: int) -> None:
    """Wait until so many transactions are acknowledged."""
    while len(acknowledged) < count:
        await asyncio.sleep(0)
