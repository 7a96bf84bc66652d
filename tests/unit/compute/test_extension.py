"""The states of one extension: what fits, what is refused, and that no event is lost."""

import pytest

from cloudlet.compute.extension import INVOKE, READY, REGISTERED, RUNNING, SHUTDOWN, Extension, Refused


class KeptPoller:
    """Keeps what it is answered."""

    def __init__(self) -> None:
        self.is_open = True
        self.answers: list[bytes] = []

    def answer(self, message: bytes) -> None:
        self.answers.append(message)


def registered(*events: str) -> Extension:
    made = Extension("watcher", "id", is_external=True)
    made.register(events)
    return made


def test_it_registers_waits_works_and_waits_again() -> None:
    extension, poller = registered(INVOKE, SHUTDOWN), KeptPoller()
    assert (extension.state, extension.is_waiting) == (REGISTERED, False)
    extension.next(poller)
    assert extension.is_waiting
    extension.deliver(b"first")
    assert (extension.state, extension.is_waiting, poller.answers) == (RUNNING, False, [b"first"])
    extension.next(poller)
    assert (extension.state, extension.is_waiting) == (READY, True)


def test_registering_twice_is_refused_in_awss_words() -> None:
    with pytest.raises(Refused) as refused:
        registered().register(())
    assert refused.value.error_type == "Extension.InvalidExtensionState"
    assert refused.value.message == (
        "State transition from Registered to Registered failed for extension watcher. "
        "Error: State transition is not allowed"
    )


def test_it_cannot_wait_twice_at_once() -> None:
    extension = registered()
    extension.next(KeptPoller())
    with pytest.raises(Refused, match="from Ready to Ready failed for extension id"):
        extension.next(KeptPoller())


def test_who_lost_its_connection_may_ask_again() -> None:
    extension, lost, second = registered(INVOKE), KeptPoller(), KeptPoller()
    extension.next(lost)
    lost.is_open = False
    extension.next(second)
    extension.deliver(b"event")
    assert (lost.answers, second.answers) == ([], [b"event"])


def test_an_event_for_a_lost_connection_is_kept_for_the_next_question() -> None:
    extension, lost, second = registered(INVOKE), KeptPoller(), KeptPoller()
    extension.next(lost)
    lost.is_open = False
    extension.deliver(b"event")
    assert not extension.is_waiting
    extension.next(second)
    assert (second.answers, extension.state) == ([b"event"], RUNNING)


def test_an_event_that_comes_before_the_question_waits_for_it() -> None:
    extension, poller = registered(INVOKE), KeptPoller()
    extension.deliver(b"early")
    extension.next(poller)
    assert poller.answers == [b"early"]


def test_an_error_of_init_is_for_the_init_phase_only() -> None:
    extension = registered()
    extension.init_error("Extension.Bad")
    extension.init_error("Extension.Later")
    assert (extension.state, extension.error_type) == ("InitError", "Extension.Bad")
    with pytest.raises(Refused, match="from InitError to Ready failed"):
        extension.next(KeptPoller())
    ready = registered()
    ready.next(KeptPoller())
    with pytest.raises(Refused, match="from Ready to InitError failed"):
        ready.init_error("Extension.Bad")


def test_an_error_of_exit_may_come_at_any_time_after_registering() -> None:
    for steps in (0, 1, 2):
        extension = registered(INVOKE)
        if steps > 0:
            extension.next(KeptPoller())
        if steps > 1:
            extension.deliver(b"event")
        extension.exit_error("Extension.Bad")
        assert (extension.state, extension.error_type) == ("ExitError", "Extension.Bad")
    with pytest.raises(Refused, match="from Started to ExitError failed"):
        Extension("watcher", "id", is_external=True).exit_error("Extension.Bad")
