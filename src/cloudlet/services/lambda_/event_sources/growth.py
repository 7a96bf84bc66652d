"""How many batches of one mapping may be worked on at once: few at first, more while there is more to do.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
"""

from cloudlet.clock import Clock

START = 5
MORE_PER_S = 5.0
"""300 a minute."""
MAXIMUM = 1250
PER_POLLER = 10
"""Batches at once that a provisioned poller stands for."""


class Growth:
    """Counts batches under way, against a limit that grows."""

    def __init__(self, clock: Clock, maximum: int = MAXIMUM, start: int = START) -> None:
        self._clock = clock
        self._maximum = maximum
        self._start = float(min(start, maximum))
        self._allowed = self._start
        self._since: float | None = None
        """From when on there was more to do than was allowed."""
        self.running = 0

    @property
    def allowed(self) -> int:
        """The limit at this moment."""
        if self._since is not None:
            now = self._clock.monotonic()
            self._allowed = min(self._maximum, self._allowed + (now - self._since) * MORE_PER_S)
            self._since = now
        return int(self._allowed)

    @property
    def is_full(self) -> bool:
        """True when no other batch may be begun now."""
        return self.running >= self.allowed

    def saturated(self) -> None:
        """There is more to do than is allowed."""
        if self._since is None:
            self._since = self._clock.monotonic()

    def starved(self) -> None:
        """There is nothing to do."""
        self._since = None
        self._allowed = self._start

    def throttled(self) -> None:
        """The function could not take so many."""
        self._since = None
        self._allowed = max(1.0, self._allowed / 2)
