"""Functions' log lines on their way to CloudWatch Logs: gathered, and written in batches off the invocations' path.

```
write() --> lines of each stream, at most MAX_WAITING --> every 0.2 s --> PutLogEvents, several streams at once
```
Lines that find no room are dropped, counted, and reported in the node's log once there is room again. A store that
fails is tried again until it works; the lines wait here meanwhile.
"""

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cloudlet.compute.function import FunctionVersion, LogEvent
from cloudlet.errors import OperationNotImplemented, ServiceError
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.services.base import Platform
from cloudlet.store.base import StoreError

logger = logging.getLogger(__name__)

SERVICE = "lambda.amazonaws.com"
FLUSH_INTERVAL_S = 0.2
MAX_WAITING = 200_000
"""Lines that wait to be written."""
FLUSH_AT = 20_000
"""With this many waiting, the interval is not waited for."""
WRITERS = 8
MAX_KNOWN_STREAMS = 10_000
RETRY_S, MAX_RETRY_S = 0.1, 5.0

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
MAX_BATCH_EVENTS = 10_000
MAX_BATCH_BYTES = 1_048_576
EVENT_OVERHEAD_BYTES = 26
MAX_MESSAGE_BYTES = 256 * 1024 - EVENT_OVERHEAD_BYTES

Stream = tuple[str, str, str, str]
"""Account, region, log group, log stream."""


class FunctionLogs:
    """The `LogSink` of the compute engine."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._waiting: dict[Stream, list[LogEvent]] = {}
        self._count = 0
        """Lines that wait or are being written."""
        self._dropped = 0
        self._wake = asyncio.Event()
        self._full = asyncio.Event()
        self._known: OrderedDict[Stream, None] = OrderedDict()
        self._writing: asyncio.Task[None] | None = None
        self._is_closing = False

    def write(self, function: FunctionVersion, log_stream: str, events: Sequence[LogEvent]) -> None:
        """Take the lines; they are stored in batches. Never blocks."""
        if not events:
            return
        if self._count + len(events) > MAX_WAITING:
            self._dropped += len(events)
            return
        stream = (function.account, function.region, function.log_group, log_stream)
        lines = self._waiting.get(stream)
        if lines is None:
            lines = self._waiting[stream] = []
            self._wake.set()
        lines.extend(events)
        self._count += len(events)
        if self._count >= FLUSH_AT:
            self._full.set()

    def start(self) -> None:
        """Begin to write what waits."""
        self._writing = asyncio.create_task(self._run(), name="function logs")

    async def close(self, timeout_s: float = 5.0) -> None:
        """Write what waits, for `timeout_s` at most, and end."""
        self._is_closing = True
        self._wake.set()
        self._full.set()
        try:
            async with asyncio.timeout(timeout_s):
                if self._writing is not None:
                    await self._writing
                await self.flush()
        except TimeoutError:
            logger.error("log lines of functions were not written before the end", extra={"lines": self._count})

    def reset(self) -> None:
        """Forget what waits and which streams there are."""
        self._waiting.clear()
        self._known.clear()
        self._count = 0

    async def flush(self) -> None:
        """Write all that waits now."""
        while self._waiting:
            waiting, self._waiting = self._waiting, {}
            streams = iter(waiting.items())
            try:
                async with asyncio.TaskGroup() as writers:
                    for _ in range(min(WRITERS, len(waiting))):
                        writers.create_task(self._write_streams(streams, waiting))
            finally:
                self._put_back(waiting)
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

    async def _write_streams(
        self, streams: Iterator[tuple[Stream, list[LogEvent]]], waiting: dict[Stream, list[LogEvent]]
    ) -> None:
        for stream, events in streams:
            for batch in batches(events):
                await self._put(stream, batch)
            self._count = max(0, self._count - len(events))
            waiting[stream] = []

    def _put_back(self, waiting: dict[Stream, list[LogEvent]]) -> None:
        """What an interrupted flush has left, before what has come since."""
        for stream, events in waiting.items():
            if events:
                self._waiting[stream] = events + self._waiting.get(stream, [])
                self._wake.set()

    async def _put(self, stream: Stream, events: list[dict[str, Any]]) -> None:
        _, _, group, name = stream
        request = {"logGroupName": group, "logStreamName": name, "logEvents": events}
        delay_s = RETRY_S
        while True:
            try:
                if stream not in self._known:
                    await self._create(stream)
                await self._call(stream, "PutLogEvents", request)
                return
            except (ServiceError, StoreError) as error:
                if isinstance(error, ServiceError) and error.code == "ResourceNotFoundException":
                    self._known.pop(stream, None)  # deleted since: it is made again
                elif isinstance(error, OperationNotImplemented) or (
                    isinstance(error, ServiceError) and error.sender_fault
                ):
                    logger.error("log lines were refused: %s", error, extra={"log_group": group, "lines": len(events)})
                    return
                else:
                    logger.warning("log lines could not be stored; will be tried again: %s", error)
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, MAX_RETRY_S)

    async def _create(self, stream: Stream) -> None:
        _, _, group, name = stream
        request = {"logGroupName": group, "logStreamName": name}
        try:
            await self._create_unless_there(stream, "CreateLogStream", request)
        except ServiceError as error:
            if error.code != "ResourceNotFoundException":
                raise
            await self._create_unless_there(stream, "CreateLogGroup", {"logGroupName": group})
            await self._create_unless_there(stream, "CreateLogStream", request)
        self._known[stream] = None
        if len(self._known) > MAX_KNOWN_STREAMS:
            self._known.popitem(last=False)

    async def _create_unless_there(self, stream: Stream, operation: str, request: dict[str, Any]) -> None:
        try:
            await self._call(stream, operation, request)
        except ServiceError as error:
            if error.code != "ResourceAlreadyExistsException":
                raise

    async def _call(self, stream: Stream, operation: str, request: dict[str, Any]) -> None:
        account, region, _, _ = stream
        context = RequestContext(Principal.service(SERVICE, account), region, self._platform.ids.uuid())
        await self._platform.calls.call(context, "logs", operation, request)

    def _report_drops(self) -> None:
        if self._dropped:
            logger.warning("log lines of functions were dropped: they came faster than they could be stored",
                           extra={"lines": self._dropped})  # fmt: skip
            self._dropped = 0


def batches(events: Iterable[LogEvent]) -> Iterator[list[dict[str, Any]]]:
    """The events in order of time, in what one PutLogEvents takes. Messages too long for one event become several."""
    batch: list[dict[str, Any]] = []
    size = 0
    for event in sorted(events, key=lambda event: event.timestamp_ms):
        for message in _pieces(event.message):
            length = len(message) if message.isascii() else len(message.encode())
            length += EVENT_OVERHEAD_BYTES
            if batch and (len(batch) == MAX_BATCH_EVENTS or size + length > MAX_BATCH_BYTES):
                yield batch
                batch, size = [], 0
            batch.append({"timestamp": event.timestamp_ms, "message": message})
            size += length
    if batch:
        yield batch


def _pieces(message: str) -> Iterator[str]:
    if len(message) <= MAX_MESSAGE_BYTES // 4:
        yield message or "\n"
        return
    data = message.encode()
    for start in range(0, len(data), MAX_MESSAGE_BYTES):
        # A character cut in two shows a replacement mark on each side: better than a line that is refused.
        yield data[start : start + MAX_MESSAGE_BYTES].decode(errors="replace")
