"""The events that one subscriber has not been sent yet: bounded, and what is lost is counted.

While one batch is on its way, the next is gathered, so there are never more than twice `maxBytes`, as AWS says.
"""

import asyncio

from cloudlet.compute.telemetry_api import Buffering


class TelemetryBuffer:
    """Gathers encoded events until there are enough of them, or they have waited long enough."""

    def __init__(self, limits: Buffering) -> None:
        self._limits = limits
        self._events: list[bytes] = []
        self._bytes = 0
        self._first = 0.0
        """When the oldest came, on the loop's clock."""
        self._is_urgent = False
        self._changed = asyncio.Event()
        self.dropped_records = 0
        self.dropped_bytes = 0

    def add(self, event: bytes) -> None:
        """Keep an event, or count it as dropped when there is no more room."""
        if self._is_full():
            self.dropped_records += 1
            self.dropped_bytes += len(event)
            return
        if not self._events:
            self._first = asyncio.get_running_loop().time()
            self._changed.set()
        self._events.append(event)
        self._bytes += len(event)
        if self._is_full():
            self._changed.set()

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to send."""
        return not self._events

    def _is_full(self) -> bool:
        return len(self._events) >= self._limits.max_items or self._bytes >= self._limits.max_bytes

    def flush(self) -> None:
        """Let what there is be sent now."""
        self._is_urgent = True
        self._changed.set()

    def take_dropped(self) -> tuple[int, int]:
        """How many events were dropped since this was last asked, and their bytes."""
        dropped = self.dropped_records, self.dropped_bytes
        self.dropped_records = self.dropped_bytes = 0
        return dropped

    async def batch(self) -> list[bytes]:
        """The next batch, once it is due."""
        while not self._is_due():
            self._changed.clear()
            try:
                async with asyncio.timeout(self._left_s()):
                    await self._changed.wait()
            except TimeoutError:
                continue
        events, self._events, self._bytes, self._is_urgent = self._events, [], 0, False
        return events

    def _is_due(self) -> bool:
        if not self._events:
            self._is_urgent = False
            return False
        return self._is_urgent or self._is_full() or self._left_s() == 0.0

    def _left_s(self) -> float | None:
        if not self._events:
            return None
        passed = asyncio.get_running_loop().time() - self._first
        return max(0.0, self._limits.timeout_ms / 1000 - passed)
