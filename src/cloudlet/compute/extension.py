"""One extension of an execution environment: what it registered for, and where it is in its life.

    Started --register--> Registered --next--> Ready <--event / next--> Running
                              \\--init/error--> InitError     (any of the three) --exit/error--> ExitError

External ones are processes of their own (a file of /opt/extensions); internal ones are threads of the runtime.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

from typing import Final, Protocol

from cloudlet.errors import CloudletError

INVOKE: Final = "INVOKE"
SHUTDOWN: Final = "SHUTDOWN"

STARTED: Final = "Started"
REGISTERED: Final = "Registered"
READY: Final = "Ready"
RUNNING: Final = "Running"
INIT_ERROR: Final = "InitError"
EXIT_ERROR: Final = "ExitError"
LAUNCH_ERROR: Final = "LaunchError"
EXITED: Final = "Exited"

INVALID_STATE: Final = "Extension.InvalidExtensionState"


class Refused(CloudletError):
    """A call of the Extensions, Telemetry or Logs API that is refused, as AWS refuses it."""

    def __init__(self, error_type: str, message: str, status: str = "403 Forbidden") -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.status = status


class Poller(Protocol):
    """Who waits for the answer to `next`."""

    @property
    def is_open(self) -> bool:
        """False once the extension has hung up."""

    def answer(self, message: bytes) -> None:
        """Send the answer, a whole HTTP message."""


class Extension:
    """The state of one extension."""

    __slots__ = ("_event", "_poller", "error_type", "events", "identifier", "is_external", "name", "state")

    def __init__(self, name: str, identifier: str, *, is_external: bool) -> None:
        self.name = name
        self.identifier = identifier
        self.is_external = is_external
        self.events: tuple[str, ...] = ()
        """What it registered for."""
        self.state: str = STARTED
        self.error_type = ""
        """What it said of its failure, or why it could not be started."""
        self._poller: Poller | None = None
        self._event = b""

    @property
    def is_waiting(self) -> bool:
        """True when it has asked for the next event and has none."""
        return self.state == READY and not self._event

    def register(self, events: tuple[str, ...]) -> None:
        """It says what it wants to hear of. Raises Refused."""
        if self.state != STARTED:
            raise self._refusal(REGISTERED, self.name)
        self.events = events
        self.state = REGISTERED

    def next(self, poller: Poller) -> None:
        """It is done with what it did, and waits. Raises Refused.

        One that waits already may ask again when its connection broke: what it was to hear is not lost.
        """
        is_again = self.state == READY and (self._poller is None or not self._poller.is_open)
        if self.state not in (REGISTERED, RUNNING) and not is_again:
            raise self._refusal(READY, self.identifier)
        self.state = READY
        self._poller = poller
        if self._event:
            self._hand_over()

    def deliver(self, event: bytes) -> None:
        """Give it an event (the whole HTTP answer): now, or when it asks for one."""
        self._event = event
        if self.state == READY and self._poller is not None and self._poller.is_open:
            self._hand_over()

    def _hand_over(self) -> None:
        assert self._poller is not None, "nobody waits"
        event, self._event = self._event, b""
        poller, self._poller = self._poller, None
        self.state = RUNNING
        poller.answer(event)

    def init_error(self, error_type: str) -> None:
        """POST /extension/init/error. Raises Refused."""
        self._fail(INIT_ERROR, error_type, (REGISTERED,))

    def exit_error(self, error_type: str) -> None:
        """POST /extension/exit/error. Raises Refused."""
        self._fail(EXIT_ERROR, error_type, (REGISTERED, READY, RUNNING))

    def _fail(self, state: str, error_type: str, allowed: tuple[str, ...]) -> None:
        if self.state == state:
            return  # only the first counts
        if self.state not in allowed:
            raise self._refusal(state, self.identifier)
        self.state = state
        self.error_type = error_type

    def _refusal(self, wanted: str, who: str) -> Refused:
        text = f"State transition from {self.state} to {wanted} failed for extension {who}. Error: "
        return Refused(INVALID_STATE, text + "State transition is not allowed")
