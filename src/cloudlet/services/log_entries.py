"""What parts of the platform log for a customer, on its way to CloudWatch Logs."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple


class LogRights(NamedTuple):
    """What whoever the lines are stored for may do in CloudWatch Logs."""

    create_group: bool = True
    """Asked only where there is no such log group; the same for the stream."""
    create_stream: bool = True
    put_events: bool = True


class LogEntry(NamedTuple):
    """Lines for one log stream."""

    account: str
    region: str
    group: str
    stream: str
    events: Sequence[tuple[int, str]]
    """Timestamps in ms, in any order, and messages."""
    rights: LogRights = LogRights()


Append = Callable[[Sequence[LogEntry]], Awaitable[Sequence[str]]]
"""Stores all or nothing, making groups and streams that are missing: `LogsService.append`. Answers for each entry the
action that it would have needed and had no right to; empty where it was stored. Raises StoreError."""
