"""Where a reader of a stream stands: GetLogEvents' tokens, `f/<position>/s` and `b/<position>/s`.

A token is beyond a position: forward means the events after it, backward those before. So both tokens of an answer go
on being right while events come in, and at an end the same token is given again, which is how clients know it.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from cloudlet.services.logs.chunks import Event, format_position, position_at
from cloudlet.services.logs.errors import invalid_token
from cloudlet.services.logs.ingestion import DAY_MS
from cloudlet.services.logs.reading import Span

END_MS = (1 << 63) - 1
"""After every event."""

_TOKEN = re.compile(r"([fb])/([0-9]{56,64})/s")


class Cursor(NamedTuple):
    """A direction, and the position beyond which it goes."""

    forward: bool
    position: int

    @classmethod
    def parse(cls, token: str) -> "Cursor":
        """The cursor that was given as `token`. Raises InvalidParameter."""
        found = _TOKEN.fullmatch(token)
        if found is None:
            raise invalid_token()
        return cls(found[1] == "f", int(found[2]))

    def __str__(self) -> str:
        return f"{'f' if self.forward else 'b'}/{format_position(self.position)}/s"

    def narrow(self, span: Span) -> Span:
        """What of `span` is still ahead."""
        if self.forward:
            return Span(max(span.low, self.position + 1), span.high)
        return Span(span.low, min(span.high, self.position))


def span_of(start_ms: int, end_ms: int, retention_days: int | None, now_ms: int) -> Span:
    """The positions between two times, of events that are not expired."""
    if retention_days is not None:
        start_ms = max(start_ms, now_ms - retention_days * DAY_MS)
    return Span(position_at(start_ms), position_at(end_ms))


def cursors_around(events: Sequence[Event], span: Span, asked: Cursor | None) -> tuple[Cursor, Cursor]:
    """The cursors after and before `events`, the oldest first, that were read of `span` at the cursor `asked`."""
    if events:
        return Cursor(True, events[-1].position), Cursor(False, events[0].position)
    if asked is None:
        return Cursor(True, max(span.low - 1, 0)), Cursor(False, span.low)
    if asked.forward:
        return asked, Cursor(False, asked.position + 1)
    return Cursor(True, max(asked.position - 1, 0)), asked
