"""What is due, kept in memory: which target to claim next, and how much of it.

```
heap of (due, kind, target)  --due-->  ready: a ring of targets per kind  --free places-->  claims
       ^                                  ^
       expect(): a row was written        finished(): a place is free again
```

Fair between targets: the ring gives each an equal share of its kind's free places, and a target never has more than
its own limit, so that one with a million rows, or a slow one, leaves room for the others. Rejected: asking the database
for whatever is due first, which is the crowded target's rows again and again.
"""

import heapq
import itertools
from collections import deque
from dataclasses import dataclass, field

NEVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Request:
    """Claim at most `limit` rows of a target."""

    kind: str
    target: str
    limit: int


@dataclass(slots=True)
class _Target:
    due_ms: int = NEVER
    """When its first row is due."""
    heap_ms: int = NEVER
    """Where it is in the heap, so that it is there once."""
    running: int = 0
    in_ring: bool = False


@dataclass(slots=True)
class _Kind:
    limit: int
    target_limit: int
    running: int = 0
    ring: deque[str] = field(default_factory=deque)
    targets: dict[str, _Target] = field(default_factory=dict)


class Schedule:
    """The targets of all kinds. Pure state: no clock, no store."""

    def __init__(self) -> None:
        self._kinds: dict[str, _Kind] = {}
        self._heap: list[tuple[int, int, str, str]] = []
        self._order = itertools.count()

    def add_kind(self, kind: str, limit: int, target_limit: int) -> None:
        """At most `limit` pieces of work of a kind run at once, and `target_limit` of one target."""
        self._kinds[kind] = _Kind(limit, target_limit)

    def expect(self, kind: str, target: str, due_ms: int) -> None:
        """A row of this target is due at `due_ms`. Ignored for a kind that nobody handles."""
        state = self._kinds.get(kind)
        if state is None:
            return
        known = state.targets.setdefault(target, _Target())
        if due_ms < known.due_ms:
            known.due_ms = due_ms
            self._push(kind, target, known)

    def take(self, now_ms: int) -> list[Request]:
        """What to claim now. Its places are taken until `claimed` and `finished` give them back."""
        self._fill_rings(now_ms)
        return [request for name, kind in self._kinds.items() for request in self._take(name, kind)]

    def claimed(self, request: Request, count: int, next_due_ms: int | None) -> None:
        """`count` rows were claimed; the next one of the target is due at `next_due_ms`."""
        self._free(request.kind, request.target, request.limit - count)
        if next_due_ms is not None:
            self.expect(request.kind, request.target, next_due_ms)

    def finished(self, kind: str, target: str) -> None:
        """One claimed row is not worked on any more."""
        self._free(kind, target, 1)

    def next_due_ms(self) -> int | None:
        """When to `take` again if nothing happens before."""
        return self._heap[0][0] if self._heap else None

    def is_busy(self, now_ms: int) -> bool:
        """True while anything runs or is due."""
        self._fill_rings(now_ms)
        return any(kind.running or kind.ring for kind in self._kinds.values())

    def running(self, kind: str) -> int:
        """How many pieces of work of a kind run."""
        return self._kinds[kind].running

    def clear(self) -> None:
        """Forget what is due."""
        self._heap.clear()
        for kind in self._kinds.values():
            kind.ring.clear()
            for target in kind.targets.values():
                target.due_ms, target.heap_ms, target.in_ring = NEVER, NEVER, False

    def _fill_rings(self, now_ms: int) -> None:
        while self._heap and self._heap[0][0] <= now_ms:
            due_ms, _, name, target = heapq.heappop(self._heap)
            kind = self._kinds[name]
            known = kind.targets.get(target)
            if known is None or known.heap_ms != due_ms:
                continue
            known.heap_ms = NEVER
            if known.due_ms > now_ms:
                self._push(name, target, known)
            elif not known.in_ring and known.running < kind.target_limit:
                known.in_ring = True
                kind.ring.append(target)

    def _push(self, kind: str, target: str, known: _Target) -> None:
        if known.due_ms < known.heap_ms and not known.in_ring:
            known.heap_ms = known.due_ms
            heapq.heappush(self._heap, (known.due_ms, next(self._order), kind, target))

    def _take(self, name: str, kind: _Kind) -> list[Request]:
        requests = []
        while kind.ring and kind.running < kind.limit:
            share = max(1, (kind.limit - kind.running) // len(kind.ring))
            target = kind.ring.popleft()
            known = kind.targets[target]
            known.in_ring = False
            limit = min(share, kind.target_limit - known.running)
            known.due_ms = NEVER  # until the claim says when the next one is due
            known.running += limit
            kind.running += limit
            requests.append(Request(name, target, limit))
        return requests

    def _free(self, name: str, target: str, places: int) -> None:
        kind = self._kinds[name]
        known = kind.targets[target]
        kind.running -= places
        known.running -= places
        if known.due_ms < NEVER:
            self._push(name, target, known)
        elif not known.running and not known.in_ring:
            del kind.targets[target]
