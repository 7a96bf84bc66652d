"""Taking images from a registry. What a real one answers is tried in tests/integration/test_image_functions.py."""

import contextlib
import gc
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest

from cloudlet.compute.images import pull as pulls
from cloudlet.compute.images.errors import ImageError, ImageNotFound, InvalidImage, RegistryUnavailable
from cloudlet.compute.images.manifest import OCI_CONFIG, OCI_MANIFEST, Descriptor, parse_manifest
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


class Answers:
    """A registry that answers every request with what the test says."""

    def __init__(self, listening: socket.socket, answers: list[bytes]) -> None:
        self._listening = listening
        self._answers = answers

    def run(self) -> None:
        for answer in self._answers:
            with self._listening.accept()[0] as asked:
                asked.recv(65536)
                with contextlib.suppress(OSError):  # who asks may have had enough
                    asked.sendall(answer)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc",
        b"HTTP/1.1 307 Moved\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:99999/\r\nContent-Length: 0\r\n\r\n",
        b'HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer realm="http://["\r\nContent-Length: 0\r\n\r\n',
        b'HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer realm="https://x:99999/"\r\nContent-Length: 0\r\n\r\n',
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_whatever_a_registry_answers_is_an_image_that_cannot_be_had(
    server: socket.socket, source: RegistrySource, answer: bytes
) -> None:
    part = Descriptor("text/plain", f"sha256:{'0' * 64}", 3)
    with ThreadPoolExecutor(1) as thread:
        answering = thread.submit(Answers(server, [answer]).run)
        with contextlib.suppress(ImageError):
            assert b"".join(source.blob(part)) != b""
        answering.result(30)
        answering = thread.submit(Answers(server, [answer]).run)
        with contextlib.suppress(ImageError):
            parse_manifest(*source.manifest("v1"))
        answering.result(30)
    source.close()


def test_a_configuration_is_no_longer_than_it_was_said_to_be(server: socket.socket, source: RegistrySource) -> None:
    part = {"mediaType": OCI_CONFIG, "digest": f"sha256:{'0' * 64}", "size": 10}
    content = orjson.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": part, "layers": []})
    manifest = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content)
    endless = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 50_000_000
    with ThreadPoolExecutor(1) as thread:
        answering = thread.submit(Answers(server, [manifest, endless]).run)
        with pytest.raises(InvalidImage, match="has more than its 10 bytes"):
            pulls.resolve(source, "v1", "amd64")
        source.close()
        answering.result(30)


def test_who_reads_when_it_is_closed_leaves_no_connection(server: socket.socket, source: RegistrySource) -> None:
    part = Descriptor("application/vnd.oci.image.layer.v1.tar", f"sha256:{'0' * 64}", 10)
    with ThreadPoolExecutor(1) as thread:
        reading = thread.submit(lambda: list(source.blob(part)))
        with server.accept()[0] as asked:
            assert asked.recv(65536).startswith(b"GET /v2/app/blobs/")
            asked.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal")
            source.close()
            error = reading.exception(30)
            assert isinstance(error, RegistryUnavailable)
            error.args = (error,)  # a cycle, in which the collector takes what is open in any order
            del error, reading
            gc.collect()
            assert asked.recv(1) == b""
