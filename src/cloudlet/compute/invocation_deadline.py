"""When an environment's invocation has to be over: one timer watches many, armed again for what is left."""

import asyncio
from collections.abc import Callable

from cloudlet.clock import Clock


class InvocationDeadline:
    """Tells when the invocation that was begun last has used up its time."""

    __slots__ = ("_at", "_clock", "_passed", "_timer")

    def __init__(self, clock: Clock, passed: Callable[[], None]) -> None:
        """`passed` is called also when the invocation is over by then: who runs it knows."""
        self._clock = clock
        self._passed = passed
        self._at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, started: float, timeout_s: float) -> float:
        """An invocation has begun at `started` on the monotonic clock. Returns the seconds that it has left."""
        self._at = started + timeout_s
        left_s = self._at - self._clock.monotonic()
        if self._timer is None:
            self._arm(left_s)
        return left_s

    def stop(self) -> None:
        """Watch nothing until the next begins."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, left_s: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(left_s, self._look)

    def _look(self) -> None:
        self._timer = None
        left_s = self._at - self._clock.monotonic()
        if left_s > 0:
            self._arm(left_s)
        else:
            self._passed()
