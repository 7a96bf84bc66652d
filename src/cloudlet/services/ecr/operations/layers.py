"""Layers: sent in parts, asked for, and downloaded."""

from typing import Any

from cloudlet.compute.images.reference import DIGEST
from cloudlet.compute.images.store import use
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.ecr import image, repository, tables
from cloudlet.services.ecr.errors import (
    EmptyUpload,
    InvalidLayer,
    InvalidLayerPart,
    InvalidParameter,
    LayerAlreadyExists,
    LayersNotFound,
)
from cloudlet.services.ecr.operations.base import EcrParts, named
from cloudlet.services.ecr.tables import Key
from cloudlet.services.ecr.uploads import Upload
from cloudlet.store.base import Reader, Row, Transaction

PART_BYTES = 10 * 1024 * 1024
"""How large a part of a layer should be."""
_BATCH = 100
_ANY_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class LayerOperations(EcrParts):
    """InitiateLayerUpload and what follows."""

    @operation("BatchCheckLayerAvailability")
    async def batch_check_layer_availability(self, context: RequestContext, params: dict[str, Any]) -> Result:
        key, digests = repository.key_of(context, params), list(params["layerDigests"])
        if not 1 <= len(digests) <= _BATCH:
            raise InvalidParameter(
                "Invalid parameter at 'layerDigests' failed to satisfy constraint: "
                f"'Member must have length less than or equal to {_BATCH}, and at least 1'"
            )

        now = self.now_ms

        def read(reader: Reader) -> list[Row | None]:
            return [tables.layer(reader, key, digest, now) for digest in digests]

        rows = await self.of_repository(key, read)
        layers: list[dict[str, Any]] = []
        failures: list[dict[str, Any]] = []
        for digest, row in zip(digests, rows, strict=True):
            if not DIGEST.fullmatch(digest):
                reason = "Invalid layer digest: it should satisfy the regex 'sha256:[a-f0-9]{64}'"
                failures.append({"layerDigest": digest, "failureCode": "InvalidLayerDigest", "failureReason": reason})
            elif row is None:
                layers.append({"layerDigest": digest, "layerAvailability": "UNAVAILABLE"})
            else:
                available = {"layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": row[0]}
                layers.append({**available, "mediaType": _ANY_TYPE})
        await self._extend(key, [(one, row[1]) for one, row in zip(digests, rows, strict=True) if row is not None])
        return {"layers": layers, "failures": failures}

    async def _extend(self, key: Key, layers: list[tuple[str, int | None]]) -> None:
        """Who has asked for a layer counts on it for a while."""
        now = self.now_ms
        due = [
            digest for digest, expires in layers if expires is not None and expires < now + image.UNUSED_LAYER_MS // 2
        ]
        if not due:
            return

        def extend(tx: Transaction) -> None:
            for digest in due:
                row = tables.layer(tx, key, digest, now)
                if row is not None and row[1] is not None:
                    tables.set_layer_expiry(tx, key, digest, now + image.UNUSED_LAYER_MS)

        await self.store.transact(extend)

    @operation("InitiateLayerUpload")
    async def initiate_layer_upload(self, context: RequestContext, params: dict[str, Any]) -> Result:
        key = repository.key_of(context, params)
        await self.store.read(lambda reader: repository.find(reader, key))
        upload = await self.uploads.begin(key)
        return {"uploadId": upload.upload_id, "partSize": PART_BYTES}

    @operation("UploadLayerPart")
    async def upload_layer_part(self, context: RequestContext, params: dict[str, Any]) -> Result:
        key = repository.key_of(context, params)
        first, last, content = params["partFirstByte"], params["partLastByte"], params["layerPartBlob"]
        assert isinstance(content, bytes), "the wire gives bytes"
        upload = self.uploads.find(key, params["uploadId"])
        async with upload.lock:
            upload = self.uploads.find(key, params["uploadId"])
            if last - first + 1 != len(content):
                raise InvalidLayerPart(
                    f"The part has {len(content)} bytes, and not {last - first + 1}, as its first and last byte say",
                    **named(key),
                    uploadId=upload.upload_id,
                    lastValidByteReceived=max(upload.incoming.size - 1, 0),
                )
            await upload.write(first, content)
            return {**named(key), "uploadId": upload.upload_id, "lastByteReceived": upload.incoming.size - 1}

    @operation("CompleteLayerUpload")
    async def complete_layer_upload(self, context: RequestContext, params: dict[str, Any]) -> Result:
        key, digests = repository.key_of(context, params), list(params["layerDigests"])
        if len(digests) != 1 or not DIGEST.fullmatch(digests[0]):
            raise InvalidParameter(
                "Invalid parameter at 'layerDigests' failed to satisfy constraint: "
                "'one digest that satisfies the regex 'sha256:[a-f0-9]{64}''"
            )
        upload = self.uploads.find(key, params["uploadId"])
        async with upload.lock:
            upload = self.uploads.find(key, params["uploadId"])
            if not upload.incoming.size:
                raise EmptyUpload(f"The upload with id '{upload.upload_id}' has no parts")
            try:
                await self._complete(key, upload, digests[0])
            finally:
                self.uploads.end(upload)
        return {**named(key), "uploadId": upload.upload_id, "layerDigest": digests[0]}

    async def _complete(self, key: Key, upload: Upload, digest: str) -> None:
        now = self.now_ms
        if digest != f"sha256:{upload.incoming.digest}":
            raise InvalidLayer(
                "The layer digest calculation performed by Amazon ECR upon receipt of the image layer does not "
                f"match the digest specified: it is sha256:{upload.incoming.digest}"
            )
        if await self.of_repository(key, lambda reader: tables.layer(reader, key, digest, now)) is not None:
            raise LayerAlreadyExists(
                f"Layer with digest '{digest}' already exists in the repository with name '{key.name}' in the "
                f"registry with id '{key.account}'"
            )
        size, bare = upload.incoming.size, image.bare(digest)
        async with self.parts.hold([bare]):
            await upload.incoming.keep(bare)
            await self.link_layer(key, digest, size)

    async def link_layer(self, key: Key, digest: str, size: int) -> None:
        """Let a repository have a layer that is kept, and held by the caller."""
        expires = self.now_ms + image.UNUSED_LAYER_MS

        def link(tx: Transaction) -> None:
            repository.find(tx, key)
            tables.put_layer(tx, key, digest, size, expires)
            use(tx, image.users(key)[0], [image.bare(digest)])

        await self.store.transact(link)

    @operation("GetDownloadUrlForLayer")
    async def get_download_url_for_layer(self, context: RequestContext, params: dict[str, Any]) -> Result:
        key, digest, now = repository.key_of(context, params), params["layerDigest"], self.now_ms
        if await self.of_repository(key, lambda reader: tables.layer(reader, key, digest, now)) is None:
            raise LayersNotFound(
                f"Layers with digests '[{digest}]' do not exist in the repository with name '{key.name}' in the "
                f"registry with id '{key.account}'"
            )
        return {"downloadUrl": self.download_url(context, digest), "layerDigest": digest}

    def download_url(self, context: RequestContext, digest: str) -> str:
        """A link that gives the layer without credentials."""
        raise NotImplementedError
