"""The disk is full: callers are told, the node lives, and it goes on when there is room."""

import asyncio
import contextlib
import itertools
import subprocess
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from cloudlet.config import Config
from cloudlet.store.base import Migration, Reader, Store, StoreFull, Transaction
from cloudlet.store.blobs import Blobs
from cloudlet.store.open import BLOBS_FOLDER, open_store
from tests.support.nodes import Clients, NodeProcess, control, fresh_account

pytestmark = pytest.mark.chaos

MIB = 1024 * 1024
TRUST = (Path(__file__).parents[2] / "examples" / "trust-policy.json").read_text()
TABLE = Migration(1, ("CREATE TABLE pair (name BIGINT PRIMARY KEY, content BLOB)",))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 MiB, 8 of which a file takes that can be deleted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a file system")
    try:
        (folder / "ballast").write_bytes(bytes(8 * MIB))
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
async def opened(small_disk: Path) -> AsyncIterator[tuple[Store, Blobs]]:
    """A store on the small disk."""
    store, blobs = await open_store(Config(data=small_disk / "data"))
    await store.migrate("test", [TABLE])
    yield store, blobs
    await store.close()


def put(tx: Transaction, name: int, size_bytes: int) -> None:
    """Insert a row."""
    tx.execute("INSERT INTO pair (name, content) VALUES (?, ?)", (name, b"x" * size_bytes))


def names(reader: Reader) -> list[int]:
    """All rows."""
    return [name for (name,) in reader.query("SELECT name FROM pair ORDER BY name")]


async def fill(store: Store) -> list[int]:
    """Write until the disk is full; what was acknowledged."""
    acknowledged: list[int] = []
    for size_bytes in (MIB, 64 * 1024, 1024):  # a large row may find no room where a small one still does
        for name in itertools.count(1000 * size_bytes):
            try:
                await store.transact(partial(put, name=name, size_bytes=size_bytes))
            except StoreFull:
                break
            acknowledged.append(name)
    return sorted(acknowledged)


async def test_a_full_disk_is_said_and_survived(opened: tuple[Store, Blobs], small_disk: Path) -> None:
    store, _ = opened
    acknowledged = await fill(store)
    writes = [store.transact(partial(put, name=name, size_bytes=MIB)) for name in range(10)]
    refused = await asyncio.gather(*writes, return_exceptions=True)
    assert {type(error) for error in refused} == {StoreFull}
    assert await store.read(names) == acknowledged, "reads go on"

    (small_disk / "ballast").unlink()
    await store.transact(partial(put, name=0, size_bytes=MIB))
    await store.close()

    again, _ = await open_store(Config(data=small_disk / "data"))
    assert await again.read(names) == [0, *acknowledged]
    await again.close()


async def test_a_node_starts_on_a_full_disk(opened: tuple[Store, Blobs], small_disk: Path) -> None:
    store, _ = opened
    acknowledged = await fill(store)
    await store.close()
    take_all_room(small_disk)
    again, _ = await open_store(Config(data=small_disk / "data"))
    assert await again.read(names) == acknowledged
    (small_disk / "ballast").unlink()
    await again.transact(partial(put, name=0, size_bytes=1))
    await again.close()


@pytest.fixture
def node(small_disk: Path) -> Iterator[NodeProcess]:
    """A node on the small disk, with its log."""
    started = NodeProcess(small_disk / "data")
    started.start()
    yield started
    if started.is_running:
        started.kill9()


def take_all_room(folder: Path) -> None:
    """Write until not a byte is free."""
    with (folder / "more").open("wb", buffering=0) as file:
        for size_bytes in (MIB, 1024, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size_bytes)) == size_bytes:
                    pass


def test_a_node_on_a_full_disk_answers_and_goes_on(node: NodeProcess, small_disk: Path) -> None:
    clients = Clients(fresh_account())
    iam = clients.make(node.endpoint, "iam")
    created = ["before"]
    iam.create_role(RoleName="before", AssumeRolePolicyDocument=TRUST)
    take_all_room(small_disk)
    refused = None
    while refused is None:
        name = f"role-{len(created)}"
        try:
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, Description="x" * 1000)
            created.append(name)
        except ClientError as error:
            refused = error.response
    assert refused["ResponseMetadata"]["HTTPStatusCode"] >= 500
    assert refused["ResponseMetadata"]["RequestId"]
    assert control(node.endpoint, "health")
    assert iam.get_role(RoleName="before"), "reads go on"

    (small_disk / "ballast").unlink()
    iam.create_role(RoleName="after", AssumeRolePolicyDocument=TRUST)
    node.kill9()
    node.restart()
    pages = iam.get_paginator("list_roles").paginate()
    assert {role["RoleName"] for page in pages for role in page["Roles"]} == {*created, "after"}
    clients.close()


async def test_a_blob_that_does_not_fit_leaves_nothing_behind(opened: tuple[Store, Blobs], small_disk: Path) -> None:
    _, blobs = opened
    with pytest.raises(StoreFull):
        await blobs.put(bytes(40 * MIB))
    files = [path for path in (small_disk / "data" / BLOBS_FOLDER).rglob("*") if path.is_file()]
    assert files == []
    digest = await blobs.put(b"small")
    assert await blobs.get(digest) == b"small"
