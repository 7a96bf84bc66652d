"""Layers that are being sent. They live in this node's memory and in files of its own: a restart leaves nothing of
them, and their clients begin anew, as they do when AWS has forgotten an upload.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from cloudlet.clock import Clock
from cloudlet.compute.images.store import Incoming
from cloudlet.ids import Ids
from cloudlet.services.ecr.errors import InvalidLayerPart, LimitExceeded, UploadNotFound
from cloudlet.services.ecr.tables import Key
from cloudlet.store.blobs import LargeBlobs

MAX_UPLOADS = 1000
IDLE_S = 60 * 60.0
"""An upload that nothing comes for is forgotten after this time."""
MAX_LAYER_BYTES = 52_000 * 1000 * 1000
"""https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html"""


@dataclass(slots=True)
class Upload:
    """One layer that is being sent."""

    upload_id: str
    key: Key
    incoming: Incoming
    last_used: float
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    is_over: bool = False

    async def write(self, first_byte: int, content: bytes) -> None:
        """Append what begins at `first_byte`. Raises InvalidLayerPart, LimitExceeded, UploadNotFound, StoreError."""
        if first_byte != self.incoming.size:
            expected = self.incoming.size
            raise InvalidLayerPart(
                f"The part begins at byte {first_byte}, and not at {expected}, which follows what has been received",
                registryId=self.key.account,
                repositoryName=self.key.name,
                uploadId=self.upload_id,
                lastValidByteReceived=max(expected - 1, 0),
            )
        if self.incoming.size + len(content) > MAX_LAYER_BYTES:
            raise LimitExceeded(f"The maximum size of a layer is {MAX_LAYER_BYTES} bytes")
        try:
            await asyncio.to_thread(self.incoming.write, content)
        except ValueError:  # whoever sends it has ended it beside this
            raise no_upload(self.key, self.upload_id) from None


class Uploads:
    """The uploads of this node."""

    def __init__(self, blobs: LargeBlobs, clock: Clock, ids: Ids) -> None:
        self._blobs = blobs
        self._clock = clock
        self._ids = ids
        self._uploads: dict[str, Upload] = {}
        self.gathered_bytes = 0
        """What has come by the distribution protocol, and is not written yet."""

    async def begin(self, key: Key) -> Upload:
        """A new upload. Raises LimitExceeded, StoreError."""
        self.sweep()
        if len(self._uploads) >= MAX_UPLOADS:
            self._make_room(key.account)
        incoming = await Incoming.begin(self._blobs)
        upload = Upload(self._ids.uuid(), key, incoming, self._clock.monotonic())
        self._uploads[upload.upload_id] = upload
        return upload

    def _make_room(self, account: str) -> None:
        """Who has most uploads gives one up: nobody can keep others from theirs. Raises LimitExceeded."""
        counts = Counter(one.key.account for one in self._uploads.values())
        most, _ = max(counts.items(), key=lambda item: (item[1], item[0] == account))
        idle = [one for one in self._uploads.values() if one.key.account == most and not one.lock.locked()]
        if most == account or not idle:
            raise LimitExceeded(f"There are {MAX_UPLOADS} uploads under way already")
        self.end(min(idle, key=lambda one: one.last_used))

    def forget(self, upload_id: str) -> None:
        """End an upload that is to be continued by nobody, if it is there still."""
        upload = self._uploads.get(upload_id)
        if upload is not None:
            self.end(upload)

    def find(self, key: Key, upload_id: str) -> Upload:
        """The upload of this id. Raises UploadNotFound."""
        upload = self._uploads.get(upload_id)
        if upload is None or upload.key != key or upload.is_over:
            raise no_upload(key, upload_id)
        upload.last_used = self._clock.monotonic()
        return upload

    def end(self, upload: Upload) -> None:
        """Forget an upload; what is not kept is gone."""
        upload.is_over = True
        self._uploads.pop(upload.upload_id, None)
        upload.incoming.close()

    def sweep(self) -> None:
        """Forget the uploads that nothing has come for in a while."""
        before = self._clock.monotonic() - IDLE_S
        for upload in [one for one in self._uploads.values() if one.last_used < before and not one.lock.locked()]:
            self.end(upload)

    def close(self) -> None:
        """Forget all."""
        for upload in list(self._uploads.values()):
            self.end(upload)


def no_upload(key: Key, upload_id: str) -> UploadNotFound:
    """The error for an upload that is not there, or no more."""
    return UploadNotFound(
        f"The upload with id '{upload_id}' does not exist in the repository with name '{key.name}' in the "
        f"registry with id '{key.account}'"
    )
