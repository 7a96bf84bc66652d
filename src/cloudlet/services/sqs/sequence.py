"""Sequence numbers: the order in which messages came, and when.

    63 ... 20   milliseconds since the epoch (platform time)
    19 ... 0    counts within the millisecond, from a random start, so that nodes of one store do not meet

Since the time is in the number, messages that are too old are those below a number.
"""

from cloudlet.ids import Ids

_COUNT_BITS = 20
_START_BITS = 19


class Sequences:
    """Gives numbers that only grow. One per node."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._last = 0

    def next(self, now_ms: int) -> int:
        """A new number for something that happens now."""
        first = first_of(now_ms)
        if self._last < first:
            self._last = first + (int.from_bytes(self._ids.bytes(4), "big") & ((1 << _START_BITS) - 1))
        else:
            self._last += 1
        return self._last


def first_of(moment_ms: int) -> int:
    """The lowest number of a millisecond: everything that came before it has a lower one."""
    return max(0, moment_ms) << _COUNT_BITS


def moment_ms(sequence: int) -> int:
    """When the message with this number came."""
    return sequence >> _COUNT_BITS


def shown(sequence: int) -> str:
    """The `SequenceNumber` that clients see: 20 digits, so that texts sort like numbers."""
    return f"{sequence:020d}"
