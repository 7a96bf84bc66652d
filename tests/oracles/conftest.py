"""Nodes for the recordings, and the replays of Lambda's."""

from collections.abc import Iterator

import pytest

from cloudlet.config import Config
from tests.support.lambda_replay import Make, Replay
from tests.support.nodes import RUNTIMES, Clients, NodeInThread, fresh_account, running


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeInThread]:
    """A node with nothing in it."""
    config = Config(port=0, data=tmp_path_factory.mktemp("node") / "data", runtimes=RUNTIMES)
    with running(NodeInThread(config)) as started:
        yield started


@pytest.fixture(scope="module")
def lambda_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A node that takes the nearest Python for one that this machine has not: shapes, not languages, are tested."""
    config = Config(port=0, data=tmp_path_factory.mktemp("node"), runtimes=RUNTIMES, nearest_runtime=True)
    with running(NodeInThread(config)) as node:
        yield node.endpoint


@pytest.fixture
def replay(lambda_endpoint: str) -> Iterator[Make]:
    """`replay(name)` begins the recorded test of this name; at the end all its steps must have been checked."""
    clients, begun = Clients(fresh_account()), []

    def begin(name: str) -> Replay:
        begun.append(Replay(name, lambda_endpoint, clients))
        return begun[-1]

    yield begin
    clients.close()
    for one in begun:
        one.finish()
