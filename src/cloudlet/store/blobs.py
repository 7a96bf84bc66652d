"""Large immutable bytes by their SHA-256: code packages now, layers and images later."""

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
