"""From a node's settings to its store."""

from cloudlet.config import Config
from cloudlet.store.base import Store
from cloudlet.store.blobs import Blobs
from cloudlet.store.folder_blobs import FolderBlobs
from cloudlet.store.sqlite import SqliteStore

BLOBS_FOLDER = "blobs"


async def open_store(config: Config) -> tuple[Store, Blobs]:
    """The store that `config` names, and its blobs. Closing the store lets go of the data folder.

    Raises StoreLocked when another node has the data folder, StoreError when the database cannot be used.
    """
    store = await SqliteStore.open(config.data)
    return store, FolderBlobs(config.data / BLOBS_FOLDER)
