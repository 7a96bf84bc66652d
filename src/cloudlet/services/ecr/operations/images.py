"""Images: put, listed, had and deleted."""

from typing import Any

from cloudlet.compute.images.manifest import digest_of
from cloudlet.compute.images.reference import TAG
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.ecr import image, repository, tables
from cloudlet.services.ecr.errors import ImageNotFound, InvalidParameter
from cloudlet.services.ecr.image import Failure, StoredImage
from cloudlet.services.ecr.operations.base import DEFAULT_RESULTS, EcrParts, named, page_token, read_token, refuse_pages
from cloudlet.services.ecr.tables import Key
from cloudlet.store.base import Reader, Transaction

PULL_RECORD_MS = 60 * 60 * 1000
"""A pull is noted, unless one has been within this time."""
_BATCH = 100
_SCANNED = 1000
"""https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html"""


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
        key, ids = repository.key_of(context, params), [dict(one) for one in params["imageIds"]]
        _check_batch(ids)
        accepted = params.get("acceptedMediaTypes") or []
        found = await self.of_repository(key, lambda reader: [image.select(reader, key, one) for one in ids])
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
        key, ids = repository.key_of(context, params), [dict(one) for one in params["imageIds"]]
        _check_batch(ids)
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
        wanted = (params.get("filter") or {}).get("artifactTypes") or []
        rows = await self.of_repository(key, lambda reader: tables.referrers(reader, key, subject, _SCANNED))
        found = [StoredImage(*row) for row in rows]
        return {
            "referrers": [
                {
                    "digest": one.digest,
                    "mediaType": one.media_type,
                    "artifactType": one.artifact_type,
                    "size": len(one.manifest),
                }
                for one in found
                if not wanted or one.artifact_type in wanted
            ]
        }


def _check_batch(ids: list[Any]) -> None:
    if not 1 <= len(ids) <= _BATCH:
        raise InvalidParameter(
            "Invalid parameter at 'imageIds' failed to satisfy constraint: "
            f"'Member must have length less than or equal to {_BATCH}, and at least 1'"
        )


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
    details: list[dict[str, Any]] = []
    while rows := tables.images(reader, key, after, limit + 1):
        for row in rows:
            stored = StoredImage(*row)
            tags = tables.tags_of(reader, key, stored.digest)
            if wanted == "ANY" or bool(tags) == (wanted == "TAGGED"):
                if len(details) == limit:
                    return details, after
                details.append(image.describe(key, stored, tags))
            after = stored.digest
    return details, ""
