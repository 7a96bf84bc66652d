"""Manifests, indexes and configurations of images, in both of their dialects (OCI and Docker's schema 2).

Everything here comes from strangers: sizes and numbers are limited, and what is no digest never becomes a path.

https://github.com/opencontainers/image-spec/blob/main/manifest.md, https://distribution.github.io/distribution/spec/manifest-v2-2/
"""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson

from cloudlet.compute.images.errors import ImageTooLarge, InvalidImage, UnsupportedImage, WrongPlatform
from cloudlet.compute.images.reference import DIGEST

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
MANIFESTS = (OCI_MANIFEST, DOCKER_MANIFEST)
INDEXES = (OCI_INDEX, DOCKER_LIST)
COMPRESSIONS: Mapping[str, str] = {
    "application/vnd.oci.image.layer.v1.tar": "",
    "application/vnd.oci.image.layer.v1.tar+gzip": "gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd": "zstd",
    "application/vnd.docker.image.rootfs.diff.tar": "",
    "application/vnd.docker.image.rootfs.diff.tar.gzip": "gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd": "zstd",
}
"""A layer's media type -> how it is compressed."""

MAX_MANIFEST_BYTES = 4 * 1024 * 1024
"""https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests"""
MAX_CONFIG_BYTES = 4 * 1024 * 1024
MAX_LAYERS = 127
"""What Docker stacks at most, and a page's worth of overlay options."""
MAX_IMAGE_BYTES = 10 * 1024 * 1024 * 1024
"""https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A part of an image: which bytes, how many, and what they are."""

    media_type: str
    digest: str
    """`sha256:<64 hexadecimal digits>`."""
    size: int
    platform: tuple[str, str] = ("", "")
    """Operating system and architecture, in an index."""

    @property
    def hex(self) -> str:
        """The digest without its algorithm."""
        return self.digest.partition(":")[2]


@dataclass(frozen=True, slots=True)
class Manifest:
    """One image of one platform."""

    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    subject: str = ""
    artifact_type: str = ""

    @property
    def size(self) -> int:
        """All its parts as they are kept, compressed."""
        return self.config.size + sum(layer.size for layer in self.layers)


@dataclass(frozen=True, slots=True)
class Index:
    """Images of several platforms under one name."""

    media_type: str
    manifests: tuple[Descriptor, ...]
    subject: str = ""
    artifact_type: str = ""


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """How an image is to be run. https://github.com/opencontainers/image-spec/blob/main/config.md"""

    architecture: str
    operating_system: str
    environment: Mapping[str, str]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    working_directory: str
    diff_ids: tuple[str, ...]


def digest_of(content: bytes) -> str:
    """`sha256:...` of these bytes."""
    return f"sha256:{sha256(content).hexdigest()}"


def machine_architecture() -> str:
    """This machine's architecture in the words of images."""
    machine = platform.machine().lower()
    return _ARCHITECTURES.get(machine, machine)


def parse_manifest(content: bytes, media_type: str = "") -> Manifest | Index:
    """What these bytes describe; `media_type` is what the registry says that they are. Raises InvalidImage."""
    if len(content) > MAX_MANIFEST_BYTES:
        raise ImageTooLarge(f"The manifest has more than {MAX_MANIFEST_BYTES} bytes.")
    value = _object(content, "manifest")
    kind = value.get("mediaType") or media_type.partition(";")[0].strip() or _guessed(value)
    if value.get("schemaVersion") != 2 or kind not in (*MANIFESTS, *INDEXES):
        raise UnsupportedImage(f"The manifest is of a type that is not supported: {kind or 'none'}.")
    subject = value.get("subject") or {}
    if subject:
        subject = {"digest": _descriptor(subject).digest}
    more = subject.get("digest", ""), _text(value.get("artifactType") or "")
    if kind in INDEXES:
        parts = value.get("manifests")
        if not isinstance(parts, list) or "layers" in value or len(parts) > 1000:
            raise InvalidImage("The index lists no manifests.")
        return Index(kind, tuple(map(_descriptor, parts)), *more)
    layers = value.get("layers")
    if not isinstance(layers, list) or "manifests" in value or len(layers) > 1000:
        raise InvalidImage("The manifest lists no layers.")
    return Manifest(kind, _descriptor(value.get("config")), tuple(map(_descriptor, layers)), *more)


def parse_config(content: bytes) -> ImageConfig:
    """The configuration in these bytes. Raises InvalidImage."""
    value = _object(content, "configuration")
    settings = value.get("config") or {}
    root = value.get("rootfs") or {}
    if not isinstance(settings, dict) or not isinstance(root, dict):
        raise InvalidImage("The image's configuration is none.")
    diff_ids = root.get("diff_ids") or []
    if not isinstance(diff_ids, list) or not all(isinstance(one, str) and DIGEST.fullmatch(one) for one in diff_ids):
        raise InvalidImage("The image's configuration names no layers.")
    environment = dict(one.partition("=")[::2] for one in _texts(settings.get("Env")))
    environment.pop("", None)  # no program can be started with it
    return ImageConfig(
        _text(value.get("architecture") or ""),
        _text(value.get("os") or ""),
        environment,
        _texts(settings.get("Entrypoint")),
        _texts(settings.get("Cmd")),
        _text(settings.get("WorkingDir") or ""),
        tuple(diff_ids),
    )


def check_runnable(manifest: Manifest, config: ImageConfig, architecture: str) -> None:
    """Raises UnsupportedImage, ImageTooLarge, InvalidImage for an image that cannot be run on `architecture`."""
    for layer in manifest.layers:
        if layer.media_type not in COMPRESSIONS:
            raise UnsupportedImage(f"A layer is of a type that is not supported: {layer.media_type}.")
    if manifest.config.media_type not in (OCI_CONFIG, DOCKER_CONFIG):
        raise UnsupportedImage(f"This is no container image: its configuration is {manifest.config.media_type}.")
    if len(manifest.layers) > MAX_LAYERS:
        raise ImageTooLarge(f"The image has more than {MAX_LAYERS} layers.")
    if manifest.size > MAX_IMAGE_BYTES:
        raise ImageTooLarge(f"The image has more than {MAX_IMAGE_BYTES} bytes.")
    if not manifest.layers or len(config.diff_ids) != len(manifest.layers):
        raise InvalidImage("The image's configuration does not fit its layers.")
    if (config.operating_system, config.architecture) != ("linux", architecture):
        found = f"{config.operating_system or 'unknown'}/{config.architecture or 'unknown'}"
        raise WrongPlatform(f"The image is for {found}, not for linux/{architecture}.")


def choose(index: Index, architecture: str) -> Descriptor:
    """The image of an index for Linux on `architecture`. Raises UnsupportedImage."""
    images = [one for one in index.manifests if one.media_type in MANIFESTS]
    for one in images:
        if one.platform == ("linux", architecture):
            return one
    if len(images) == 1 and images[0].platform == ("", ""):
        return images[0]
    there = ", ".join(sorted({"/".join(one.platform) for one in images})) or "none"
    raise WrongPlatform(f"The image is not for linux/{architecture}. It is for: {there}.")


def _guessed(value: Mapping[str, Any]) -> str:
    """OCI lets manifests leave out what they are."""
    if "manifests" in value:
        return OCI_INDEX
    return OCI_MANIFEST if "layers" in value else ""


def _object(content: bytes, what: str) -> dict[str, Any]:
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise InvalidImage(f"The image's {what} is not a JSON object.")
    return value


def _descriptor(value: Any) -> Descriptor:
    match value:
        case {"mediaType": str() as media_type, "digest": str() as digest, "size": int() as size} if (
            DIGEST.fullmatch(digest) and 0 <= size < 1 << 50 and len(media_type) <= 255
        ):
            where = value.get("platform")
            where = where if isinstance(where, dict) else {}
            chosen = _text(where.get("os") or ""), _text(where.get("architecture") or "")
            return Descriptor(media_type, digest, size, chosen)
    raise InvalidImage("A part of the image has no media type, sha256 digest or size.")


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value or len(value) > 32768:
        raise InvalidImage("The image's configuration is none.")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > 10_000:
        raise InvalidImage("The image's configuration is none.")
    return tuple(map(_text, value))
