"""A node, and clients of it. Tests that take `node`, `client` or `process_node` run once over each store."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.config import Config
from tests.support.nodes import (
    RUNTIMES,
    Clients,
    MakeClient,
    NodeInThread,
    NodeProcess,
    control,
    fresh_account,
    running,
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "store_kind" in metafunc.fixturenames:
        metafunc.parametrize("store_kind", metafunc.config.getoption("--stores").split(","), scope="session")


@pytest.fixture(scope="session")
def store_url_factory(store_kind: str, request: pytest.FixtureRequest) -> Callable[[], str]:
    """Makes an empty store of the kind that is tested; what `Config.store` names it by."""
    if store_kind == "sqlite":
        return lambda: ""
    make: Callable[[], str] = request.getfixturevalue("postgres_url_factory")
    return make


@pytest.fixture(scope="session")
def node(store_url_factory: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeInThread]:
    """A node that all tests of this process share, each in an account of its own."""
    data = tmp_path_factory.mktemp("node") / "data"
    config = Config(port=0, data=data, store=store_url_factory(), runtimes=RUNTIMES)
    with running(NodeInThread(config)) as started:
        yield started


@pytest.fixture
def endpoint(node: NodeInThread) -> str:
    """Where the node serves."""
    return node.endpoint


@pytest.fixture
def account() -> str:
    """An account in which nothing is yet."""
    return fresh_account()


@pytest.fixture
def clients(account: str) -> Iterator[Clients]:
    """Makes boto3 clients of any endpoint."""
    clients = Clients(account)
    yield clients
    clients.close()


@pytest.fixture
def client(endpoint: str, clients: Clients) -> MakeClient:
    """`client("lambda", account=..., region=..., keys=..., token=..., **botocore_options)` in the test's account."""

    def make(service: str, **options: Any) -> Any:
        return clients.make(endpoint, service, **options)

    return make


@pytest.fixture
def advance(endpoint: str) -> Callable[[float], None]:
    """Moves the platform's time forward by seconds."""

    def move(duration_s: float) -> None:
        control(endpoint, "clock", {"advance_s": duration_s})

    return move


@pytest.fixture
def process_node(store_url_factory: Callable[[], str], tmp_path: Path) -> Iterator[NodeProcess]:
    """A node that runs as `cloudlet up`, started; for tests that kill it."""
    node = NodeProcess(tmp_path / "data", store_url_factory())
    node.start()
    yield node
    if node.is_running:
        node.kill9()
