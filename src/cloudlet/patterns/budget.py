"""How much work one event may be.

A pattern and an event can be made for each other, so that comparing them would take minutes: an array of 60,000 values,
each of which passes the last of 20,000 tests.
"""

from typing import Final

from cloudlet.errors import CloudletError

MAX_WORK: Final = 10_000_000
"""Tests of values, and comparisons of sets of fields: some seconds. What people write needs a thousand."""


class TooMuchWork(CloudletError):
    """An event is more work than one may be."""


class Budget:
    """Of one event."""

    __slots__ = ("_left",)

    def __init__(self, work: int = MAX_WORK) -> None:
        self._left = work

    def spend(self, work: int) -> None:
        """Raises TooMuchWork when there is not so much left."""
        self._left -= work
        if self._left < 0:
            raise TooMuchWork(f"an event needs more than {MAX_WORK} tests of a pattern")
