"""Functions' log lines on their way to CloudWatch Logs: gathered, and stored in batches off the invocations' path.

```
write() --> lines of each stream, bounded --> every 0.2 s --> append: many streams in one transaction
                                              sooner, when somebody waits for it (`stored`)
```
Lines of a function whose role may not write its log (`log_permission`) are dropped, as on AWS.
Lines that find no room are dropped, counted, and reported in the node's log once there is room again. A store that
fails is tried again until it works; the lines wait here meanwhile.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Sequence
from typing import Protocol

from cloudlet.compute.function import ComputeError, FunctionVersion, LogEvent
from cloudlet.services.log_entries import Append, LogEntry, LogRights
from cloudlet.store.base import StoreError

logger = logging.getLogger(__name__)

FLUSH_INTERVAL_S = 0.2
MAX_LINES = 200_000
MAX_CHARACTERS = 64 * 1024 * 1024
"""Both of all lines that wait."""
FLUSH_AT_LINES = 10_000
"""With this many waiting, the interval is not waited for."""
WAITED_FOR_S = 0.05
"""The interval when somebody waits: those who come meanwhile share a transaction."""
BATCH_LINES = 5_000
BATCH_CHARACTERS = 4 * 1024 * 1024
"""Of one transaction, so that none keeps the others waiting."""
RETRY_S, MAX_RETRY_S = 0.1, 5.0

Stream = tuple[str, str, str, str]
"""Account, region, log group, log stream."""
Entry = tuple[str, str, str, str, list[tuple[int, str]]]
"""A stream, and events as (timestamp in ms, message)."""


class Permission(Protocol):
    """Who may write which log: `LogPermission`."""

    async def rights(self, function: FunctionVersion, log_stream: str) -> LogRights:
        """What the role of `function` may do with this log stream. Raises ComputeError, StoreError."""

    def refused(self, function: FunctionVersion, action: str) -> None:
        """Lines were not stored, for the role may not do `action`."""


class FunctionLogs:
    """The `LogSink` of the compute engine."""

    def __init__(self, append: Append, permission: Permission) -> None:
        self._append = append
        self._permission = permission
        self._waiting: dict[Stream, list[tuple[int, str]]] = {}
        self._functions: dict[Stream, FunctionVersion] = {}
        """Whose each stream is that waits, or is just being stored: an environment's, so never another function's."""
        self._lines = 0
        self._characters = 0
        """Both of what waits and of what is being stored."""
        self._dropped = 0
        self._wake = asyncio.Event()
        self._full = asyncio.Event()
        self._waiters: list[asyncio.Future[None]] = []
        self._flushing = asyncio.Lock()
        self._storing: asyncio.Task[None] | None = None
        self._is_closing = False

    def write(self, function: FunctionVersion, log_stream: str, events: Sequence[LogEvent]) -> None:
        """Take the lines; they are stored in batches. Never blocks."""
        characters = sum([len(event.message) for event in events])
        if self._lines + len(events) > MAX_LINES or self._characters + characters > MAX_CHARACTERS:
            self._dropped += len(events)
            return
        stream = (function.account, function.region, function.log_group, log_stream)
        lines = self._waiting.get(stream)
        if lines is None:
            lines = self._waiting[stream] = []
            self._functions[stream] = function
            self._wake.set()
        lines.extend([(event.timestamp_ms, event.message) for event in events])
        self._lines += len(events)
        self._characters += characters
        if self._lines >= FLUSH_AT_LINES:
            self._full.set()

    def start(self) -> None:
        """Begin to store what waits."""
        self._storing = asyncio.create_task(self._run(), name="function logs")

    async def close(self, timeout_s: float = 5.0) -> None:
        """Store what waits, for `timeout_s` at most, and end."""
        self._is_closing = True
        self._wake.set()
        self._full.set()
        try:
            async with asyncio.timeout(timeout_s):
                if self._storing is not None:
                    await self._storing
                await self.flush()
        except TimeoutError:
            logger.error("log lines of functions were not stored before the end", extra={"lines": self._lines})

    def reset(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
        self._functions.clear()
        self._lines = self._characters = 0

    async def stored(self) -> None:
        """Wait until all that was written so far is on disk (or dropped)."""
        if self._lines:
            loop = asyncio.get_running_loop()
            waiter: asyncio.Future[None] = loop.create_future()
            if not self._waiters:
                loop.call_later(WAITED_FOR_S, self._full.set)
            self._waiters.append(waiter)
            self._wake.set()
            await waiter

    async def flush(self) -> None:
        """Store all that waits now."""
        async with self._flushing:
            await self._flush()

    async def _flush(self) -> None:
        while self._waiting or self._waiters:
            waiting, self._waiting = self._waiting, {}
            waiters, self._waiters = self._waiters, []
            for batch in batches(waiting):
                await self._store(batch)
                self._lines = max(0, self._lines - sum(len(events) for *_, events in batch))
                characters = sum(len(message) for *_, events in batch for _, message in events)
                self._characters = max(0, self._characters - characters)
            for stream in waiting.keys() - self._waiting.keys():
                self._functions.pop(stream, None)
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
            self._report_drops()

    async def _run(self) -> None:
        while not self._is_closing:
            await self._wake.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_INTERVAL_S):
                    await self._full.wait()
            self._wake.clear()
            self._full.clear()
            await self.flush()

    async def _store(self, batch: Sequence[Entry]) -> None:
        delay_s = RETRY_S
        while True:
            try:
                await self._store_allowed(batch)
                return
            except (StoreError, ComputeError) as error:
                logger.warning("log lines could not be stored; will be tried again: %s", error)
            except Exception:
                logger.exception("log lines could not be stored and are lost", extra={"streams": len(batch)})
                return
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, MAX_RETRY_S)

    async def _store_allowed(self, batch: Sequence[Entry]) -> None:
        entries, functions = [], []
        for account, region, group, stream, events in batch:
            function = self._functions.get((account, region, group, stream))
            if function is not None:  # None after a reset
                rights = await self._permission.rights(function, stream)
                functions.append(function)
                entries.append(LogEntry(account, region, group, stream, events, rights))
        for function, action in zip(functions, await self._append(entries), strict=True):
            if action:
                self._permission.refused(function, action)

    def _report_drops(self) -> None:
        if self._dropped:
            logger.warning(
                "log lines of functions were dropped: they came faster than they could be stored",
                extra={"lines": self._dropped},
            )
            self._dropped = 0


def batches(waiting: dict[Stream, list[tuple[int, str]]]) -> Iterator[list[Entry]]:
    """The lines of all streams, in what one transaction takes."""
    batch: list[Entry] = []
    lines = characters = 0
    for stream, events in waiting.items():
        start = 0
        for end, (_, message) in enumerate(events, 1):
            lines += 1
            characters += len(message)
            if lines >= BATCH_LINES or characters >= BATCH_CHARACTERS:
                yield [*batch, (*stream, events[start:end])]
                batch, start = [], end
                lines = characters = 0
        if start < len(events):
            batch.append((*stream, events[start:]))
    if batch:
        yield batch
