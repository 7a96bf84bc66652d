"""How fast a function may grow: so many new environments within ten seconds, as a bucket of tokens that fills steadily.

https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html
"""

import math
from typing import Final

from cloudlet.clock import Clock

PERIOD_S: Final = 10.0
MAX_FUNCTIONS: Final = 10_000
"""Functions whose growth is remembered; one that is forgotten has its whole allowance again."""


class ScalingRate:
    """Counts the environments that functions start. Goes by real time: growth is real."""

    def __init__(self, per_period: int, clock: Clock) -> None:
        """`per_period`: new environments of a function in ten seconds; 0 for no limit."""
        self._limit = per_period
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}
        """What is left of each function's allowance, and when that was."""

    def take(self, function_arn: str) -> bool:
        """One more environment of this function; false when it has to wait."""
        if not self._limit:
            return True
        now = self._clock.monotonic()
        left = self._now(function_arn, now)
        if left < 1:
            return False
        if len(self._left) >= MAX_FUNCTIONS and function_arn not in self._left:
            del self._left[next(iter(self._left))]
        self._left[function_arn] = left - 1, now
        return True

    def retry_after_s(self, function_arn: str) -> int:
        """After how many whole seconds there is room for another environment."""
        missing = 1 - self._now(function_arn, self._clock.monotonic())
        return max(1, math.ceil(missing * PERIOD_S / self._limit))

    def _now(self, function_arn: str, now: float) -> float:
        left, then = self._left.get(function_arn, (float(self._limit), now))
        return min(float(self._limit), left + (now - then) * self._limit / PERIOD_S)
