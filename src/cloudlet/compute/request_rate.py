"""How many requests there may be in a second: ten times the concurrency, whatever a request takes.

Counted in windows of a second, which a timer ends: a request pays for a comparison, not for a look at a clock.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html#calculating-concurrency-rps
"""

import asyncio

from cloudlet.compute.function import TooManyRequests

WINDOW_S = 1.0


class Rate:
    """The requests of an account, or of a function with a reservation."""

    __slots__ = ("_reason", "limit", "used")

    def __init__(self, reason: str) -> None:
        self._reason = reason
        self.limit = 0
        self.used = 0

    def take(self) -> None:
        """One more request. Raises TooManyRequests."""
        used = self.used
        if used >= self.limit > 0:  # with no concurrency at all, that is the reason to give
            raise TooManyRequests(self._reason, 1)
        if not used:
            asyncio.get_running_loop().call_later(WINDOW_S, self._begin)
        self.used = used + 1

    def _begin(self) -> None:
        """A new second."""
        self.used = 0
