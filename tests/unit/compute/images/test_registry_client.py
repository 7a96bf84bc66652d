"""Taking images from a registry. What a real one answers is tried in tests/integration/test_image_functions.py."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloudlet.compute.images.errors import ImageNotFound, RegistryUnavailable
from cloudlet.compute.images.reference import Reference
from cloudlet.compute.images.registry_client import RegistrySource


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """Listens on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(30)
        yield listening


@pytest.fixture
def source(server: socket.socket) -> RegistrySource:
    return RegistrySource(Reference.parse(f"127.0.0.1:{server.getsockname()[1]}/app:v1"), "")


def test_who_waits_for_an_answer_is_told_that_it_is_closed(server: socket.socket, source: RegistrySource) -> None:
    with ThreadPoolExecutor(1) as thread:
        asking = thread.submit(source.manifest, "v1")
        with server.accept()[0] as asked:
            assert asked.recv(4) == b"GET "
            source.close()
            with pytest.raises(RegistryUnavailable):
                asking.result(30)


def test_who_connects_when_it_has_been_closed_leaves_no_connection(
    server: socket.socket, source: RegistrySource
) -> None:
    source.close()
    with pytest.raises(RegistryUnavailable, match="nothing more is asked of it"):
        source.manifest("v1")
    with server.accept()[0] as connected:
        assert connected.recv(1) == b""


def test_an_answer_that_is_not_read_leaves_no_connection(server: socket.socket, source: RegistrySource) -> None:
    with ThreadPoolExecutor(1) as thread:
        asking = thread.submit(source.manifest, "v1")
        with server.accept()[0] as asked:
            assert asked.recv(65536).startswith(b"GET /v2/app/manifests/v1 ")
            asked.sendall(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 9\r\n\r\nnot ")
            with pytest.raises(ImageNotFound):
                asking.result(30)
            source.close()
            assert asked.recv(1) == b""
