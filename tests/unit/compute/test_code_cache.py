"""Packages are unpacked once, shared, and deleted when there is no room."""

import asyncio
import errno
import hashlib
import io
import threading
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from cloudlet.compute import code_cache
from cloudlet.compute.archive import NotAZip
from cloudlet.compute.code_cache import ENTRY_BYTES, CodeCache, PackageDamaged, PackageMissing
from cloudlet.compute.function import ComputeError


class FolderBlobs:
    """Blobs as files. Damaged ones can be planted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        self.asked = 0

    async def put(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        (self._folder / digest).write_bytes(content)
        return digest

    async def get(self, digest: str) -> bytes:
        return (await self.path(digest)).read_bytes()

    async def path(self, digest: str) -> Path:
        self.asked += 1
        path = self._folder / digest
        if not path.exists():
            raise KeyError(digest)
        return path

    async def delete(self, digest: str) -> None:
        (self._folder / digest).unlink(missing_ok=True)

    async def reset(self) -> None:
        for path in self._folder.iterdir():
            path.unlink()


def package(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("app.py", content)
    return file.getvalue()


SIZE = 1000 + ENTRY_BYTES
"""What a package of one file of 1,000 bytes is counted as."""


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "blobs")


@pytest.fixture
async def open_cache(tmp_path: Path, blobs: FolderBlobs) -> AsyncIterator[Callable[..., CodeCache]]:
    opened: list[CodeCache] = []

    def make(max_bytes: int = 10**9) -> CodeCache:
        (tmp_path / "cache").mkdir(exist_ok=True)
        opened.append(CodeCache(tmp_path / "cache", blobs, max_bytes))
        return opened[-1]

    yield make
    for cache in opened:
        await cache.close()


Open = Callable[..., CodeCache]


async def test_a_package_is_unpacked(open_cache: Open, blobs: FolderBlobs) -> None:
    digest = await blobs.put(package(b"hello"))
    folder = await open_cache().folder(digest)
    assert (folder / "app.py").read_bytes() == b"hello"


async def test_a_package_is_unpacked_once(open_cache: Open, blobs: FolderBlobs) -> None:
    cache = open_cache()
    digest = await blobs.put(package(b"hello"))
    assert await cache.folder(digest) == await cache.folder(digest)
    assert blobs.asked == 1


async def test_who_asks_at_once_shares_the_work(
    open_cache: Open, blobs: FolderBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = open_cache()
    digest = await blobs.put(package(b"hello"))
    calls: list[str] = []
    unpack = code_cache._unpack

    def counted(blob: Path, digest: str, root: Path) -> object:
        calls.append(digest)
        return unpack(blob, digest, root)

    monkeypatch.setattr(code_cache, "_unpack", counted)
    folders = await asyncio.gather(*(cache.folder(digest) for _ in range(20)))
    assert len(set(folders)) == len(calls) == 1


async def test_one_who_gives_up_does_not_end_the_work_of_others(open_cache: Open, blobs: FolderBlobs) -> None:
    cache = open_cache()
    digest = await blobs.put(package(b"hello"))
    first = asyncio.create_task(cache.folder(digest))
    second = asyncio.create_task(cache.folder(digest))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second / "app.py").exists()


async def test_what_was_unpacked_is_there_after_a_restart(open_cache: Open, blobs: FolderBlobs) -> None:
    digest = await blobs.put(package(bytes(1000)))
    await open_cache().prefetch(digest)
    again = open_cache()
    assert again.used_bytes == SIZE
    assert (await again.folder(digest) / "app.py").read_bytes() == bytes(1000)
    assert blobs.asked == 1


async def test_what_a_kill_left_half_done_is_dropped(open_cache: Open, blobs: FolderBlobs, tmp_path: Path) -> None:
    await open_cache().close()
    root = next((tmp_path / "cache").iterdir())
    half = root / "new" / f"{'a' * 64}.0123"
    half.mkdir()
    (half / "app.py").write_text("half")
    await open_cache().close()
    assert list((root / "new").iterdir()) == list((root / "old").iterdir()) == []


async def test_what_was_unpacked_before_the_machine_started_is_dropped(
    open_cache: Open, blobs: FolderBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = await blobs.put(package(b"hello"))
    await open_cache().prefetch(digest)
    boot = tmp_path / "boot_id"
    boot.write_text("another-boot\n")
    monkeypatch.setattr(code_cache, "BOOT_ID", boot)
    cache = open_cache()
    assert cache.used_bytes == 0
    await cache.prefetch(digest)
    await cache.close()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["another-boot"]


async def test_the_least_recently_used_is_deleted_first(open_cache: Open, blobs: FolderBlobs) -> None:
    cache = open_cache(SIZE * 2)
    one, two, three = [await blobs.put(package(bytes([number]) * 1000)) for number in range(3)]
    folders = {digest: await cache.folder(digest) for digest in (one, two)}
    cache.release(one)
    cache.release(two)
    await cache.prefetch(one)
    await cache.prefetch(three)
    assert cache.used_bytes == SIZE * 2
    assert folders[one].exists()
    assert not folders[two].exists()


async def test_what_is_used_is_never_deleted(open_cache: Open, blobs: FolderBlobs) -> None:
    cache = open_cache(SIZE)
    digests = [await blobs.put(package(bytes([number]) * 1000)) for number in range(3)]
    folders = [await cache.folder(digest) for digest in digests]
    assert all(folder.exists() for folder in folders)
    for digest in digests:
        cache.release(digest)
    assert [folder.exists() for folder in folders] == [False, False, True]


async def test_what_somebody_waits_for_is_never_deleted(open_cache: Open, blobs: FolderBlobs) -> None:
    cache = open_cache(0)
    digests = [await blobs.put(package(bytes([number]) * 1000)) for number in range(4)]
    folders = await asyncio.gather(*(cache.folder(digest) for digest in digests * 3))
    assert all((folder / "app.py").exists() for folder in folders)


async def test_a_package_that_is_not_in_the_store_is_an_error(open_cache: Open) -> None:
    with pytest.raises(PackageMissing):
        await open_cache().folder("0" * 64)


async def test_a_damaged_package_is_an_error_and_leaves_nothing(
    open_cache: Open, blobs: FolderBlobs, tmp_path: Path
) -> None:
    cache = open_cache()
    digest = await blobs.put(package(b"hello"))
    (await blobs.path(digest)).write_bytes(package(b"other"))
    with pytest.raises(PackageDamaged):
        await cache.folder(digest)
    not_a_zip = await blobs.put(b"not a zip")
    with pytest.raises(NotAZip):
        await cache.folder(not_a_zip)
    assert list(next((tmp_path / "cache").iterdir()).glob("*/*")) == []


async def test_a_failure_is_not_remembered(open_cache: Open, blobs: FolderBlobs) -> None:
    cache = open_cache()
    content = package(b"hello")
    digest = hashlib.sha256(content).hexdigest()
    with pytest.raises(PackageMissing):
        await cache.folder(digest)
    await blobs.put(content)
    await cache.folder(digest)


async def test_a_full_disk_is_cleared_of_what_is_not_used(
    open_cache: Open, blobs: FolderBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = open_cache()
    old, new = await blobs.put(package(b"old")), await blobs.put(package(b"new"))
    await cache.prefetch(old)
    unpack = code_cache._unpack

    def full(blob: Path, digest: str, root: Path) -> object:
        if any((root / "code").iterdir()) or any((root / "old").iterdir()):
            raise OSError(errno.ENOSPC, "No space left on device")
        return unpack(blob, digest, root)

    monkeypatch.setattr(code_cache, "_unpack", full)
    assert (await cache.folder(new) / "app.py").read_bytes() == b"new"
    third = await blobs.put(package(b"third"))
    with pytest.raises(ComputeError, match="No space left on device"):
        await cache.folder(third)


async def test_unpacking_is_no_work_of_the_loop(
    open_cache: Open, blobs: FolderBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = open_cache()
    digest = await blobs.put(package(b"hello"))
    threads: list[str] = []
    unpack = code_cache._unpack

    def named(blob: Path, digest: str, root: Path) -> object:
        threads.append(threading.current_thread().name)
        return unpack(blob, digest, root)

    monkeypatch.setattr(code_cache, "_unpack", named)
    await cache.folder(digest)
    assert threads[0].startswith("unpack")
