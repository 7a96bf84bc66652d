"""The telemetry of one execution environment: its events, to every extension that subscribed to their kind.

An event is encoded once for each API and put into the buffer of each subscriber, whose task delivers it. Nothing here
exists before the first subscription, and nothing waits for a subscriber.
"""

import asyncio
from typing import Any, Final

import orjson

from cloudlet.clock import Clock
from cloudlet.compute import platform_events
from cloudlet.compute.telemetry_api import LOGS, Subscription
from cloudlet.compute.telemetry_buffer import TelemetryBuffer
from cloudlet.compute.telemetry_delivery import (
    FIRST_RETRY_S,
    LAST_RETRY_S,
    Delivery,
    DeliveryFailed,
    MakeSocket,
)

FALLEN_BEHIND: Final = "Consumer seems to have fallen behind as it has not acknowledged receipt of logs."

_LOGS_PLATFORM: Final = (
    "platform.start",
    "platform.end",
    "platform.report",
    "platform.fault",
    "platform.extension",
    "platform.logsSubscription",
    "platform.logsDropped",
)
"""What the Logs API knew from the start; its schema 2021-03-18 has platform.runtimeDone too."""


class Subscriber:
    """One extension's subscription, with the task that delivers to it."""

    def __init__(self, name: str, wanted: Subscription, make_socket: MakeSocket, clock: Clock) -> None:
        self.name = name
        self.wanted = wanted
        self._clock = clock
        self._buffer = TelemetryBuffer(wanted.buffering)
        self._delivery = Delivery(wanted.destination, make_socket)
        self._awake = asyncio.Event()
        self._awake.set()
        self._done = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name=f"telemetry to {name}")

    def add(self, kind: str, event: bytes) -> None:
        """Send an event some time, if it is of a kind that was asked for."""
        if kind in self.wanted.types:
            self._done.clear()
            self._buffer.add(event)

    def freeze(self) -> None:
        """The sandbox stands still: nobody would answer."""
        self._awake.clear()

    def thaw(self) -> None:
        """The sandbox goes on."""
        self._awake.set()

    async def flush(self) -> None:
        """Send what there is; returns when it has been taken."""
        if not self._buffer.is_empty:
            self._buffer.flush()
        if not self._done.is_set():
            await self._done.wait()

    def close(self) -> None:
        """Send nothing any more. May be called twice."""
        self._task.cancel()
        self._delivery.close()

    async def _run(self) -> None:
        self._done.set()
        while True:
            events = await self._buffer.batch()
            records, size_bytes = self._buffer.take_dropped()
            if records and "platform" in self.wanted.types:  # what follows these events is missing
                record = platform_events.logs_dropped(records, size_bytes, FALLEN_BEHIND)
                events.append(_encode(self._clock.now(), "platform.logsDropped", record))
            await self._deliver(events)
            if self._buffer.is_empty:
                self._done.set()

    async def _deliver(self, events: list[bytes]) -> None:
        """Until the subscriber has taken them: also one that does not listen yet, or answers with an error."""
        pause_s = FIRST_RETRY_S
        while True:
            await self._awake.wait()
            try:
                await self._delivery.send(events)
            except DeliveryFailed:
                await asyncio.sleep(pause_s)
                pause_s = min(LAST_RETRY_S, pause_s * 2)
            else:
                return


class Telemetry:
    """All subscribers of one environment."""

    def __init__(self, clock: Clock, make_socket: MakeSocket) -> None:
        self._clock = clock
        self._make_socket = make_socket
        self._subscribers: dict[str, Subscriber] = {}

    def subscription_of(self, name: str) -> Subscription | None:
        """What the extension of this name has subscribed to."""
        found = self._subscribers.get(name)
        return found.wanted if found is not None else None

    def subscribe(self, name: str, wanted: Subscription) -> Subscriber:
        """Begin to deliver to an extension that has no subscription yet."""
        made = self._subscribers[name] = Subscriber(name, wanted, self._make_socket, self._clock)
        return made

    def greet(self, name: str, event_type: str, record: platform_events.Record, at: float) -> None:
        """Tell one subscriber of something that happened before it subscribed."""
        subscriber = self._subscribers[name]
        event = encoded(subscriber.wanted, at, event_type, record)
        if event:
            subscriber.add("platform", event)

    def platform(self, event_type: str, record: platform_events.Record | str, at: float | None = None) -> None:
        """Something happened in the platform, now or at the platform's time `at`."""
        moment = self._clock.now() if at is None else at
        for subscriber in self._subscribers.values():
            event = encoded(subscriber.wanted, moment, event_type, record)
            if event:
                subscriber.add("platform", event)

    def line(self, kind: str, message: str, at: float, only: str = "") -> None:
        """The function or an extension (`kind`) wrote a line. `only`: the subscriber who does not know of it yet."""
        event = _encode(at, kind, message)
        for name, subscriber in self._subscribers.items():
            if not only or name == only:
                subscriber.add(kind, event)

    def freeze(self) -> None:
        """The sandbox stands still until `thaw`."""
        for subscriber in self._subscribers.values():
            subscriber.freeze()

    def thaw(self) -> None:
        """The sandbox goes on."""
        for subscriber in self._subscribers.values():
            subscriber.thaw()

    async def flush(self, limit_s: float) -> None:
        """Let subscribers have all that there is, as far as they take it within `limit_s`."""
        try:
            async with asyncio.timeout(limit_s):
                await asyncio.gather(*(subscriber.flush() for subscriber in self._subscribers.values()))
        except TimeoutError:
            pass

    def close(self) -> None:
        """The end. May be called twice."""
        for subscriber in self._subscribers.values():
            subscriber.close()


def encoded(wanted: Subscription, at: float, event_type: str, record: platform_events.Record | str) -> bytes:
    """A platform event as this subscription has it; empty when its schema does not know it."""
    if wanted.api != LOGS:
        return b"" if event_type in ("platform.end", "platform.fault") else _encode(at, event_type, record)
    if event_type == "platform.telemetrySubscription":
        event_type = "platform.logsSubscription"
    if event_type == "platform.runtimeDone" and wanted.schema_version != "2020-08-15" and isinstance(record, dict):
        status = "failure" if record["status"] == "error" else record["status"]
        return _encode(at, event_type, {"requestId": record["requestId"], "status": status})
    if event_type not in _LOGS_PLATFORM:
        return b""
    if event_type == "platform.report" and isinstance(record, dict):
        return _encode(at, event_type, {"requestId": record["requestId"], "metrics": record["metrics"]})
    return _encode(at, event_type, record)


def _encode(at: float, event_type: str, record: Any) -> bytes:
    return orjson.dumps({"time": platform_events.moment(at), "type": event_type, "record": record})
