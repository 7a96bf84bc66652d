"""What a node keeps of the store's rows is never older than the store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloudlet.services.row_cache import RowCache
from cloudlet.store.base import Reader, Store
from cloudlet.store.sqlite import SqliteStore

CHANNEL = "words"


class Words:
    """A cache over a dictionary, with the reads that it has done."""

    def __init__(self, store: Store, limit: int = 2) -> None:
        self.rows = {"a": 1, "b": 2, "c": 3, "large": 1000}
        self.reads: list[str] = []
        self.cache = RowCache[str, int](
            store, CHANNEL, limit, self._read, str, lambda value: value < 1000, lambda value: 2 if value == 3 else 1
        )

    def _read(self, _reader: Reader, key: str) -> int | None:
        self.reads.append(key)
        return self.rows.get(key)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await SqliteStore.open(tmp_path / "store")
    yield store
    await store.close()


async def test_a_value_is_read_once(store: Store) -> None:
    words = Words(store)
    assert [await words.cache.find("a") for _ in range(3)] == [1, 1, 1]
    assert words.reads == ["a"]


async def test_what_is_not_there_is_asked_for_each_time(store: Store) -> None:
    words = Words(store)
    assert await words.cache.find("z") is None
    words.rows["z"] = 26
    assert await words.cache.find("z") == 26


async def test_a_change_is_seen_as_soon_as_it_is_made(store: Store) -> None:
    words = Words(store)
    await words.cache.find("a")
    await words.cache.find("b")
    words.rows.update(a=10, b=20)
    await store.transact(lambda tx: tx.notify(CHANNEL, "a"))
    assert [await words.cache.find(key) for key in "ab"] == [10, 2]


@pytest.mark.parametrize("forget", [True, False], ids=["emptied", "notified without a key"])
async def test_anything_may_have_changed(store: Store, forget: bool) -> None:
    words = Words(store)
    await words.cache.find("a")
    words.rows["a"] = 10
    if forget:
        words.cache.forget()
    else:
        await store.transact(lambda tx: tx.notify(CHANNEL, ""))
    assert await words.cache.find("a") == 10


async def test_the_oldest_goes_first(store: Store) -> None:
    words = Words(store)
    words.rows["c"] = 4
    for key in "abcba":
        await words.cache.find(key)
    assert words.reads == ["a", "b", "c", "a"]


async def test_what_is_large_takes_the_place_of_several(store: Store) -> None:
    words = Words(store)
    for key in "abcca":
        await words.cache.find(key)
    assert words.reads == ["a", "b", "c", "a"]
    await store.transact(lambda tx: tx.notify(CHANNEL, "a"))
    await words.cache.find("c")
    words.cache.forget()
    for key in "abab":
        await words.cache.find(key)
    assert words.reads == ["a", "b", "c", "a", "c", "a", "b"]


async def test_what_is_too_large_is_not_kept(store: Store) -> None:
    words = Words(store)
    assert [await words.cache.find("large") for _ in range(2)] == [1000, 1000]
    assert words.reads == ["large", "large"]


async def test_a_value_that_changes_while_it_is_read_is_not_kept(store: Store) -> None:
    words = Words(store)
    read = words._read

    def read_late(reader: Reader, key: str) -> int | None:
        found = read(reader, key)
        words.cache._changed("another")
        return found

    words.cache._read = read_late
    assert await words.cache.find("a") == 1
    words.cache._read = read
    assert await words.cache.find("a") == 1
    assert words.reads == ["a", "a"]


async def test_who_is_closed_hears_nothing(store: Store) -> None:
    words = Words(store)
    await words.cache.find("a")
    words.cache.close()
    words.rows["a"] = 10
    await store.transact(lambda tx: tx.notify(CHANNEL, "a"))
    assert await words.cache.find("a") == 1
