"""The launcher's own loop: what happens to it must not end the sandboxes that there are."""

import os
import socket
import subprocess
from collections.abc import Iterator
from typing import Any, cast

import pytest

from cloudlet.compute.launcher.agent import messages
from cloudlet.compute.launcher.agent.host import Host
from cloudlet.compute.launcher.agent.launcher import Launcher
from cloudlet.compute.launcher.agent.launches import Launch

RUNTIME = {"name": "some runtime"}


@pytest.fixture
def node() -> Iterator[tuple[Launcher, socket.socket]]:
    """A launcher without a host, and the node's end of its connection."""
    ours, theirs = messages.pair()
    with ours, theirs:
        yield Launcher(theirs, cast(Host, None), None), ours


def tell(node: tuple[Launcher, socket.socket], message: dict[str, Any]) -> None:
    """Have the launcher read a message of the node's."""
    launcher, connection = node
    messages.send(connection, message)
    launcher._from_node()


@pytest.mark.parametrize("kind", ["kill", "terminate"])
def test_a_sandbox_may_have_ended_when_it_is_to_be_ended(node: tuple[Launcher, socket.socket], kind: str) -> None:
    """Its zygote has waited for it, and the launcher has not heard of that yet."""
    process = subprocess.Popen(["true"])
    launch = Launch({"id": "a"})
    launch.init = launch.runtime = os.pidfd_open(process.pid)
    process.wait()
    node[0]._launches["a"] = launch
    tell(node, {"t": kind, "id": "a"})
    os.close(launch.init)


@pytest.mark.parametrize(
    ("kind", "answer", "about"),
    [("launch", "failed", {"id": "a"}), ("prepare", "unprepared", {"runtime": "some runtime"})],
)
def test_where_there_is_no_room_for_a_zygote_the_node_is_told(
    node: tuple[Launcher, socket.socket], monkeypatch: pytest.MonkeyPatch, kind: str, answer: str, about: dict[str, str]
) -> None:
    def fork() -> int:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(os, "fork", fork)
    tell(node, {"t": kind, "id": "a", "runtime": RUNTIME})
    received = messages.receive(node[1])
    assert received is not None
    assert received[0] == {"t": answer, **about, "error": "no zygote can be started: no more processes"}
