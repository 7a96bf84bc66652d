"""Large immutable bytes by their SHA-256: code packages, layers, the parts of images."""

from pathlib import Path
from typing import Protocol


class Blobs(Protocol):
    """Content-addressed bytes that outlive the process. The same bytes are kept once."""

    async def put(self, content: bytes) -> str:
        """Keep `content` durably; its SHA-256 as 64 hexadecimal digits. Raises StoreFull."""

    async def get(self, digest: str) -> bytes:
        """The bytes. Raises KeyError when there are none of this digest."""

    async def path(self, digest: str) -> Path:
        """A local file with the bytes, not to be changed. Raises KeyError."""

    async def delete(self, digest: str) -> None:
        """Forget the bytes; nothing happens when there are none."""

    async def reset(self) -> None:
        """Forget all."""


class LargeBlobs(Blobs, Protocol):
    """Blobs that may be larger than memory."""

    def scratch(self) -> tuple[int, Path]:
        """A new file for `adopt`: open for reading and writing, and its path. A crash leaves nothing of it. Takes a
        moment of a disk. Raises StoreFull, StoreUnavailable."""

    async def adopt(self, path: Path, digest: str) -> None:
        """Keep a file of `scratch`, which has this SHA-256, durably, without reading it into memory; `path` is gone
        afterwards. Raises StoreFull, StoreUnavailable."""
