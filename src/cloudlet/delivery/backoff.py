"""How long to wait before the next attempt."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off with full jitter: anything from nothing to a limit that doubles with each attempt.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    first_s: float = 1.0
    maximum_s: float = 300.0

    def limit_s(self, attempt: int) -> float:
        """The longest wait after attempt number `attempt`, which counts from 1."""
        return min(self.maximum_s, self.first_s * 2.0 ** min(max(0, attempt - 1), 60))

    def delay_s(self, attempt: int, fraction: float) -> float:
        """The wait after attempt number `attempt`; `fraction` is the dice, in [0, 1)."""
        return self.limit_s(attempt) * fraction
