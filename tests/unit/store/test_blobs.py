"""What both kinds of blobs promise, and how files are kept."""

import hashlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cloudlet.config import Config
from cloudlet.store import postgres_blobs
from cloudlet.store.base import Store, StoreFull, StoreUnavailable
from cloudlet.store.blobs import Blobs, LargeBlobs
from cloudlet.store.folder_blobs import FolderBlobs
from cloudlet.store.open import open_image_blobs

Opener = Callable[[str], Awaitable[tuple[Store, Blobs]]]
ABSENT = hashlib.sha256(b"absent").hexdigest()


@pytest.mark.parametrize("content", [b"", b"a", bytes(range(256)) * 5000])
async def test_what_is_put_is_got(blobs: Blobs, content: bytes) -> None:
    digest = await blobs.put(content)
    assert digest == hashlib.sha256(content).hexdigest()
    assert await blobs.get(digest) == content
    assert (await blobs.path(digest)).read_bytes() == content


async def test_the_same_bytes_are_kept_once(blobs: Blobs) -> None:
    assert await blobs.put(b"a") == await blobs.put(b"a")
    digest = await blobs.put(b"a")
    await blobs.delete(digest)
    with pytest.raises(KeyError):
        await blobs.get(digest)


@pytest.mark.parametrize(
    "digest", [ABSENT, hashlib.sha256(b"").hexdigest(), "", "..", "../" * 20 + "etc/passwd", "A" * 64]
)
async def test_there_is_nothing_of_another_digest(blobs: Blobs, digest: str) -> None:
    with pytest.raises(KeyError):
        await blobs.get(digest)
    with pytest.raises(KeyError):
        await blobs.path(digest)


async def test_what_is_not_there_may_be_deleted(blobs: Blobs) -> None:
    await blobs.delete(ABSENT)


async def test_reset_forgets_all(blobs: Blobs) -> None:
    digests = [await blobs.put(content) for content in (b"a", b"b")]
    await blobs.reset()
    for digest in digests:
        with pytest.raises(KeyError):
            await blobs.get(digest)
    assert await blobs.put(b"a") == digests[0]


async def test_blobs_are_there_when_the_store_is_opened_again(opened: tuple[Store, Blobs], open_again: Opener) -> None:
    store, blobs = opened
    digest = await blobs.put(b"a")
    await store.close()
    _, blobs = await open_again("node")
    assert await blobs.get(digest) == b"a"


async def test_blobs_of_a_shared_store_are_there_on_every_node(
    opened: tuple[Store, Blobs], open_again: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, blobs = opened
    if not store.shared:
        pytest.skip("this store is one node's")
    monkeypatch.setattr(postgres_blobs, "PIECE_BYTES", 10)
    digest = await blobs.put(b"0123456789" * 3 + b"rest")
    other_store, other = await open_again("other")
    assert (await other.path(digest)).read_bytes() == b"0123456789" * 3 + b"rest"
    await other_store.close()
    await blobs.delete(digest)
    _, other = await open_again("other")
    with pytest.raises(KeyError):
        await other.get(digest)


async def test_files_are_private_and_whole(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path / "blobs")
    digest = await blobs.put(b"a")
    path = await blobs.path(digest)
    assert path == tmp_path / "blobs" / digest[:2] / digest
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


async def test_what_a_crash_left_half_written_is_cleared(tmp_path: Path) -> None:
    folder = tmp_path / "blobs"
    digest = await FolderBlobs(folder).put(b"a")
    (folder / "tmp-leftover").write_bytes(b"half")
    blobs = FolderBlobs(folder)
    assert not (folder / "tmp-leftover").exists()
    assert await blobs.get(digest) == b"a"


@pytest.mark.parametrize(("number", "error"), [(28, StoreFull), (122, StoreFull), (5, StoreUnavailable)])
async def test_a_write_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(number, "failed")

    blobs = FolderBlobs(tmp_path / "blobs")
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fail)
        with pytest.raises(error):
            await blobs.put(b"a")
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []
    assert await blobs.get(await blobs.put(b"a")) == b"a"


async def adopted(blobs: LargeBlobs, content: bytes) -> str:
    descriptor, path = blobs.scratch()
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    digest = hashlib.sha256(content).hexdigest()
    await blobs.adopt(path, digest)
    assert not path.exists()
    return digest


async def test_a_file_is_kept_as_bytes_are(blobs: LargeBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_blobs, "PIECE_BYTES", 10)
    digest = await adopted(blobs, b"0123456789" * 3 + b"rest")
    assert await blobs.get(digest) == b"0123456789" * 3 + b"rest"
    assert await adopted(blobs, b"0123456789" * 3 + b"rest") == digest


async def test_a_file_is_there_on_every_node_of_a_shared_store(
    opened: tuple[Store, LargeBlobs], open_again: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, blobs = opened
    if not store.shared:
        pytest.skip("this store is one node's")
    monkeypatch.setattr(postgres_blobs, "PIECE_BYTES", 10)
    digest = await adopted(blobs, b"0123456789" * 3 + b"rest")
    _, other = await open_again("other")
    assert (await other.path(digest)).read_bytes() == b"0123456789" * 3 + b"rest"


async def test_kinds_of_blobs_know_nothing_of_each_other(opened: tuple[Store, Blobs], tmp_path: Path) -> None:
    store, blobs = opened
    others = await open_image_blobs(Config(data=tmp_path / "images-of"), store)
    digest = await others.put(b"a")
    with pytest.raises(KeyError):
        await blobs.path(digest)
