from pathlib import Path

import pytest

from cloudlet.config import Config, ConfigError
from cloudlet.store.base import StoreLocked, StoreUnavailable
from cloudlet.store.folder import FolderLock, holder
from cloudlet.store.folder_blobs import FolderBlobs
from cloudlet.store.open import open_store
from cloudlet.store.postgres import PostgresStore
from cloudlet.store.postgres_blobs import PostgresBlobs
from cloudlet.store.sqlite import SqliteStore


async def test_without_a_setting_it_is_sqlite_in_the_data_folder(data_folder: Path) -> None:
    store, blobs = await open_store(Config(data=data_folder))
    assert isinstance(store, SqliteStore)
    assert isinstance(blobs, FolderBlobs)
    assert not store.shared
    await store.close()


async def test_a_url_names_postgresql(data_folder: Path, postgres_url: str) -> None:
    store, blobs = await open_store(Config(data=data_folder, store=postgres_url))
    assert isinstance(store, PostgresStore)
    assert isinstance(blobs, PostgresBlobs)
    assert store.shared
    with pytest.raises(StoreLocked):
        await open_store(Config(data=data_folder, store=postgres_url))
    await store.close()
    assert holder(data_folder) is None


async def test_another_word_is_refused(data_folder: Path) -> None:
    with pytest.raises(ConfigError, match="neither"):
        await open_store(Config(data=data_folder, store="mysql://localhost"))


async def test_a_database_that_is_away_leaves_the_folder_free(data_folder: Path) -> None:
    with pytest.raises(StoreUnavailable):
        await open_store(Config(data=data_folder, store="postgresql://nobody@/nothing?host=/nonexistent"))
    with FolderLock(data_folder):
        pass
