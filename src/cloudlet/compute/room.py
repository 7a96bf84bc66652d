"""Room for another environment: there is some, or idle ones are ended, or those that start are waited for."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from cloudlet.clock import Clock
from cloudlet.compute.counting import ACCOUNT_LIMIT
from cloudlet.compute.function import FunctionVersion, TooManyRequests
from cloudlet.compute.placement import Charge, NoRoom, Placement

MakerT = TypeVar("MakerT")


class Room(Generic[MakerT]):
    """Who waits for room, first come first served."""

    def __init__(self, placement: Placement[MakerT], clock: Clock, end_oldest: Callable[[], bool]) -> None:
        """`end_oldest` ends the idle environment that was not used for longest; false when there is none."""
        self._placement = placement
        self._clock = clock
        self._end_oldest = end_oldest
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.starting = 0
        """How many environments are on their way: they settle soon, most of them for less than they are charged."""

    async def take(self, function: FunctionVersion) -> Charge[MakerT]:
        """Room for an environment of `function`, which counts among `starting`.

        Raises TooManyRequests: it never waits for a running invocation, which may be waiting for it.
        """
        while True:
            try:
                return self._placement.place(function, self._clock.now())
            except NoRoom:
                if self._end_oldest():
                    continue
                if self.starting <= len(self._waiting) + 1:
                    raise TooManyRequests(ACCOUNT_LIMIT) from None
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn

    def take_now(self, function: FunctionVersion) -> Charge[MakerT]:
        """Room for what others wait for: it must not wait itself. Raises TooManyRequests."""
        while True:
            try:
                return self._placement.place(function, self._clock.now())
            except NoRoom:
                if not self._end_oldest():
                    raise TooManyRequests(ACCOUNT_LIMIT) from None

    def wake(self) -> None:
        """Memory may have become free: the first who waits for it looks again."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
