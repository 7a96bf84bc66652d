"""Calls that have ended and wait to be written down: a bounded queue between the hot path and the recorder.

```
dispatcher --observe--> queue --take--> recorder --> store, file
            < 10 us      bounded; what does not fit is counted
```
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from cloudlet.clock import Clock
from cloudlet.iam.principals import RequestContext
from cloudlet.services.cloudtrail.operation_kinds import DATA_EVENTS, is_read_only

SIZE = 8192
"""Calls that wait at most."""
_SHORT = 2048
"""Texts of a call on data are kept up to this many characters."""


class Call(NamedTuple):
    """One call that has ended."""

    moment: float
    """Seconds since the epoch, platform time."""
    context: RequestContext
    params: Mapping[str, Any]
    result: Any
    """None for what only reads, for data, and for what failed."""
    error: BaseException | None
    is_data: bool


class CallQueue:
    """Observes the dispatcher. One per node, used in its event loop only."""

    def __init__(self, clock: Clock, *, with_data: bool = False, size: int = SIZE) -> None:
        self._clock = clock
        self._with_data = with_data
        self._size = size
        self._calls: deque[Call] = deque()
        self._dropped = 0
        self.filled = asyncio.Event()
        """Set while there is something to take."""

    def observe(
        self, context: RequestContext, params: Mapping[str, Any], result: Any, error: BaseException | None
    ) -> None:
        """Note a call. Neither waits nor raises; bodies are let go, so that what waits stays small."""
        key = (context.service, context.operation)
        is_data = key in DATA_EVENTS
        if error is not None and not context.account:
            return  # of nobody, in nobody's account: anybody could fill the trail with these
        if is_data and not self._with_data:
            return
        self.filled.set()
        if len(self._calls) >= self._size:
            self._dropped += 1
            return
        if is_data or (is_read_only(*key) and context.service != "sts"):
            result = None
        kept = _without_bulk(params) if is_data else _without_bodies(params)
        self._calls.append(Call(self._clock.now(), context, kept, result, error, is_data))

    def take(self, most: int) -> list[Call]:
        """The oldest `most` calls, which are then no longer here."""
        taken = [self._calls.popleft() for _ in range(min(most, len(self._calls)))]
        if not self._calls and not self._dropped:
            self.filled.clear()
        return taken

    def take_dropped(self) -> int:
        """How many calls did not fit since this was asked last."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    def clear(self) -> None:
        """Forget all that waits."""
        self._calls.clear()
        self._dropped = 0
        self.filled.clear()


def _without_bodies(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """`params` without bytes and streams, also one level below (`Code.ZipFile`)."""
    return {
        name: _without_bodies(value) if isinstance(value, dict) else value
        for name, value in params.items()
        if not isinstance(value, bytes | bytearray) and not hasattr(value, "__aiter__")
    }


def _without_bulk(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """What names the thing that a call on data is about: short texts and numbers."""
    return {
        name: value
        for name, value in params.items()
        if isinstance(value, int | float) or (isinstance(value, str) and len(value) <= _SHORT)
    }
