import os
from collections.abc import Iterator
from socket import socket

import pytest

from cloudlet.compute.launcher.agent import messages


@pytest.fixture
def ends() -> Iterator[tuple[socket, socket]]:
    ours, theirs = messages.pair()
    with ours, theirs:
        yield ours, theirs


def test_a_message_arrives_whole_with_its_descriptors(ends: tuple[socket, socket]) -> None:
    read_end, write_end = os.pipe()
    messages.send(ends[0], {"t": "launch", "text": "ä" * 5000}, [write_end])
    os.close(write_end)

    received = messages.receive(ends[1])

    assert received is not None
    message, (passed,) = received
    assert message == {"t": "launch", "text": "ä" * 5000}
    assert not os.get_inheritable(passed)
    os.write(passed, b"x")
    assert os.read(read_end, 1) == b"x"
    os.close(passed)
    os.close(read_end)


def test_messages_keep_their_borders(ends: tuple[socket, socket]) -> None:
    for number in range(3):
        messages.send(ends[0], {"number": number})
    received = [messages.receive(ends[1]) for _ in range(3)]
    assert received == [({"number": 0}, []), ({"number": 1}, []), ({"number": 2}, [])]


def test_the_end_of_the_other_side_is_none(ends: tuple[socket, socket]) -> None:
    ends[0].close()
    assert messages.receive(ends[1]) is None


def test_a_message_has_a_largest_size() -> None:
    with pytest.raises(messages.MessageTooLarge, match="do not fit"):
        messages.encode({"text": "x" * messages.MAX_MESSAGE_BYTES})
