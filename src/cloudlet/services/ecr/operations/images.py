"""Images: put, listed, had and deleted."""

from typing import Any

import orjson

from cloudlet.compute.images.manifest import digest_of
from cloudlet.compute.images.reference import TAG
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.ecr import image, repository, tables
from cloudlet.services.ecr.errors import ImageNotFound, InvalidParameter, LimitExceeded
from cloudlet.services.ecr.image import Failure, StoredImage
from cloudlet.services.ecr.operations.base import DEFAULT_RESULTS, EcrParts, named, page_token, read_token, refuse_pages
from cloudlet.services.ecr.tables import Key
from cloudlet.store.base import Reader, Transaction

PULL_RECORD_MS = 60 * 60 * 1000
"""A pull is noted, unless one has been within this time."""
_BATCH = 100
"""https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html"""
MAX_MANIFESTS_BYTES = 32 * 1024 * 1024
"""Of one answer: a hundred of the largest manifests would be four hundred megabytes."""
MAX_ANNOTATIONS_BYTES = 1024 * 1024
"""A page of referrers ends when the manifests that its annotations come from are of this size together."""
_REFERRERS = 50


class ImageOperations(EcrParts):
    """PutImage and what follows."""

    @operation("PutImage")
    async def put_image(self, context: RequestContext, params: dict[str, Any]) -> Result:
        key = repository.key_of(context, params)
        content = params["imageManifest"].encode()
        manifest = image.parsed(content, params.get("imageManifestMediaType") or "")
        tag, digest, now = params.get("imageTag") or "", params.get("imageDigest") or "", self.now_ms
        if tag and not TAG.fullmatch(tag):
            raise InvalidParameter(
                "Invalid parameter at 'imageTag' failed to satisfy constraint: "
                f"'must satisfy regular expression '{TAG.pattern}''"
            )
        await self.store.read(lambda reader: repository.find(reader, key))
        async with self.parts.hold([image.bare(digest_of(content))]):
            await self.parts.blobs.put(content)
            stored = await self.store.transact(lambda tx: image.put(tx, key, content, manifest, tag, digest, now))
        return {"image": _shown(key, stored, tag)}

    @operation("BatchGetImage")
    async def batch_get_image(self, context: RequestContext, params: dict[str, Any]) -> Result:
        key, ids = repository.key_of(context, params), _distinct(params["imageIds"])
        accepted = params.get("acceptedMediaTypes") or []
        found = await self.of_repository(key, lambda reader: _selected(reader, key, ids))
        had: list[dict[str, Any]] = []
        failures: list[dict[str, Any]] = []
        for asked, one in zip(ids, found, strict=True):
            if isinstance(one, Failure):
                failures.append(one.shown())
            elif accepted and one.media_type not in accepted and "*/*" not in accepted:
                reason = f"The image is of the media type {one.media_type}, which is not accepted"
                failures.append(Failure(asked, "ImageNotFound", reason).shown())
            else:
                had.append(_shown(key, one, str(asked.get("imageTag") or "")))
        await self._note_pulls(key, [one for one in found if isinstance(one, StoredImage)])
        return {"images": had, "failures": failures}

    async def _note_pulls(self, key: Key, images: list[StoredImage]) -> None:
        now = self.now_ms
        due = [one.digest for one in images if one.pulled_ms < now - PULL_RECORD_MS]
        if not due:
            return

        def note(tx: Transaction) -> None:
            for digest in due:
                tables.set_pulled(tx, key, digest, now)

        await self.store.transact(note)

    @operation("BatchDeleteImage")
    async def batch_delete_image(self, context: RequestContext, params: dict[str, Any]) -> Result:
        key, ids = repository.key_of(context, params), _distinct(params["imageIds"])
        now = self.now_ms

        def delete(tx: Transaction) -> list[list[dict[str, str]] | Failure]:
            repository.find(tx, key)
            return [image.delete(tx, key, one, now) for one in ids]

        done = await self.store.transact(delete)
        return {
            "imageIds": [each for one in done if not isinstance(one, Failure) for each in one],
            "failures": [one.shown() for one in done if isinstance(one, Failure)],
        }

    @operation("DescribeImages")
    async def describe_images(self, context: RequestContext, params: dict[str, Any]) -> Result:
        key = repository.key_of(context, params)
        if ids := params.get("imageIds"):
            refuse_pages(params, "imageIds")
            return {"imageDetails": await self.of_repository(key, lambda reader: _named(reader, key, ids))}
        wanted = (params.get("filter") or {}).get("tagStatus") or "ANY"
        if (params.get("filter") or {}).get("imageStatus") not in (None, "ANY", "ACTIVE"):
            return {"imageDetails": []}
        limit, after = params.get("maxResults") or DEFAULT_RESULTS, read_token(params)
        details, last = await self.of_repository(key, lambda reader: _details(reader, key, wanted, after, limit))
        return {"imageDetails": details, **({"nextToken": page_token(last)} if last else {})}

    @operation("ListImages")
    async def list_images(self, context: RequestContext, params: dict[str, Any]) -> Result:
        key = repository.key_of(context, params)
        wanted = (params.get("filter") or {}).get("tagStatus") or "ANY"
        if (params.get("filter") or {}).get("imageStatus") not in (None, "ANY", "ACTIVE"):
            return {"imageIds": []}
        limit, after = params.get("maxResults") or DEFAULT_RESULTS, read_token(params)
        ids = await self.of_repository(key, lambda reader: _image_ids(reader, key, wanted, after, limit + 1))
        if len(ids) <= limit:
            return {"imageIds": ids}
        last = ids[limit - 1]
        token = page_token(f"{last['imageDigest']} {last.get('imageTag', '')}")
        return {"imageIds": ids[:limit], "nextToken": token}

    @operation("ListImageReferrers")
    async def list_image_referrers(self, context: RequestContext, params: dict[str, Any]) -> Result:
        key, subject = repository.key_of(context, params), params["subjectId"]["imageDigest"]
        chosen = params.get("filter") or {}
        wanted = chosen.get("artifactTypes") or []
        if chosen.get("artifactStatus") not in (None, "ANY", "ACTIVE"):
            return {"referrers": []}
        limit, after = params.get("maxResults") or _REFERRERS, read_token(params)
        found, last = await self.of_repository(
            key, lambda reader: _referrers(reader, key, subject, wanted, after, limit)
        )
        return {"referrers": found, **({"nextToken": page_token(last)} if last else {})}


def _referrers(
    reader: Reader, key: Key, subject: str, wanted: list[str], after: str, limit: int
) -> tuple[list[dict[str, Any]], str]:
    """A page of referrers, and the digest that it ends with when there are more."""
    found: list[dict[str, Any]] = []
    size = 0
    while rows := tables.referrers(reader, key, subject, after, _REFERRERS):
        for digest, artifact_type in rows:
            if not wanted or artifact_type in wanted:
                if len(found) == limit or size > MAX_ANNOTATIONS_BYTES:
                    return found, after
                row = tables.image(reader, key, digest)
                assert row is not None, "in the same read"
                stored = StoredImage(*row)
                size += len(stored.manifest)
                found.append(_referrer(stored))
            after = digest
    return found, ""


def _referrer(stored: StoredImage) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "digest": stored.digest,
        "mediaType": stored.media_type,
        "artifactType": stored.artifact_type,
        "size": len(stored.manifest),
        "artifactStatus": "ACTIVE",
    }
    annotations = orjson.loads(stored.manifest).get("annotations")
    if isinstance(annotations, dict):
        shown["annotations"] = {name: value for name, value in annotations.items() if isinstance(value, str)}
    return shown


def _selected(reader: Reader, key: Key, ids: list[dict[str, str]]) -> list[StoredImage | Failure]:
    found, left = [], MAX_MANIFESTS_BYTES
    for one in ids:
        selected = image.select(reader, key, one)
        found.append(selected)
        left -= len(selected.manifest) if isinstance(selected, StoredImage) else 0
        if left < 0:
            raise LimitExceeded(
                f"The manifests of these images have more than {MAX_MANIFESTS_BYTES} bytes together; ask for fewer"
            )
    return found


def _distinct(ids: list[Any]) -> list[dict[str, str]]:
    """The ids of a batch, each once. Raises InvalidParameter."""
    if not 1 <= len(ids) <= _BATCH:
        raise InvalidParameter(
            "Invalid parameter at 'imageIds' failed to satisfy constraint: "
            f"'Member must have length less than or equal to {_BATCH}, and at least 1'"
        )
    return [dict(one) for one in {tuple(sorted(each.items())): each for each in ids}.values()]


def _shown(key: Key, stored: StoredImage, tag: str) -> dict[str, Any]:
    return {
        **named(key),
        "imageId": {"imageDigest": stored.digest, **({"imageTag": tag} if tag else {})},
        "imageManifest": stored.manifest.decode(),
        "imageManifestMediaType": stored.media_type,
    }


def _named(reader: Reader, key: Key, ids: list[dict[str, str]]) -> list[dict[str, Any]]:
    found = []
    for one in ids:
        selected = image.select(reader, key, one)
        if isinstance(selected, Failure):
            digest, tag = (
                f"'{one[member]}'" if one.get(member) else "'null'" for member in ("imageDigest", "imageTag")
            )
            raise ImageNotFound(
                f"The image with imageId {{imageDigest:{digest}, imageTag:{tag}}} does not exist within the "
                f"repository with name '{key.name}' in the registry with id '{key.account}'"
            )
        found.append(image.describe(key, selected, tables.tags_of(reader, key, selected.digest)))
    return found


def _image_ids(reader: Reader, key: Key, wanted: str, after: str, limit: int) -> list[dict[str, str]]:
    """Digests with their tags, each tag for itself, after `<digest> <tag>`."""
    digest, _, last_tag = after.partition(" ")
    ids = [{"imageDigest": digest, "imageTag": tag} for tag in tables.tags_of(reader, key, digest) if tag > last_tag]
    if not last_tag or wanted == "UNTAGGED":
        ids = []  # what has no tag has been there as a whole
    details, _ = _details(reader, key, wanted, digest, limit)
    for one in details:
        named = {"imageDigest": one["imageDigest"]}
        ids += [{**named, "imageTag": tag} for tag in one.get("imageTags") or []] or [named]
    return ids[:limit]


def _details(reader: Reader, key: Key, wanted: str, after: str, limit: int) -> tuple[list[dict[str, Any]], str]:
    """A page of images, and the digest that it ends with when there are more."""
    rows = tables.images(reader, key, after, limit + 1, wanted)
    page = [StoredImage.from_summary(row) for row in rows[:limit]]
    tags: dict[str, list[str]] = {}
    for digest, tag in tables.tags_between(reader, key, page[0].digest, page[-1].digest) if page else ():
        tags.setdefault(digest, []).append(tag)
    details = [image.describe(key, stored, tags.get(stored.digest, ())) for stored in page]
    return details, page[-1].digest if len(rows) > limit else ""
