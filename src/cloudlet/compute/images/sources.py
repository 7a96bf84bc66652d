"""Where images are taken from: a registry, an OCI layout folder, an archive of `docker save`.

A source gives bytes; whether they are what their digest says is checked by who asks. All of it waits for disks and
networks: it runs in threads.
"""

import os
import tarfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Protocol

import orjson

from cloudlet.compute.images.errors import ImageNotFound, InvalidImage
from cloudlet.compute.images.manifest import (
    DOCKER_CONFIG,
    DOCKER_MANIFEST,
    MAX_CONFIG_BYTES,
    MAX_MANIFEST_BYTES,
    OCI_INDEX,
    Descriptor,
    Index,
    parse_manifest,
)
from cloudlet.compute.images.reference import DOCKER_HUB

CHUNK_BYTES = 1024 * 1024
_TAG = "org.opencontainers.image.ref.name"
_MAX_ARCHIVE_ENTRIES = 100_000


class ImageSource(Protocol):
    """Gives the parts of one image's repository."""

    def manifest(self, selector: str) -> tuple[bytes, str]:
        """The manifest or index of a tag or digest, and its media type. Raises ImageError."""

    def blob(self, part: Descriptor) -> Iterator[bytes]:
        """The bytes of a part, in pieces. Raises ImageError."""

    def close(self) -> None:
        """Nothing more is asked."""


class LayoutSource:
    """A folder as `skopeo copy ... oci:FOLDER:TAG` and umoci make it.

    https://github.com/opencontainers/image-spec/blob/main/image-layout.md
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def manifest(self, selector: str) -> tuple[bytes, str]:
        if selector.startswith("sha256:"):
            return self._read(f"blobs/sha256/{selector.removeprefix('sha256:')}", MAX_MANIFEST_BYTES), ""
        listed = _json(self._read("index.json", MAX_MANIFEST_BYTES))
        entries = [one for one in listed.get("manifests") or [] if isinstance(one, dict)]
        if selector:
            entries = [one for one in entries if (one.get("annotations") or {}).get(_TAG) == selector]
        if len(entries) != 1:
            wanted = f"image with the tag {selector}" if selector else "single image; name one by its tag"
            raise ImageNotFound(f"{self._folder} has no {wanted}.")
        content = orjson.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})
        index = parse_manifest(content)
        assert isinstance(index, Index), "its type says so"
        [found] = index.manifests
        return self._read(f"blobs/sha256/{found.hex}", MAX_MANIFEST_BYTES), found.media_type

    def blob(self, part: Descriptor) -> Iterator[bytes]:
        with self._open(f"blobs/sha256/{part.hex}") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def close(self) -> None:
        """Nothing is open."""

    def _read(self, path: str, limit: int) -> bytes:
        with self._open(path) as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise InvalidImage(f"{self._folder / path} is too large.")
        return content

    def _open(self, path: str) -> IO[bytes]:
        try:
            fd = os.open(self._folder / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise ImageNotFound(f"{self._folder / path}: {error.strerror}") from error
        return os.fdopen(fd, "rb")


class ArchiveSource:
    """One image in a tar archive as `docker save` and `skopeo copy ... docker-archive:FILE` make it.

    It has no manifest of the registry's kind: one is made of its `manifest.json`, with digests of what is in it.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._archive = tarfile.open(path, "r:")  # noqa: SIM115 - closed by `close`
        except (OSError, tarfile.TarError) as error:
            raise ImageNotFound(f"{path} is no archive of images: {error}") from error
        self._path = path
        self._members: dict[str, tarfile.TarInfo] = {}
        self._names: dict[str, str] = {}
        try:
            for info in self._archive:
                self._members[info.name.removeprefix("./")] = info
                if len(self._members) > _MAX_ARCHIVE_ENTRIES:
                    raise InvalidImage(f"{path} has too many entries.")
        except tarfile.TarError as error:
            raise InvalidImage(f"{path} is damaged: {error}") from error

    def manifest(self, selector: str) -> tuple[bytes, str]:
        entries = _json(self._read("manifest.json"), list)
        entries = [one for one in entries if isinstance(one, dict)]
        if selector:
            entries = [one for one in entries if any(_has_tag(tag, selector) for tag in _tags(one))]
        if len(entries) != 1:
            raise ImageNotFound(f"{self._path} has no {f'image {selector}' if selector else 'single image'}.")
        config, layers = entries[0].get("Config"), entries[0].get("Layers")
        if not isinstance(config, str) or not isinstance(layers, list):
            raise InvalidImage(f"{self._path} describes no image.")
        content = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": self._describe(config, DOCKER_CONFIG),
            "layers": [self._describe(str(name)) for name in layers],
        }
        return orjson.dumps(content), DOCKER_MANIFEST

    def blob(self, part: Descriptor) -> Iterator[bytes]:
        name = self._names.get(part.digest)
        if name is None:
            raise ImageNotFound(f"{self._path} has no {part.digest}.")
        yield from self._chunks(name)

    def close(self) -> None:
        self._archive.close()

    def _describe(self, name: str, media_type: str = "") -> dict[str, Any]:
        digest, size, head = sha256(), 0, b""
        for chunk in self._chunks(name):
            head = head or chunk[:4]
            digest.update(chunk)
            size += len(chunk)
        known = f"sha256:{digest.hexdigest()}"
        self._names[known] = name
        compressed = ".gzip" if head[:2] == b"\x1f\x8b" else ".zstd" if head == b"\x28\xb5\x2f\xfd" else ""
        kind = media_type or f"application/vnd.docker.image.rootfs.diff.tar{compressed}"
        return {"mediaType": kind, "digest": known, "size": size}

    def _member(self, name: str) -> tarfile.TarInfo:
        """The file of this name; older archives have links to layers that they share."""
        info = self._members.get(name)
        if info is not None and info.issym():
            folder = name.rpartition("/")[0]
            info = self._members.get(os.path.normpath(f"{folder}/{info.linkname}"))
        elif info is not None and info.islnk():
            info = self._members.get(info.linkname)
        if info is None or not info.isreg():
            raise InvalidImage(f"{self._path} has no {name[:200]!r}.")
        return info

    def _chunks(self, name: str) -> Iterator[bytes]:
        try:
            with self._archive.extractfile(self._member(name)) as file:  # type: ignore[union-attr]
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
        except tarfile.TarError as error:
            raise InvalidImage(f"{self._path} is damaged: {error}") from error

    def _read(self, name: str) -> bytes:
        content = b""
        for chunk in self._chunks(name):
            content += chunk
            if len(content) > MAX_CONFIG_BYTES:
                raise InvalidImage(f"{name!r} in {self._path} is too large.")
        return content


def _tags(entry: dict[str, Any]) -> list[Any]:
    tags = entry.get("RepoTags")
    return tags if isinstance(tags, list) else []


def _has_tag(tag: Any, selector: str) -> bool:
    """True for a tag that `selector` means: as it stands there, or without what says nothing."""
    return isinstance(tag, str) and (
        selector in (tag, tag.rpartition(":")[2])
        or tag in (f"{DOCKER_HUB}/{selector}", f"{DOCKER_HUB}/library/{selector}")
    )


def _json(content: bytes, kind: type = dict) -> Any:
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, kind):
        raise InvalidImage("What describes the images is not JSON of the form that is expected.")
    return value
