"""A small client of a node's public interface: signed HTTP, with botocore's signer."""

import http.client
import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import SplitResult, urlsplit

from cloudlet.cli.output import CommandError
from cloudlet.config import DEFAULT_DATA, Config
from cloudlet.node_folder import NodeFolder

TIMEOUT_S = 910.0
"""A little more than the longest that a function may run."""
CONTROL = "cloudlet"
"""What requests to the node's own interface are signed for."""
START_HINT = "Start one with: cloudlet up"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the node answered."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> Any:
        """The body's JSON."""
        return json.loads(self.body or b"{}")


class NodeSilent(CommandError):
    """Nobody answers at the node's address, or the answer broke off."""


class ServiceFailure(CommandError):
    """The node answered with an error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{message} ({code})" if message else code)
        self.code = code


class Client:
    """Calls one node. Signs with the root key where this user can read it, else as `test`."""

    def __init__(
        self,
        endpoint: str,
        access_key_id: str,
        secret_access_key: str,
        region: str,
        root_key: tuple[str, str] | None = None,
    ) -> None:
        self._url = urlsplit(endpoint)
        if self._url.scheme != "http" or not self._url.hostname or not _has_port(self._url):
            raise CommandError(f"{endpoint} is not the address of a node, like http://127.0.0.1:4566.", exit_code=2)
        self._keys = access_key_id, secret_access_key
        self._root_key = root_key
        self.endpoint = endpoint
        self.region = region

    @classmethod
    def connect(
        cls, config: Config, endpoint: str | None = None, region: str | None = None, account: str | None = None
    ) -> Self:
        """A client of the node that `endpoint` or the data folder names. Makes no connection yet.

        Raises NodeSilent when no node runs on a folder that somebody has named: what is at the usual port is another's,
        and `reset` would empty it.
        """
        folder = NodeFolder(config.data)
        if endpoint is None:
            endpoint = folder.endpoint()
        if endpoint is None:
            if config.data != DEFAULT_DATA and folder.can_be_seen():
                raise NodeSilent(f"No node runs on {config.data}.", START_HINT)
            endpoint = f"http://{config.host}:{config.port}"
        root_key = folder.root_key()
        keys = (account, "test") if account else root_key or ("test", "test")
        found = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or config.region
        return cls(endpoint, *keys, found, root_key)

    def call(self, service: str, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = {}) -> Answer:
        """Send one signed request. Raises CommandError when no node answers, ServiceFailure for an error answer."""
        signed = self._signed(service, method, path, body, headers)
        connection = http.client.HTTPConnection(self._url.hostname or "", self._url.port, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, body=body, headers=dict(signed))
            response = connection.getresponse()
            answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        except (ConnectionRefusedError, socket.gaierror) as error:
            raise NodeSilent(f"No node answers at {self.endpoint}.", START_HINT) from error
        except (OSError, http.client.HTTPException) as error:
            raise NodeSilent(f"The node at {self.endpoint} broke off: {error or type(error).__name__}") from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise _failure(answer)
        return answer

    def json(self, service: str, target: str, params: Mapping[str, Any]) -> Any:
        """Call an operation of a json-1.1 service."""
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target}
        return self.call(service, "POST", "/", json.dumps(params).encode(), headers).json()

    @contextmanager
    def sdk(self, *services: str) -> Iterator[list[Any]]:
        """botocore's clients of services, for operations that are no plain JSON.

        What they raise in the block becomes CommandError or ServiceFailure.
        """
        import botocore.session
        from botocore.config import Config as SdkConfig
        from botocore.exceptions import BotoCoreError, ClientError

        key, secret = self._keys
        session = botocore.session.Session()
        settings = SdkConfig(retries={"mode": "standard", "total_max_attempts": 1}, read_timeout=TIMEOUT_S)
        clients = [
            session.create_client(
                service,
                region_name=self.region,
                endpoint_url=self.endpoint,
                aws_access_key_id=key,
                aws_secret_access_key=secret,
                config=settings,
            )
            for service in services
        ]
        try:
            yield clients
        except ClientError as error:
            raise ServiceFailure(error.response["Error"]["Code"], error.response["Error"]["Message"]) from error
        except BotoCoreError as error:
            raise CommandError(f"No node answers at {self.endpoint}.", START_HINT) from error
        finally:
            for client in clients:
                client.close()

    def in_region(self, region: str) -> Self:
        """A client of the same node in another region."""
        return type(self)(self.endpoint, *self._keys, region, self._root_key)

    def at(self, endpoint: str) -> Self:
        """A client of a node with the same keys elsewhere."""
        return type(self)(endpoint, *self._keys, self.region, self._root_key)

    def control(self, method: str, command: str, params: Mapping[str, Any] | None = None) -> Any:
        """Call `/_cloudlet/<command>`, with the root key where this user may read it, whatever the account."""
        body = b"" if params is None else json.dumps(params).encode()
        return self.call(CONTROL, method, f"/_cloudlet/{command}", body, {"Content-Type": "application/json"}).json()

    def _signed(
        self, service: str, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> Mapping[str, str]:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        request = AWSRequest(method=method, url=f"http://{self._url.netloc}{path}", data=body, headers=dict(headers))
        keys = (self._root_key or self._keys) if service == CONTROL else self._keys
        SigV4Auth(Credentials(*keys), service, self.region).add_auth(request)
        return {name: str(value) for name, value in request.headers.items()}


def _has_port(url: SplitResult) -> bool:
    """Whether the port of `url` can be one; it may be left out."""
    try:
        return url.port != 0
    except ValueError:
        return False


def _failure(answer: Answer) -> ServiceFailure:
    try:
        body = answer.json()
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    code = answer.headers.get("x-amzn-errortype") or body.get("__type") or body.get("code") or f"HTTP {answer.status}"
    message = body.get("message") or body.get("Message") or ""
    return ServiceFailure(str(code).split(":")[0].rpartition("#")[2], str(message))


def read_payload(argument: str) -> bytes:
    """The payload that an argument names: the text itself, a file, or `-` for the standard input.

    Files are named as for curl (`@file`) or as for the AWS CLI (`file://`, `fileb://`); no JSON begins like that.
    """
    if argument == "-":
        return sys.stdin.buffer.read()
    for prefix in ("@", "file://", "fileb://"):
        if argument.startswith(prefix):
            file = argument.removeprefix(prefix)
            try:
                return Path(file).expanduser().read_bytes()
            except OSError as error:
                raise CommandError(f"{file}: {error.strerror}", exit_code=2) from error
    return argument.encode(errors="surrogateescape")
