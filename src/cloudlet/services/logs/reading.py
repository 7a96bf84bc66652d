"""Reading events in the order of their positions, forward or backward, a page at a time.

A page's events come second by second: all chunks of a second are read before its first event is given, because they
may overlap, and nothing beyond the second is needed to sort it. No page looks at more than MAXIMUM_SCANNED events,
whatever its filter, and after each EVENTS_PER_TURN the event loop goes on.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

from cloudlet.services.logs import tables
from cloudlet.services.logs.chunks import TIMESTAMP_SHIFT, Event, StoredChunk, decode_chunk
from cloudlet.services.logs.tables import ChunkKey, Selection
from cloudlet.store.base import Reader, Store

MAXIMUM_PAGE_BYTES = 1_048_576
"""Events in an answer, and the next: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html"""
MAXIMUM_PAGE_EVENTS = 10_000
MAXIMUM_SCANNED = 50_000
EVENTS_PER_TURN = 1_000
CHUNKS_PER_QUERY = 64


class Span(NamedTuple):
    """Positions from `low` on and before `high`."""

    low: int
    high: int

    @property
    def is_empty(self) -> bool:
        """True when no position is in it."""
        return self.low >= self.high


class Page(NamedTuple):
    """Events in the order asked for."""

    events: Sequence[Event]
    position: int | None
    """The last one that was looked at, when there may be more beyond it; None at the end."""


async def read_page(
    store: Store, of: Selection, span: Span, forward: bool, limit: int, matches: Callable[[str], bool] | None = None
) -> Page:
    """Up to `limit` events of `span` that match."""
    found: list[Event] = []
    size_bytes = scanned = 0
    if span.is_empty:
        return Page(found, None)
    async for events in _seconds(store, of, span, forward):
        for event in events:
            is_match = matches is None or matches(event.message)
            size_bytes += event.size_bytes if is_match else 0
            if found and is_match and size_bytes > MAXIMUM_PAGE_BYTES:
                return Page(found, found[-1].position)
            if is_match:
                found.append(event)
            scanned += 1
            if len(found) == limit or scanned == MAXIMUM_SCANNED:
                return Page(found, event.position)
            if matches is not None and scanned % EVENTS_PER_TURN == 0:
                await asyncio.sleep(0)
    return Page(found, None)


async def _seconds(store: Store, of: Selection, span: Span, forward: bool) -> AsyncIterator[list[Event]]:
    """The events of `span`, each second's together and sorted."""
    pending: list[StoredChunk] = []
    async for chunk in _chunks(store, of, span, forward):
        if pending and pending[0].second != chunk.second:
            yield _sorted_events(pending, span, forward)
            pending = []
        pending.append(chunk)
    if pending:
        yield _sorted_events(pending, span, forward)


def _sorted_events(chunks: Sequence[StoredChunk], span: Span, forward: bool) -> list[Event]:
    events = [event for chunk in chunks for event in decode_chunk(chunk, span.low, span.high)]
    events.sort(key=lambda event: event.position, reverse=not forward)
    return events


async def _chunks(store: Store, of: Selection, span: Span, forward: bool) -> AsyncIterator[StoredChunk]:
    first_second = (span.low >> TIMESTAMP_SHIFT) // 1000
    last_second = (span.high - 1 >> TIMESTAMP_SHIFT) // 1000
    beyond: ChunkKey | None = None

    def query(reader: Reader) -> list[StoredChunk]:
        return tables.list_chunks(reader, of, first_second, last_second, beyond, forward, CHUNKS_PER_QUERY)

    while True:
        rows = await store.read(query)
        for row in rows:
            yield row
        if len(rows) < CHUNKS_PER_QUERY:
            return
        beyond = (rows[-1].second, rows[-1].stream_id, rows[-1].sequence)
