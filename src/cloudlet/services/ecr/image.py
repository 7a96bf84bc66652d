"""Images of a repository: put, found, deleted. Plain functions of a transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudlet.compute.images.errors import ImageError
from cloudlet.compute.images.manifest import Index, Manifest, digest_of, parse_manifest
from cloudlet.compute.images.store import disuse, use
from cloudlet.services.ecr import repository, tables
from cloudlet.services.ecr.errors import (
    ImageAlreadyExists,
    ImageDigestDoesNotMatch,
    ImageTagAlreadyExists,
    InvalidParameter,
    LayersNotFound,
    LimitExceeded,
    ReferencedImagesNotFound,
)
from cloudlet.services.ecr.tables import Key
from cloudlet.store.base import Reader, Row, Transaction

MAX_IMAGES = 100_000
"""https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html"""
MAX_TAGS = 1000
"""Of one image; the same page."""
UNUSED_LAYER_MS = 60 * 60 * 1000
"""A layer that no image needs is kept for so long: its image may be about to be pushed."""
_ELSEWHERE = ("foreign", "nondistributable")


@dataclass(frozen=True, slots=True)
class StoredImage:
    """One row of ecr_images, its fields in the columns' order."""

    digest: str
    manifest: bytes
    media_type: str
    artifact_type: str
    subject: str
    size_bytes: int
    pushed_ms: int
    pulled_ms: int

    @classmethod
    def from_summary(cls, row: Row) -> "StoredImage":
        """From a row that is without the manifest."""
        return cls(row[0], b"", *row[1:])

    @property
    def row(self) -> Row:
        return tuple(getattr(self, name) for name in self.__slots__)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one image of a batch could not be had."""

    image_id: Mapping[str, str]
    code: str
    reason: str

    def shown(self) -> dict[str, Any]:
        return {"imageId": dict(self.image_id), "failureCode": self.code, "failureReason": self.reason}


def users(key: Key) -> tuple[str, str]:
    """By what names a repository uses parts of the image store: for its layers, and for its manifests."""
    place = f"{key.account}/{key.region}/{key.name}"
    return f"ecr-layers/{place}", f"ecr-images/{place}"


def parsed(content: bytes, media_type: str) -> Manifest | Index:
    """A manifest that is to be put. Raises InvalidParameter."""
    try:
        manifest = parse_manifest(content, media_type)
    except ImageError as error:
        raise InvalidParameter(
            f"Invalid parameter at 'ImageManifest' failed to satisfy constraint: '{error}'"
        ) from error
    if media_type and media_type != manifest.media_type:
        raise InvalidParameter(
            "Invalid parameter at 'ImageManifestMediaType' failed to satisfy constraint: "
            f"'The manifest says that it is {manifest.media_type}, not {media_type[:255]}'"
        )
    return manifest


def put(
    tx: Transaction, key: Key, content: bytes, manifest: Manifest | Index, tag: str, digest: str, now_ms: int
) -> StoredImage:
    """Keep an image, and give it a tag. Raises RepositoryNotFound and what PutImage raises."""
    found = repository.find(tx, key)
    computed = digest_of(content)
    if digest and digest != computed:
        raise ImageDigestDoesNotMatch(f"Provided digest '{digest}' does not match computed digest '{computed}'")
    before = tables.image(tx, key, computed)
    current = tables.tagged(tx, key, tag) if tag else None
    where = f"already exists in the repository with name '{key.name}' in registry with id '{key.account}'"
    if before is not None and (not tag or current == computed):
        text = f"Image with digest '{computed}' and tag '{tag}'" if tag else f"Image with digest '{computed}'"
        raise ImageAlreadyExists(f"{text} {where}")
    if current is not None and not found.lets_tags_move(tag):
        raise ImageTagAlreadyExists(
            f"The image tag '{tag}' already exists in the '{key.name}' repository and cannot be overwritten because "
            "the tag is immutable."
        )
    stored = StoredImage(*before) if before is not None else _insert(tx, key, content, manifest, computed, now_ms)
    if tag:
        if current != computed and tables.count_tags(tx, key, computed) >= MAX_TAGS:
            raise LimitExceeded(f"The image with digest '{computed}' already has {MAX_TAGS} tags")
        tables.put_tag(tx, key, tag, computed)
    return stored


def _insert(
    tx: Transaction, key: Key, content: bytes, manifest: Manifest | Index, digest: str, now_ms: int
) -> StoredImage:
    if tables.count_images(tx, key) >= MAX_IMAGES:
        raise LimitExceeded(f"The repository with name '{key.name}' already has {MAX_IMAGES} images")
    if isinstance(manifest, Index):
        targets = [one.digest for one in manifest.manifests]
        _require_images(tx, key, targets)
        size = sum(one.size for one in manifest.manifests)
        artifact = manifest.artifact_type
    else:
        parts = [manifest.config, *manifest.layers]
        targets = [one.digest for one in parts if not any(word in one.media_type for word in _ELSEWHERE)]
        _require_layers(tx, key, targets, now_ms)
        for target in targets:
            tables.set_layer_expiry(tx, key, target, None)
        size = manifest.size
        artifact = manifest.artifact_type or manifest.config.media_type
    stored = StoredImage(digest, content, manifest.media_type, artifact, manifest.subject, size, now_ms, 0)
    tables.insert_image(tx, key, stored.row)
    tables.insert_references(tx, key, digest, targets)
    use(tx, users(key)[1], [bare(digest)])
    return stored


def _require_layers(reader: Reader, key: Key, digests: Iterable[str], now_ms: int) -> None:
    if missing := sorted({digest for digest in digests if tables.layer(reader, key, digest, now_ms) is None}):
        raise LayersNotFound(
            f"Layers with digests '{_list(missing)}' required for pushing image into repository with name "
            f"'{key.name}' in the registry with id '{key.account}' do not exist"
        )


def _require_images(reader: Reader, key: Key, digests: Iterable[str]) -> None:
    if missing := sorted({digest for digest in digests if tables.image(reader, key, digest) is None}):
        raise ReferencedImagesNotFound(
            f"Images with digests '{_list(missing)}' required for pushing image into repository with name "
            f"'{key.name}' in the registry with id '{key.account}' do not exist"
        )


def _list(digests: Sequence[str]) -> str:
    return f"[{', '.join(digests)}]"


def bare(digest: str) -> str:
    """A digest without its algorithm."""
    return digest.partition(":")[2]


def select(reader: Reader, key: Key, image_id: Mapping[str, str]) -> StoredImage | Failure:
    """The image that an `imageId` means."""
    digest, tag = image_id.get("imageDigest", ""), image_id.get("imageTag", "")
    if not digest and not tag:
        return Failure(
            image_id, "MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null"
        )
    if digest and (":" not in digest or not digest.isascii()):
        return Failure(
            image_id,
            "InvalidImageDigest",
            "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
        )
    tagged = tables.tagged(reader, key, tag) if tag else digest
    row = tables.image(reader, key, tagged) if tagged else None
    if row is None:
        return Failure(image_id, "ImageNotFound", "Requested image not found")
    if digest and digest != tagged:
        return Failure(image_id, "ImageTagDoesNotMatchDigest", f"Tag '{tag}' does not map to digest '{digest}'")
    return StoredImage(*row)


def delete(tx: Transaction, key: Key, image_id: Mapping[str, str], now_ms: int) -> list[dict[str, str]] | Failure:
    """Delete an image by its digest, or one of its tags, and with its last tag the image; what has been deleted."""
    selected = select(tx, key, image_id)
    if isinstance(selected, Failure):
        return selected
    digest, tag = selected.digest, image_id.get("imageTag", "")
    tags = tables.tags_of(tx, key, digest)
    if tag and tags != [tag]:
        tables.delete_tag(tx, key, tag)
        return [{"imageDigest": digest, "imageTag": tag}]
    if tables.is_needed(tx, key, digest):
        parents = tables.needs(tx, key, digest)
        return Failure(
            image_id,
            "ImageReferencedByManifestList",
            f"Requested image referenced by manifest list: {_list(parents)}",
        )
    remove(tx, key, digest, now_ms)
    return [{"imageDigest": digest, "imageTag": one} for one in tags] or [{"imageDigest": digest}]


def remove(tx: Transaction, key: Key, digest: str, now_ms: int) -> None:
    """Delete an image that is there and that no index needs."""
    targets = tables.needed_by(tx, key, digest)
    tables.delete_image(tx, key, digest)
    for target in targets:
        if not tables.is_needed(tx, key, target):
            tables.set_layer_expiry(tx, key, target, now_ms + UNUSED_LAYER_MS)
    disuse(tx, users(key)[1], [bare(digest)])


def forget_expired_layers(tx: Transaction, now_ms: int, limit: int) -> int:
    """Forget layers that no image has needed for a while; how many."""
    rows = tables.expired_layers(tx, now_ms, limit)
    for account, region, name, digest in rows:
        key = Key(account, region, name)
        tables.delete_layer(tx, key, digest)
        disuse(tx, users(key)[0], [bare(digest)])
    return len(rows)


def forget_repository(tx: Transaction, key: Key) -> None:
    """Delete a repository with all that is in it."""
    tables.delete_repository(tx, key)
    for user in users(key):
        disuse(tx, user)


def describe(key: Key, image: StoredImage, tags: Sequence[str]) -> dict[str, Any]:
    """As DescribeImages shows it."""
    shown: dict[str, Any] = {
        "registryId": key.account,
        "repositoryName": key.name,
        "imageDigest": image.digest,
        "imageSizeInBytes": image.size_bytes,
        "imagePushedAt": image.pushed_ms / 1000,
        "imageManifestMediaType": image.media_type,
        "imageStatus": "ACTIVE",
    }
    if tags:
        shown["imageTags"] = list(tags)
    if image.artifact_type:
        shown["artifactMediaType"] = image.artifact_type
    if image.subject:
        shown["subjectManifestDigest"] = image.subject
    if image.pulled_ms:
        shown["lastRecordedPullTime"] = image.pulled_ms / 1000
    return shown
