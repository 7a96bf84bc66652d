"""What chaos tests break."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import Cluster, shared_cluster


@pytest.fixture
def own_cluster(postgres_cluster: Cluster, tmp_path: Path) -> Iterator[Cluster]:
    """A PostgreSQL cluster of one test, which it may crash: it keeps what it says it keeps."""
    with shared_cluster(tmp_path / "postgres", durable=True) as cluster:
        yield cluster
