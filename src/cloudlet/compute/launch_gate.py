"""Lets a bounded number of sandboxes be launched at once, function by function in turn.

Without turns, one function's burst of a thousand would hold back the single cold start of another.
"""

import asyncio
from collections import deque
from collections.abc import Hashable


class LaunchGate:
    """At most `places` are inside. Who waits enters by turns of their key, first come first served within one."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}
        """The key whose turn is next comes first."""

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(len(queue) for queue in self._waiting.values())

    async def enter(self, key: Hashable) -> None:
        """Wait for a place. Each must be given back by `leave`."""
        if self._free > 0 and not self._waiting:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Give a place back: it goes to the next in turn."""
        while self._waiting:
            key = next(iter(self._waiting))
            queue = self._waiting.pop(key)
            turn = queue.popleft()
            if queue:
                self._waiting[key] = queue
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
