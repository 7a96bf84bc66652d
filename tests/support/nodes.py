"""Nodes for integration tests: one in a thread of the test's process, or one as a process that can be killed."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import boto3
import botocore.loaders
import botocore.session
import uvloop
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config as BotoConfig
from botocore.credentials import Credentials

from cloudlet.config import Config
from cloudlet.node import Node
from cloudlet.node_folder import NodeFolder

T = TypeVar("T")
MakeClient = Callable[..., Any]
REGION = "us-east-1"
START_TIMEOUT_S = 60
RUNTIMES = Path(__file__).parents[2] / ".state" / "runtimes"
"""Prepared once and shared by all nodes of all tests."""


class NodeInThread:
    """A node whose loop runs in a thread. `call` runs a coroutine there."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="node", daemon=True)
        self._started = threading.Event()
        self._stop = asyncio.Event()
        self._error: BaseException | None = None
        self.node: Node

    @property
    def endpoint(self) -> str:
        """`http://127.0.0.1:<port>`."""
        return self.node.endpoint

    def start(self) -> None:
        """Return when the node serves. Raises what its start raises."""
        self._thread.start()
        self._started.wait(START_TIMEOUT_S)
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Return when the node has ended."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, run in the node's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:
            self._error = error
        finally:
            self._started.set()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    async def _serve(self) -> None:
        async with Node(self.config) as self.node:
            self._started.set()
            await self._stop.wait()
            self.node.hurry()


class NodeProcess:
    """`cloudlet up` in a process of its own."""

    def __init__(self, data: Path, store: str = "", *options: str) -> None:
        self.data = data
        self._options = ["--data", str(data), *(["--store", store] if store else []), *options]
        self._process: subprocess.Popen[str] | None = None
        self._log: IO[str] | None = None
        self.endpoint = ""

    @property
    def pid(self) -> int:
        """The node's process."""
        assert self._process is not None
        return self._process.pid

    def start(self, port: int = 0) -> None:
        """Start it and wait until it says that it is ready."""
        self._log = (self.data.parent / "node.log").open("a+")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cloudlet", "up", "--port", str(port), *self._options],
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**os.environ, "CLOUDLET_RUNTIMES": str(RUNTIMES)},
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if match := re.search(r"http://\S+", line):
                self.endpoint = match[0]
            if line.strip() == "Ready.":
                return
        self._ended()
        raise AssertionError(f"the node did not start:\n{self.log}")

    @property
    def log(self) -> str:
        """What it has logged, over all its lives."""
        return (self.data.parent / "node.log").read_text()

    def kill9(self) -> None:
        """End it as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._ended()

    def restart(self) -> None:
        """Start again after its end, on the same port and data."""
        self.start(int(self.endpoint.rpartition(":")[2]))

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._ended()

    def signal(self, number: int) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def _ended(self) -> int:
        assert self._process is not None
        code = self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        if self._log is not None:
            self._log.close()
        self._process = None
        return code

    @property
    def is_running(self) -> bool:
        """True from `start` until its end."""
        return self._process is not None and self._process.poll() is None


_MODELS = botocore.loaders.create_loader()
"""boto3's sessions each read the services' models anew, which takes most of the time that a client takes."""


class Clients:
    """Makes boto3 clients and closes them."""

    def __init__(self, account: str) -> None:
        self.account = account
        """The account of clients that name no other."""
        self._made: list[Any] = []
        self._bodies: list[Any] = []
        """Streamed bodies of answers: one that a test does not read to its end would keep its connection."""

    def make(
        self,
        endpoint: str,
        service: str,
        *,
        account: str | None = None,
        region: str = REGION,
        keys: tuple[str, str] | None = None,
        token: str | None = None,
        **options: Any,
    ) -> Any:
        """A client of `service`. `keys` are an access key id and its secret; by default the account's twelve digits."""
        key, secret = keys or (account or self.account, "test")
        config = BotoConfig(**{"retries": {"mode": "standard", "total_max_attempts": 1}, "read_timeout": 60, **options})
        session = botocore.session.get_session()
        session.register_component("data_loader", _MODELS)
        session.user_agent_name, session.user_agent_version = "Boto3", boto3.__version__
        client = session.create_client(
            service,
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=config,
        )
        client.meta.events.register("after-call", self._note_bodies)
        self._made.append(client)
        return client

    def _note_bodies(self, parsed: dict[str, Any], **_more: object) -> None:
        self._bodies += [value for value in parsed.values() if hasattr(value, "close")]

    def close(self) -> None:
        """Close all clients that were made."""
        for body in self._bodies:
            body.close()
        for client in self._made:
            client.close()


def fresh_account() -> str:
    """Twelve random digits: an account in which nothing is yet."""
    return f"{int.from_bytes(os.urandom(8), 'big') % 10**12:012d}"


def control(endpoint: str, command: str, body: dict[str, Any] | None = None) -> Any:
    """What `/_cloudlet/<command>` answers, as JSON; a POST when there is a body."""
    request = urllib.request.Request(
        f"{endpoint}/_cloudlet/{command}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def control_as_root(node: NodeInThread, command: str, body: dict[str, Any]) -> Any:
    """What `/_cloudlet/<command>` answers to a POST that is signed with the node's root key."""
    key = NodeFolder(node.config.data).root_key()
    assert key is not None
    content, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
    signed = AWSRequest("POST", f"{node.endpoint}/_cloudlet/{command}", headers=headers, data=content)
    SigV4Auth(Credentials(*key), "cloudlet", "us-east-1").add_auth(signed)
    request = urllib.request.Request(str(signed.url), data=content, headers=dict(signed.headers.items()))
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


@contextmanager
def running(node: NodeInThread) -> Iterator[NodeInThread]:
    """Start a node, and stop it at the end."""
    node.start()
    try:
        yield node
    finally:
        node.stop()
