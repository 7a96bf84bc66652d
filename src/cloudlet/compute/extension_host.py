"""All that runs beside the runtime in one execution environment: its extensions, and what they subscribed to.

    init:       start the external ones --all registered--> start the runtime --it and all ask for next--> init is over
    invocation: event to the runtime, INVOKE to who wants it --it and all of them ask for next--> it is over
    end:        see `shutdown`

It exists only where there are external extensions, or once something has called the Extensions API.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib
"""

import asyncio
import os
from typing import Final, Protocol

import orjson

from cloudlet.compute import api_messages, extension_files, platform_events
from cloudlet.compute import extension as extension_states
from cloudlet.compute.api_messages import ApiRequest
from cloudlet.compute.extension import Extension, Poller, Refused
from cloudlet.compute.extensions import Extensions
from cloudlet.compute.extensions_api import ExtensionsApi
from cloudlet.compute.function import FunctionVersion, Invocation
from cloudlet.compute.function_log import FunctionLog
from cloudlet.compute.host import Host
from cloudlet.compute.platform_log import platform_log
from cloudlet.compute.reports import Failure
from cloudlet.compute.sandbox import ExitStatus, Sandbox
from cloudlet.compute.supervisor import RUNTIME, Supervisor
from cloudlet.compute.telemetry import Telemetry
from cloudlet.compute.telemetry_api import LOGS, Subscription

CRASH: Final = "Extension.Crash"
EARLY_LINES: Final = 1000
"""Lines of the init phase that are kept for who subscribes later in it: the runtime may be faster than a subscriber."""
EARLY_CHARACTERS: Final = 2 * 1024 * 1024
"""Of all these lines together: no more than what a subscriber's buffer could take in."""


class BesideEvents(Protocol):
    """Who is told what goes on beside the runtime. Called from the event loop; must not raise."""

    def extensions_wait(self) -> None:
        """Every extension waits for the next event."""

    def extension_failed(self, failure: Failure) -> None:
        """An extension has ended, or could not be started."""

    def runtime_ended(self, status: ExitStatus) -> None:
        """The runtime's process is gone; extensions may live on."""


class ExtensionHost:
    """The extensions of one environment, for one life of its sandbox."""

    def __init__(
        self,
        function: FunctionVersion,
        external: tuple[str, ...],
        host: Host,
        log: FunctionLog,
        events: BesideEvents,
    ) -> None:
        self.extensions = Extensions(external, host.ids)
        self.first_error = ""
        """The type of the first error that an extension reported."""
        self.is_ending = False
        """True once the environment shuts down: processes may end."""
        self._external = external
        self._function = function
        self._ids = host.ids
        self._clock = host.clock
        self._log = log
        self._lines = platform_log(function, log, host.clock)
        self._events = events
        self._api = ExtensionsApi(function, self.extensions, self)
        self._sandbox: Sandbox | None = None
        self._telemetry: Telemetry | None = None
        self._init_start: tuple[float, str, platform_events.Record] | None = None
        self._early: list[tuple[str, str, float]] = []
        self._early_room = EARLY_CHARACTERS
        if external:
            log.telemetry = self._line
        self._has_started_runtime = False
        self._is_subscription_closed = False
        self.supervisor: Supervisor | None = None
        self.alive: set[int] = set()
        """The numbers of the processes that run still; the runtime's is RUNTIME."""
        self.ended = asyncio.Event()
        """Set when a process ends."""

    # -- its life

    def launched(self, sandbox: Sandbox) -> None:
        """The sandbox is there, and in it the external extensions start."""
        self._sandbox = sandbox
        if sandbox.control is not None:
            self.alive = set(range(len(self._external)))
            self.supervisor = Supervisor(sandbox.control, self)

    def init_began(self, at: float, event_type: str, record: platform_events.Record) -> None:
        """What who subscribes later is told of the beginning."""
        self._init_start = at, event_type, record

    def runtime_ready(self) -> None:
        """The runtime has asked for its first event: nobody may register any more."""
        self.extensions.is_closed = True

    def close_registration(self) -> None:
        """The init phase was over before anybody called."""
        self.extensions.is_closed = self._is_subscription_closed = True

    def init_over(self) -> None:
        """The init phase is over, well or not: no more subscriptions. A line for each extension."""
        self._is_subscription_closed = True
        self._early.clear()
        if self._telemetry is None:
            self._log.telemetry = None
        for each in self.extensions:
            record = platform_events.extension(each.name, each.state, each.events, each.error_type)
            self._lines.extension(record)
            self.platform("platform.extension", record)

    def invoke(self, invocation: Invocation, deadline_ms: int) -> None:
        """An invocation begins."""
        event = {
            "eventType": extension_states.INVOKE,
            "deadlineMs": deadline_ms,
            "requestId": invocation.request_id,
            "invokedFunctionArn": invocation.invoked_function_arn,
            "tracing": {"type": "X-Amzn-Trace-Id", "value": invocation.trace_id},
        }
        self.extensions.invoke(self._event(event))

    def shutdown_event(self, reason: str, deadline_s: float) -> bytes:
        """What extensions are told of the end; `deadline_s` is in real time, since the epoch."""
        event = {
            "eventType": extension_states.SHUTDOWN,
            "deadlineMs": int(deadline_s * 1000),
            "shutdownReason": reason,
        }
        return self._event(event)

    def _event(self, event: platform_events.Record) -> bytes:
        headers = {"Lambda-Extension-Event-Identifier": self._ids.uuid()}
        return api_messages.answer("200 OK", orjson.dumps(event), headers)

    @property
    def all_waiting(self) -> bool:
        """True when every extension waits for the next event."""
        return self.extensions.all_waiting

    @property
    def says_goodbye(self) -> bool:
        """True when the end has to be told to somebody."""
        return self.extensions.any_registered and self._sandbox is not None and not self._sandbox.exited.done()

    def number_of(self, extension: Extension) -> int:
        """Its process."""
        return self._external.index(extension.name)

    def close(self) -> None:
        """The end. May be called twice."""
        self.is_ending = True
        self._log.telemetry = None
        if self.supervisor is not None:
            self.supervisor.close()
        if self._telemetry is not None:
            self._telemetry.close()

    # -- what extensions ask (ExtensionEvents)

    def handle(self, request: ApiRequest, poller: Poller) -> None:
        """A call of the Extensions, Telemetry or Logs API."""
        self._api.handle(request, poller)

    def extension_registered(self) -> None:
        """When all have, the runtime may start."""
        if self.supervisor is not None and not self._has_started_runtime and self.extensions.all_registered:
            self._has_started_runtime = True
            self.alive.add(RUNTIME)
            self.supervisor.start_runtime()

    def extension_waits(self) -> None:
        """It may have been the last."""
        if self.all_waiting:
            self._events.extensions_wait()

    def extension_reported(self, error_type: str) -> None:
        """What ends later ends for this reason."""
        self.first_error = self.first_error or error_type

    def extension_subscribes(self, extension: Extension, wanted: Subscription) -> None:
        """Once, during the init phase. Raises Refused."""
        name = "Logs" if wanted.api == LOGS else "Telemetry"
        if self._is_subscription_closed:
            raise Refused(f"{name}.SubscriptionClosed", f"{name} API subscription is closed already")
        telemetry = self._subscribers()
        earlier = telemetry.subscription_of(extension.name)
        if earlier is not None and earlier.api != wanted.api:
            text = f"Extension {extension.name} has subscribed to the other of the Logs and Telemetry APIs already"
            raise Refused(f"{name}.ValidationError", text, "400 Bad Request")
        if earlier is None:
            telemetry.subscribe(extension.name, wanted)
        state = "Subscribed" if earlier is None else "Already subscribed"
        record = platform_events.subscription(extension.name, state, wanted.types)
        self._lines.subscription(name, record)
        if earlier is None:
            if self._init_start is not None:
                began, event_type, start = self._init_start
                telemetry.greet(extension.name, event_type, start, began)
            for kind, message, at in self._early:
                telemetry.line(kind, message, at, extension.name)
            telemetry.platform("platform.telemetrySubscription", record)

    def _subscribers(self) -> Telemetry:
        if self._telemetry is None:
            assert self._sandbox is not None, "not launched"
            self._telemetry = Telemetry(self._clock, self._sandbox.new_socket)
            self._log.telemetry = self._line
        return self._telemetry

    # -- telemetry

    @property
    def has_subscribers(self) -> bool:
        """True when somebody wants to hear of events."""
        return self._telemetry is not None

    def _line(self, kind: str, message: str, at: float) -> None:
        """The function or an extension has written a line."""
        if not self._is_subscription_closed and len(self._early) < EARLY_LINES and self._early_room > 0:
            self._early_room -= len(message)
            self._early.append((kind, message, at))
        if self._telemetry is not None:
            self._telemetry.line(kind, message, at)

    def platform(self, event_type: str, record: platform_events.Record | str) -> None:
        """Something happened in the platform."""
        if self._telemetry is not None:
            self._telemetry.platform(event_type, record)

    def freeze(self) -> None:
        """The sandbox stands still."""
        if self._telemetry is not None:
            self._telemetry.freeze()

    def thaw(self) -> None:
        """The sandbox goes on."""
        if self._telemetry is not None:
            self._telemetry.thaw()

    async def flush(self, limit_s: float) -> None:
        """Let subscribers have what there is, as far as they take it in time."""
        if self._telemetry is not None:
            await self._telemetry.flush(limit_s)

    # -- what processes do (SupervisorEvents)

    def process_ended(self, number: int, status: int) -> None:
        """The runtime or an extension is gone."""
        if number not in self.alive:
            return
        self.alive.discard(number)
        self.ended.set()
        if number == RUNTIME:
            code = os.waitstatus_to_exitcode(status)
            self._events.runtime_ended(ExitStatus(code if code >= 0 else None, -code if code < 0 else None))
        elif not self.is_ending:
            extension = self.extensions.named(self._external[number])
            if extension is not None and extension.state not in (
                extension_states.INIT_ERROR,
                extension_states.EXIT_ERROR,
            ):
                extension.state = extension_states.EXITED
                extension.error_type = CRASH
            self._events.extension_failed(extension_files.crashed(self.first_error or CRASH, status))

    def process_not_started(self, number: int, error: int) -> None:
        """An extension's file cannot be run."""
        if number not in self.alive or number == RUNTIME:
            return
        self.alive.discard(number)
        name = self._external[number]
        failure, word = extension_files.not_started(name, error)
        extension = self.extensions.named(name)
        if extension is not None:
            extension.state = extension_states.LAUNCH_ERROR
            extension.error_type = word
        self._events.extension_failed(failure)
