"""A response that is passed on while the function still writes it.

```
sandbox --RuntimeConnection--> write() --[ at most HIGH_BYTES ]--> async for --> client
              ^                   |
              +-- pause, resume <-+    a slow client holds the function up, not the node's memory
```
https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
"""

import asyncio
from collections import deque
from typing import Final, Protocol, Self

HIGH_BYTES: Final = 256 * 1024
LOW_BYTES: Final = 64 * 1024
MAX_STREAM_BYTES: Final = 200 * 1024 * 1024
"""https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""


class Source(Protocol):
    """Where the bytes come from."""

    def pause_reading(self) -> None:
        """Send no more for now."""

    def resume_reading(self) -> None:
        """Go on."""


class ResponseStream:
    """The bytes of one response, for one reader. Lives in the event loop."""

    def __init__(self) -> None:
        self.content_type = ""
        """What the function says that it writes; empty until it has begun."""
        self.has_begun = False
        """True once the function streams: a function that answers in one piece never does."""
        self._chunks: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._total_bytes = 0
        self._source: Source | None = None
        self._is_paused = False
        self._is_ended = False
        self._is_abandoned = False
        self._changed = asyncio.Event()

    # -- the sandbox's side

    def begin(self, source: Source, content_type: str) -> None:
        """The function begins to stream."""
        self._source = source
        self.content_type = content_type
        self.has_begun = True
        self._changed.set()

    def write(self, data: bytes) -> bool:
        """Take bytes; False when there are more than a response may have."""
        self._total_bytes += len(data)
        if self._total_bytes > MAX_STREAM_BYTES:
            return False
        if self._is_abandoned:
            return True
        self._chunks.append(data)
        self._waiting_bytes += len(data)
        self._changed.set()
        if self._waiting_bytes > HIGH_BYTES and self._source is not None and not self._is_paused:
            self._is_paused = True
            self._source.pause_reading()
        return True

    def end(self) -> None:
        """There will be no more."""
        self._is_ended = True
        self._source = None
        self._changed.set()

    # -- the reader's side

    async def begun(self) -> bool:
        """Wait until the function streams, or has ended without; whether it streams."""
        while not (self.has_begun or self._is_ended):
            self._changed.clear()
            await self._changed.wait()
        return self.has_begun

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """What has come since, in one piece."""
        while not self._chunks:
            if self._is_ended:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        data = self._chunks.popleft()
        self._waiting_bytes -= len(data)
        if self._is_paused and self._waiting_bytes <= LOW_BYTES:
            self._resume()
        return data

    def abandon(self) -> None:
        """Nobody reads any more: the function runs on to its end, as on AWS, and what it writes is dropped."""
        self._is_abandoned = True
        self._chunks.clear()
        self._waiting_bytes = 0
        self._resume()

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            if self._source is not None:
                self._source.resume_reading()
