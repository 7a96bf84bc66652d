"""From a source to the store: an image's manifest is resolved first, its parts follow.

What is resolved is one image of one platform, with a digest that never changes; pulling brings each part that is not
here yet, checked by size and digest while it comes. All of it waits for disks and networks: it runs in threads.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from cloudlet.compute.images.errors import InvalidImage
from cloudlet.compute.images.layer_cache import PackedLayer
from cloudlet.compute.images.manifest import (
    COMPRESSIONS,
    MAX_CONFIG_BYTES,
    Descriptor,
    ImageConfig,
    Index,
    Manifest,
    check_runnable,
    choose,
    digest_of,
    parse_config,
    parse_manifest,
)
from cloudlet.compute.images.sources import ImageSource
from cloudlet.compute.images.store import ImageStore, Incoming

PULLS_AT_ONCE: Final = 3
"""Parts of one image that are brought at the same time."""
WRITE_BYTES: Final = 1024 * 1024


InThread = Callable[..., Awaitable[None]]
"""Calls something that waits for a disk or a network, in a thread."""


@dataclass(frozen=True, slots=True)
class Image:
    """One image of one platform."""

    manifest_bytes: bytes
    manifest: Manifest
    config_bytes: bytes
    config: ImageConfig

    @property
    def digest(self) -> str:
        """64 hexadecimal digits: of its manifest."""
        return hashlib.sha256(self.manifest_bytes).hexdigest()

    @property
    def parts(self) -> list[str]:
        """The digests of all that it is made of, itself among them: 64 hexadecimal digits each."""
        return [self.digest, self.manifest.config.hex, *(layer.hex for layer in self.manifest.layers)]

    @property
    def layers(self) -> list[PackedLayer]:
        """Its layers, the lowest first."""
        pairs = zip(self.manifest.layers, self.config.diff_ids, strict=True)
        return [PackedLayer(layer.hex, diff_id, COMPRESSIONS[layer.media_type]) for layer, diff_id in pairs]


def resolve(source: ImageSource, selector: str, architecture: str) -> Image:
    """The image of a tag or digest for Linux on `architecture`. Call it in a thread. Raises ImageError."""
    content, media_type = source.manifest(selector)
    _check_selected(content, selector)
    manifest = parse_manifest(content, media_type)
    if isinstance(manifest, Index):
        chosen = choose(manifest, architecture)
        content, media_type = source.manifest(chosen.digest)
        _check_selected(content, chosen.digest)
        manifest = parse_manifest(content, media_type or chosen.media_type)
        if isinstance(manifest, Index):
            raise InvalidImage("The index names another index.")
    config = _whole(source, _config_of(manifest))
    return image_of(content, manifest, config, architecture)


def _whole(source: ImageSource, part: Descriptor) -> bytes:
    """A small part, which may have as many bytes as it was said to have, whatever the source gives."""
    content = bytearray()
    for chunk in source.blob(part):
        content += chunk
        if len(content) > part.size:
            raise InvalidImage(f"{part.digest} has more than its {part.size} bytes.")
    return bytes(content)


def image_of(content: bytes, manifest: Manifest, config: bytes, architecture: str) -> Image:
    """The image of these bytes, checked. Raises InvalidImage."""
    if len(config) != manifest.config.size or digest_of(config) != manifest.config.digest:
        raise InvalidImage("The image's configuration is not what its digest says.")
    parsed = parse_config(config)
    check_runnable(manifest, parsed, architecture)
    return Image(content, manifest, config, parsed)


def _config_of(manifest: Manifest) -> Descriptor:
    if manifest.config.size > MAX_CONFIG_BYTES:
        raise InvalidImage("The image's configuration is too large.")
    return manifest.config


def _check_selected(content: bytes, selector: str) -> None:
    if selector.startswith("sha256:") and digest_of(content) != selector:
        raise InvalidImage(f"What the registry gives for {selector} is another manifest.")


async def pull(store: ImageStore, source: ImageSource, image: Image, in_thread: InThread) -> None:
    """Bring all parts of `image` that are not here. The caller holds or uses them. Raises ImageError, StoreError."""
    for content in (image.manifest_bytes, image.config_bytes):
        await store.blobs.put(content)
    missing = {layer.hex: layer for layer in image.manifest.layers if not await store.has(layer.hex)}
    at_once = asyncio.Semaphore(PULLS_AT_ONCE)

    async def bring(layer: Descriptor) -> None:
        async with at_once:
            await _bring(store, source, layer, in_thread)

    try:
        async with asyncio.TaskGroup() as tasks:
            for layer in missing.values():
                tasks.create_task(bring(layer))
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


async def _bring(store: ImageStore, source: ImageSource, part: Descriptor, in_thread: InThread) -> None:
    incoming = await Incoming.begin(store.blobs)
    try:
        await in_thread(_copy, source, part, incoming)
        await incoming.keep(part.hex)
    finally:
        incoming.close()


def _copy(source: ImageSource, part: Descriptor, incoming: Incoming) -> None:
    for chunk in source.blob(part):
        if incoming.size + len(chunk) > part.size:
            raise InvalidImage(f"{part.digest} has more than its {part.size} bytes.")
        incoming.write(chunk)
    if incoming.size != part.size:
        raise InvalidImage(f"{part.digest} has {incoming.size} bytes, not {part.size}.")
