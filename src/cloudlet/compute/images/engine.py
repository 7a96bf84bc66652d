"""The images of one node: found, brought, and made ready to run."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from cloudlet.compute.images import pull as pulls
from cloudlet.compute.images.errors import (
    ImageAccessDenied,
    ImageError,
    ImageTooLarge,
    InvalidImage,
    RegistryUnavailable,
)
from cloudlet.compute.images.flatten import opened
from cloudlet.compute.images.layer_cache import LayerCache, PackedLayer
from cloudlet.compute.images.logins import Logins
from cloudlet.compute.images.manifest import (
    MAX_IMAGE_BYTES,
    MAX_MANIFEST_BYTES,
    ImageConfig,
    Index,
    machine_architecture,
    parse_manifest,
)
from cloudlet.compute.images.overlay import MergedLayers
from cloudlet.compute.images.pull import Image, image_of
from cloudlet.compute.images.reference import Reference
from cloudlet.compute.images.sources import ImageSource
from cloudlet.compute.images.store import ImageStore
from cloudlet.config import Config

Release = Callable[[], None]
T = TypeVar("T")
PULLS_AT_ONCE: Final = 4
"""Images that are brought at the same time."""
RESOLVE_LIMIT_S: Final = 60.0
"""For the manifest and the configuration of an image: a client waits for them."""
PULL_LIMIT_S: Final = 3600.0
"""For all of its layers."""
THREADS: Final = (PULLS_AT_ONCE + 1) * pulls.PULLS_AT_ONCE


@dataclass(frozen=True, slots=True)
class RunnableImage:
    """An image whose layers are on disk."""

    config: ImageConfig
    layers: tuple[Path, ...]
    """The lowest first; to be mounted over each other."""
    release: Release
    """To be called once, when the layers are needed no more."""

    @property
    def merged(self) -> MergedLayers:
        """What is in them, one over the other."""
        return MergedLayers(self.layers)


class Images:
    """Finds, keeps and unpacks images."""

    def __init__(self, config: Config, store: ImageStore, folder: Path) -> None:
        """`folder` holds unpacked layers."""
        self._config = config
        self.store = store
        self.layers = LayerCache(folder, store.path)
        self._logins = Logins.usual(config.registry_logins)
        self._threads = asyncio.Semaphore(THREADS)
        """Of their own: a registry that is slow holds up nothing but images."""
        self._pulling = asyncio.Semaphore(PULLS_AT_ONCE)
        self._known: dict[str, Image] = {}
        """Images that have run here lately."""

    def check_allowed(self, reference: Reference) -> None:
        """Raises ImageAccessDenied for an image that this node's configuration does not let functions be made of."""
        config = self._config
        if reference.transport != "docker":
            folder = config.image_folder
            if folder is None and config.is_open:
                return
            place = Path(reference.name).resolve()
            if folder is None or not place.is_relative_to(folder.resolve()):
                raise ImageAccessDenied(
                    f"{reference}: this node takes images from its disk only below the folder that its setting "
                    "image_folder names."
                )
            return
        allowed = {name.strip() for name in config.image_registries.split(",")} - {""}
        if "*" not in allowed and reference.host not in allowed and (allowed or not config.is_open):
            raise ImageAccessDenied(
                f"{reference}: this node takes images only from its own registry and those that its setting "
                "image_registries names."
            )

    async def resolve(self, reference: Reference) -> Image:
        """The image for this machine that `reference` names elsewhere. Raises ImageError."""
        async with self._opened(reference, RESOLVE_LIMIT_S) as source:
            return await self._in_thread(pulls.resolve, source, reference.selector, machine_architecture())

    async def pull(self, reference: Reference, digest: str) -> None:
        """Bring all parts of the image with this digest that are not here yet. The caller uses them already.

        Raises ImageError, StoreError.
        """
        if await self.is_whole(digest):
            return
        async with self._pulling, self._opened(reference, PULL_LIMIT_S) as source:
            # A folder or an archive has it by its name only.
            selector = f"sha256:{digest}" if reference.transport == "docker" else reference.selector
            image = await self._in_thread(pulls.resolve, source, selector, machine_architecture())
            if image.digest != digest:
                raise InvalidImage(f"{reference} is another image than it was: sha256:{image.digest}.")
            await pulls.pull(self.store, source, image, self._in_thread)

    @contextlib.asynccontextmanager
    async def _opened(self, reference: Reference, limit_s: float) -> AsyncIterator[ImageSource]:
        """A source to read from for so long: a registry that gives a byte now and then is given up."""
        self.check_allowed(reference)
        manager = opened(reference, self._logins)
        source = await self._in_thread(manager.__enter__)
        try:
            async with asyncio.timeout(limit_s if reference.transport == "docker" else None):
                yield source
        except TimeoutError as error:
            raise RegistryUnavailable(f"{reference} has not come within {limit_s:.0f} s.") from error
        except OSError as error:
            raise ImageError(f"{reference} cannot be read: {error}") from error
        finally:
            # Not in a thread: it only closes, and lets those end that wait for a registry.
            manager.__exit__(None, None, None)

    async def _in_thread(self, call: Callable[..., T], *arguments: Any) -> T:
        """In a thread that does not keep the process from ending: who waits for a registry may wait for long."""
        async with self._threads:
            outcome: Future[T] = Future()

            def work() -> None:
                try:
                    outcome.set_result(call(*arguments))
                except BaseException as error:
                    outcome.set_exception(error)

            outcome.set_running_or_notify_cancel()
            threading.Thread(target=work, name="images", daemon=True).start()
            return await asyncio.wrap_future(outcome)

    async def is_whole(self, digest: str) -> bool:
        """True when all parts of the image are here."""
        try:
            image = await self.kept(digest)
        except ImageError:
            return False
        return all([await self.store.has(part) for part in image.parts])

    async def kept(self, digest: str) -> Image:
        """The image with this digest, whose manifest is here. Raises InvalidImage."""
        image = self._known.get(digest)
        if image is None:
            image = await self._read(digest)
            if len(self._known) >= 1000:
                self._known.clear()
            self._known[digest] = image
        return image

    async def _read(self, digest: str) -> Image:
        try:
            file = await self.store.path(digest)
            content = await asyncio.to_thread(_read, file)
            manifest = parse_manifest(content)
            if isinstance(manifest, Index):
                raise InvalidImage(f"sha256:{digest} is an index of images.")
            config = await asyncio.to_thread(_read, await self.store.path(manifest.config.hex))
        except KeyError as missing:
            raise InvalidImage(f"A part of the image sha256:{digest} is not here: {missing}") from missing
        return image_of(content, manifest, config, machine_architecture())

    async def prepare(self, digest: str) -> RunnableImage:
        """The image with its layers on disk, where they stay until `release`. Raises ImageError, ComputeError."""
        image = await self.kept(digest)
        held: list[PackedLayer] = []

        def release() -> None:
            while held:
                self.layers.release(held.pop())

        folders, left = [], MAX_IMAGE_BYTES
        try:
            for layer in image.layers:
                folders.append(await self.layers.folder(layer))
                held.append(layer)
                left -= self.layers.content_bytes(layer)
                if left < 0:
                    raise ImageTooLarge(f"The image has more than {MAX_IMAGE_BYTES} bytes.")
        except BaseException:
            release()
            raise
        return RunnableImage(image.config, tuple(folders), release)

    async def run(self) -> None:
        """Delete what nobody needs any more, as it comes. Ends when it is cancelled."""
        await self.store.run()

    async def reset(self) -> None:
        """The store was emptied."""
        self._known.clear()
        await self.store.reset()

    async def close(self) -> None:
        """No sandbox is left."""
        self.store.close()
        await self.layers.close()


def _guarded(find: Callable[[], Image], reference: Reference) -> Image:
    try:
        return find()
    except OSError as error:
        raise ImageError(f"{reference} cannot be read: {error}") from error


def _read(file: Path) -> bytes:
    with file.open("rb") as opened_file:
        return opened_file.read(MAX_MANIFEST_BYTES)
