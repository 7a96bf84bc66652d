"""What chaos tests break."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.nodes import NodeProcess
from tests.support.postgres import Cluster, shared_cluster


@pytest.fixture
def own_cluster(postgres_cluster: Cluster, tmp_path: Path) -> Iterator[Cluster]:
    """A PostgreSQL cluster of one test, which it may crash: it keeps what it says it keeps."""
    with shared_cluster(tmp_path / "postgres", durable=True) as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def node(request: pytest.FixtureRequest, stores: tuple[str, ...], tmp_path: Path) -> Iterator[NodeProcess]:
    """A node in a process of its own, for a test to kill and to start again."""
    if request.param not in stores:
        pytest.skip("left out by --stores")
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else ""
    started = NodeProcess(tmp_path / "data", url)
    started.start()
    yield started
    if started.is_running:
        started.kill9()
