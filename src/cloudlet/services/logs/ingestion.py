"""Taking log events in: what PutLogEvents accepts, and how a batch becomes rows."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cloudlet.ids import Ids
from cloudlet.services.log_entries import LogEntry
from cloudlet.services.logs import tables
from cloudlet.services.logs.chunks import (
    EVENT_OVERHEAD_BYTES,
    MAXIMUM_EVENT_BYTES,
    Chunk,
    InputEvent,
    encode_chunks,
)
from cloudlet.services.logs.errors import InvalidParameter
from cloudlet.services.logs.tables import NEVER, Group, Place, Stream
from cloudlet.store.base import Transaction

MAXIMUM_BATCH_BYTES = 1_048_576
"""All events of a request, with their overhead; this and the next three:
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html"""
MAXIMUM_SPAN_MS = 24 * 3_600_000
OLDEST_MS = 14 * 24 * 3_600_000
NEWEST_MS = 2 * 3_600_000
DAY_MS = 24 * 3_600_000

LAST_SPLIT_BYTES = MAXIMUM_EVENT_BYTES - EVENT_OVERHEAD_BYTES


class Batch(NamedTuple):
    """Events that can be stored: never none, oldest first."""

    chunks: Sequence[Chunk]
    first_ms: int
    last_ms: int


class Admission(NamedTuple):
    """What a request's events come to."""

    batch: Batch | None
    """None when no event was accepted."""
    rejected: Mapping[str, int]
    """The members of `rejectedLogEventsInfo`."""


def check_batch(events: Sequence[Mapping[str, Any]]) -> None:
    """Raise InvalidParameter for a batch that is too large or out of order."""
    total_bytes, previous_ms = 0, 0
    for event in events:
        event_bytes = len(event["message"].encode()) + EVENT_OVERHEAD_BYTES
        if event_bytes > MAXIMUM_EVENT_BYTES:
            raise InvalidParameter(f"Log event too large: {event_bytes} bytes exceeds limit of {MAXIMUM_EVENT_BYTES}")
        if event["timestamp"] < previous_ms:
            raise InvalidParameter("Log events in a single PutLogEvents request must be in chronological order.")
        total_bytes += event_bytes
        previous_ms = event["timestamp"]
    if total_bytes > MAXIMUM_BATCH_BYTES:
        raise InvalidParameter(f"Upload too large: {total_bytes} bytes exceeds limit of {MAXIMUM_BATCH_BYTES}")


def admit(events: Sequence[Mapping[str, Any]], now_ms: int, retention_days: int | None) -> Admission:
    """Leave out the events that are too old, expired or too new. Raises InvalidParameter when the rest span too long.

    Old and expired events come first, so an index says all about them: it is that of the first event that is kept.
    """
    oldest_ms = now_ms - OLDEST_MS
    kept_from_ms = oldest_ms if retention_days is None else max(oldest_ms, now_ms - retention_days * DAY_MS)
    too_old = sum(event["timestamp"] < oldest_ms for event in events)
    expired = sum(event["timestamp"] < kept_from_ms for event in events)
    end = sum(event["timestamp"] <= now_ms + NEWEST_MS for event in events)
    rejected: dict[str, int] = {}
    if end < len(events):
        rejected["tooNewLogEventStartIndex"] = end
    if too_old:
        rejected["tooOldLogEventEndIndex"] = too_old
    if expired > too_old:
        rejected["expiredLogEventEndIndex"] = expired
    accepted = [(event["timestamp"], event["message"]) for event in events[expired:end]]
    if accepted and accepted[-1][0] - accepted[0][0] > MAXIMUM_SPAN_MS:
        raise InvalidParameter(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
        )
    return Admission(_batch(accepted) if accepted else None, rejected)


def _batch(events: Sequence[InputEvent]) -> Batch:
    return Batch(encode_chunks(events), events[0][0], events[-1][0])


def batch_of_platform(events: Sequence[InputEvent]) -> Batch | None:
    """A batch of what the platform itself logs: sorted, without empty messages, long messages in pieces."""
    pieces = [
        (timestamp_ms, piece) for timestamp_ms, message in events for piece in _pieces(message) if timestamp_ms >= 0
    ]
    pieces.sort(key=lambda event: event[0])
    return _batch(pieces) if pieces else None


def _pieces(message: str) -> list[str]:
    if len(message) * 4 <= LAST_SPLIT_BYTES:
        return [message.encode(errors="replace").decode()] if message else []
    data = message.encode(errors="replace")
    pieces: list[str] = []
    while data:
        end = min(LAST_SPLIT_BYTES, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(data[:end].decode())
        data = data[end:]
    return pieces


def new_group(ids: Ids, name: str, now_ms: int, log_class: str = "STANDARD", is_protected: bool = False) -> Group:
    """A group that is not stored yet."""
    return Group(name, new_id(ids), now_ms, None, log_class, int(is_protected))


def new_stream(ids: Ids, name: str, now_ms: int) -> Stream:
    """A stream that is not stored yet."""
    return Stream(name, new_id(ids), now_ms, NEVER, NEVER, NEVER, 0, 0)


def new_id(ids: Ids) -> int:
    """A random number that fits a BIGINT."""
    return int.from_bytes(ids.bytes(8), "big") >> 1


def store_batch(tx: Transaction, place: Place, group: Group, stream: Stream, batch: Batch, now_ms: int) -> int:
    """Add a batch to a stream; the stream's sequence after it."""
    return tables.add_chunks(tx, place, group.id, stream, now_ms, batch.chunks, batch.first_ms, batch.last_ms)


def append_entry(tx: Transaction, ids: Ids, entry: LogEntry, batch: Batch, now_ms: int) -> str:
    """Add a batch, and the group and the stream where they are missing; the action that there is no right to, if any.

    What there is a right to is done up to there, as by a client that calls one operation after the other.
    """
    place, rights = Place(entry.account, entry.region), entry.rights
    group = tables.find_group(tx, place, entry.group)
    if group is None:
        if not rights.create_group:
            return "logs:CreateLogGroup"
        group = new_group(ids, entry.group, now_ms)
        tables.add_group(tx, place, group)
    stream = tables.find_stream(tx, place, group.id, entry.stream)
    if stream is None:
        if not rights.create_stream:
            return "logs:CreateLogStream"
        stream = new_stream(ids, entry.stream, now_ms)
        tables.add_stream(tx, place, group.id, stream)
    if not rights.put_events:
        return "logs:PutLogEvents"
    store_batch(tx, place, group, stream, batch, now_ms)
    return ""
