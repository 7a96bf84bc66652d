"""The extensions of an environment together: who may register, and when all of them are done."""

import pytest

from cloudlet.compute.extension import INVOKE, SHUTDOWN, Refused
from cloudlet.compute.extensions import MAX_EXTENSIONS, Extensions
from cloudlet.ids import Ids
from tests.unit.compute.test_extension import KeptPoller


def test_all_external_ones_have_to_register() -> None:
    extensions = Extensions(["a", "b"], Ids())
    assert not extensions.all_registered
    extensions.register("a", [INVOKE])
    assert (extensions.all_registered, extensions.any_registered) == (False, True)
    extensions.register("b", [SHUTDOWN])
    assert extensions.all_registered


def test_all_have_to_wait() -> None:
    extensions = Extensions(["a"], Ids())
    both = [extensions.register("a", [INVOKE]), extensions.register("inside", [INVOKE])]
    assert [extension.is_external for extension in both] == [True, False]
    for extension in both:
        assert not extensions.all_waiting
        extension.next(KeptPoller())
    assert extensions.all_waiting


def test_who_did_not_ask_for_invocations_is_not_waited_for() -> None:
    extensions = Extensions(["a", "b"], Ids())
    a, b = extensions.register("a", [INVOKE]), extensions.register("b", [SHUTDOWN])
    for extension in (a, b):
        extension.next(KeptPoller())
    extensions.invoke(b"event")
    assert (a.state, b.state, extensions.all_waiting) == ("Running", "Ready", False)
    a.next(KeptPoller())
    assert extensions.all_waiting


def test_the_end_is_told_to_external_ones_that_asked_for_it() -> None:
    extensions = Extensions(["a", "b"], Ids())
    a, b = extensions.register("a", [INVOKE, SHUTDOWN]), extensions.register("b", [INVOKE])
    extensions.register("inside", [INVOKE])
    poller = KeptPoller()
    a.next(poller)
    assert extensions.shut_down(b"the end") == ([a], [b])
    assert poller.answers == [b"the end"]


def refusal(extensions: Extensions, name: str, *events: str) -> tuple[str, str]:
    with pytest.raises(Refused) as refused:
        extensions.register(name, events)
    assert refused.value.status == "403 Forbidden"
    return refused.value.error_type, refused.value.message


def test_what_is_refused() -> None:
    extensions = Extensions(["a"], Ids())
    assert refusal(extensions, "a", "OTHER") == ("Extension.InvalidEventType", "OTHER: ErrorInvalidEventType")
    assert refusal(extensions, "inside", SHUTDOWN) == (
        "Extension.InvalidEventType",
        "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension",
    )
    extensions.register("inside", [INVOKE])
    assert refusal(extensions, "inside", INVOKE) == (
        "Extension.InvalidExtensionState",
        "Extension with this name already registered",
    )
    extensions.is_closed = True
    assert refusal(extensions, "late") == (
        "Extension.RegistrationClosed",
        "Extension registration closed already",
    )
    extensions.register("a", [SHUTDOWN])  # an external one is known before, and may


def test_ten_and_no_more() -> None:
    extensions = Extensions([f"e{n}" for n in range(MAX_EXTENSIONS - 1)], Ids())
    extensions.register("tenth", [])
    assert refusal(extensions, "eleventh") == ("Extension.TooManyExtensions", "Extension limit (10) reached")
    assert extensions.named("eleventh") is None


def test_who_has_not_registered_is_unknown() -> None:
    extensions = Extensions(["a"], Ids())
    known = extensions.named("a")
    assert known is not None
    for identifier in (known.identifier, "00000000-0000-0000-0000-000000000000"):
        with pytest.raises(Refused) as refused:
            extensions.identified(identifier)
        assert refused.value.error_type == "Extension.UnknownExtensionIdentifier"
        assert refused.value.message == f"Unknown extension {identifier}"
    extensions.register("a", [])
    assert extensions.identified(known.identifier) is known
