"""A subscriber on the web: keeps what it is sent, and answers as it is told."""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

WAIT_S = 60


class Received(NamedTuple):
    """One request."""

    path: str
    headers: dict[str, str]
    body: str

    @property
    def content(self) -> Any:
        """The envelope."""
        return json.loads(self.body)


class WebEndpoint:
    """Listens on a free port of loopback. `statuses` are its next answers; after them, 200."""

    def __init__(self) -> None:
        self.received: queue.Queue[Received] = queue.Queue()
        self.statuses: list[int] = []
        self.status = 200
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                endpoint.received.put(Received(self.path, dict(self.headers.items()), body))
                self.send_response(endpoint.statuses.pop(0) if endpoint.statuses else endpoint.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server.server_port}"

    def next(self) -> Received:
        """The next request, waited for."""
        return self.received.get(timeout=WAIT_S)


@contextmanager
def web_endpoint() -> Iterator[WebEndpoint]:
    """An endpoint that listens while this is entered."""
    endpoint = WebEndpoint()
    thread = threading.Thread(target=endpoint.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.server.shutdown()
        thread.join()
        endpoint.server.server_close()
