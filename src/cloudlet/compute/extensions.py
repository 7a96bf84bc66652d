"""The extensions of one execution environment: who may register, who is waited for, who is told what."""

from collections.abc import Iterator, Sequence
from typing import Final

from cloudlet.compute.extension import INVOKE, SHUTDOWN, STARTED, Extension, Refused
from cloudlet.ids import Ids

MAX_EXTENSIONS: Final = 10
"""https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html#runtimes-extensions-api-reg"""


class Extensions:
    """Knows every extension of an environment by its name and by its identifier."""

    __slots__ = ("_by_identifier", "_by_name", "_ids", "is_closed")

    def __init__(self, external: Sequence[str], ids: Ids) -> None:
        """`external` are the names of the files in /opt/extensions."""
        self._ids = ids
        self._by_name: dict[str, Extension] = {}
        self._by_identifier: dict[str, Extension] = {}
        self.is_closed = False
        """True once the runtime is ready: nobody may register any more."""
        for name in external:
            self._add(name, is_external=True)

    def _add(self, name: str, *, is_external: bool) -> Extension:
        made = Extension(name, self._ids.uuid(), is_external=is_external)
        self._by_name[name] = made
        self._by_identifier[made.identifier] = made
        return made

    def __iter__(self) -> Iterator[Extension]:
        return iter(self._by_name.values())

    def named(self, name: str) -> Extension | None:
        """The extension of this name."""
        return self._by_name.get(name)

    def identified(self, identifier: str) -> Extension:
        """Who calls. Raises Refused."""
        found = self._by_identifier.get(identifier)
        if found is None or found.state == STARTED:
            raise Refused("Extension.UnknownExtensionIdentifier", f"Unknown extension {identifier}")
        return found

    def register(self, name: str, events: Sequence[str]) -> Extension:
        """POST /extension/register: an external one by its file's name, or else a new internal one. Raises Refused."""
        found = self._by_name.get(name)
        is_external = found is not None and found.is_external
        for event in events:
            _check_event(event, is_external=is_external)
        if found is None:
            found = self._new_internal(name)
        elif not is_external:
            raise Refused("Extension.InvalidExtensionState", "Extension with this name already registered")
        found.register(tuple(dict.fromkeys(events)))
        return found

    def _new_internal(self, name: str) -> Extension:
        if self.is_closed:
            raise Refused("Extension.RegistrationClosed", "Extension registration closed already")
        if len(self._by_name) >= MAX_EXTENSIONS:
            raise Refused("Extension.TooManyExtensions", f"Extension limit ({MAX_EXTENSIONS}) reached")
        return self._add(name, is_external=False)

    @property
    def external(self) -> list[Extension]:
        """Those that are processes of their own."""
        return [each for each in self._by_name.values() if each.is_external]

    @property
    def all_registered(self) -> bool:
        """True when every external extension has registered: the runtime may start."""
        return all(each.state != STARTED for each in self._by_name.values())

    @property
    def all_waiting(self) -> bool:
        """True when every extension waits for the next event: its init or its part of the invocation is over."""
        return all(each.is_waiting for each in self._by_name.values())

    @property
    def any_registered(self) -> bool:
        """True when there is anybody to say goodbye to."""
        return any(each.state != STARTED for each in self._by_name.values())

    def invoke(self, event: bytes) -> None:
        """An invocation begins; who registered for INVOKE hears of it."""
        for each in self._by_name.values():
            if INVOKE in each.events:
                each.deliver(event)

    def shut_down(self, event: bytes) -> tuple[list[Extension], list[Extension]]:
        """The environment ends. Returns the external ones that were told, and those that did not want to hear of it."""
        told, others = [], []
        for each in self.external:
            if SHUTDOWN in each.events:
                each.deliver(event)
                told.append(each)
            else:
                others.append(each)
        return told, others


def _check_event(event: str, *, is_external: bool) -> None:
    """Raises Refused."""
    if event == SHUTDOWN and not is_external:
        raise Refused("Extension.InvalidEventType", f"{event}: ShutdownEventNotSupportedForInternalExtension")
    if event not in (INVOKE, SHUTDOWN):
        raise Refused("Extension.InvalidEventType", f"{event}: ErrorInvalidEventType")
