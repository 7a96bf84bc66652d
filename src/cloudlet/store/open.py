"""From a node's settings to its store."""

from cloudlet.config import Config, ConfigError
from cloudlet.store.base import Store
from cloudlet.store.blobs import LargeBlobs
from cloudlet.store.folder import FolderLock
from cloudlet.store.folder_blobs import FolderBlobs
from cloudlet.store.sqlite import SqliteStore

BLOBS_FOLDER = "blobs"
IMAGES_FOLDER = "images"


async def open_store(config: Config) -> tuple[Store, LargeBlobs]:
    """The store that `config` names, and its blobs. Closing the store lets go of the data folder.

    Raises StoreLocked when another node has the data folder, StoreUnavailable when the database cannot be reached,
    StoreError when it cannot be used, ConfigError when `config.store` is no store.
    """
    if not config.store:
        return await SqliteStore.open(config.data), FolderBlobs(config.data / BLOBS_FOLDER)
    if not config.store.startswith(("postgresql://", "postgres://")):
        raise ConfigError("store: neither empty (SQLite in the data folder) nor postgresql://...")
    from cloudlet.store.postgres import PostgresStore
    from cloudlet.store.postgres_blobs import PostgresBlobs

    lock = FolderLock(config.data)
    try:
        store = await PostgresStore.open(config.store, lock)
    except BaseException:
        lock.release()
        raise
    try:
        blobs = await PostgresBlobs.open(store, FolderBlobs(config.data / BLOBS_FOLDER))
    except BaseException:
        await store.close()
        raise
    return store, blobs


async def open_image_blobs(config: Config, store: Store) -> LargeBlobs:
    """Where the parts of container images are kept, beside `store`. Raises StoreError, OSError."""
    folder = FolderBlobs(config.data / IMAGES_FOLDER)
    if not store.shared:
        return folder
    from cloudlet.store.postgres_blobs import PostgresBlobs

    return await PostgresBlobs.open(store, folder, "image-blobs", "image_blob")
