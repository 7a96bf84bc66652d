"""What all tests share: the stores they run over."""

import os
import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.postgres import Cluster, programs, shared_cluster

STORES = ("sqlite", "postgresql")
TIMED_OUT_AGAIN_S = 60.0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--stores", default=",".join(STORES), help="the stores to test over, with commas between")


def pytest_configure() -> None:
    """Let what tests start be interrupted also where they run in the background: shells have that ignore Ctrl-C."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_timeout_set_timer(settings: Any) -> Generator[None, object, object]:
    """Tell a test again that its time is up: an event loop logs what is raised in one of its callbacks, and goes on."""
    answer = yield
    if signal.getitimer(signal.ITIMER_REAL)[0]:
        signal.setitimer(signal.ITIMER_REAL, settings.timeout, TIMED_OUT_AGAIN_S)
    return answer


@pytest.fixture(scope="session")
def stores(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The stores that this run is asked to test over."""
    return tuple(request.config.getoption("--stores").split(","))


@pytest.fixture(scope="session")
def postgres_cluster(
    stores: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Cluster]:
    """A running PostgreSQL cluster that all tests of this run share; the test is skipped where there can be none."""
    if "postgresql" not in stores:
        pytest.skip("--stores leaves PostgreSQL out")
    if programs() is None and os.environ.get("CI") == "true":
        pytest.fail("no PostgreSQL server programs: in CI that is no reason to test less")
    if programs() is None:
        pytest.skip("no PostgreSQL server programs (Debian: apt-get install postgresql)")
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):  # a worker of xdist: its folder is inside the run's
        folder = folder.parent
    with shared_cluster(folder / "postgres") as cluster:
        yield cluster


@pytest.fixture(scope="session")
def postgres_url_factory(postgres_cluster: Cluster) -> Callable[[], str]:
    """Makes an empty database at each call and gives its URL."""
    return postgres_cluster.create_database


@pytest.fixture
def postgres_url(postgres_url_factory: Callable[[], str]) -> str:
    """The URL of an empty database for one test."""
    return postgres_url_factory()


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    """An empty data folder for one node."""
    return tmp_path / "data"
