"""A client that costs little: what botocore spends on a request would be most of what is measured.

One `Connection` sends one request after another, each signed with SigV4 as any client signs it.
"""

import asyncio
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import httptools
import orjson

from benchmarks.load import ANY_KEY, KEYS, REGION


class CallFailed(Exception):
    """The status was not 200; the message is the answer."""


class Signer:
    """Signs for one service of one host. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html"""

    def __init__(self, service: str, url: str) -> None:
        self._service = service
        self._host = urlsplit(url).netloc
        self._access_key_id, self._secret = KEYS.get(url, ANY_KEY)
        self._day = ""
        self._key = b""

    def head(self, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        """The head of a signed POST. The names of `headers` are in lower case."""
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        scope = f"{moment[:8]}/{REGION}/{self._service}/aws4_request"
        if moment[:8] != self._day:
            self._day, key = moment[:8], b"AWS4" + self._secret.encode()
            for part in scope.split("/"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key = key
        signed = sorted((headers | {"host": self._host, "x-amz-date": moment}).items())
        lines, names = "".join(f"{name}:{value}\n" for name, value in signed), ";".join(name for name, _ in signed)
        canonical = f"POST\n{path}\n\n{lines}\n{names}\n{sha256(body).hexdigest()}"
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._key, text.encode(), "sha256").hex()
        sent = "".join(f"{name}: {value}\r\n" for name, value in signed)
        return (
            f"POST {path} HTTP/1.1\r\n{sent}content-length: {len(body)}\r\nauthorization: AWS4-HMAC-SHA256 "
            f"Credential={self._access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}\r\n\r\n"
        ).encode()


class Connection(asyncio.Protocol):
    """One connection to an endpoint, which is used by one task at a time; made anew where the endpoint ends it."""

    def __init__(self, url: str, service: str) -> None:
        self._address = urlsplit(url)
        self._signer = Signer(service, url)
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._content: list[bytes] = []
        self._answer: asyncio.Future[bytes] | None = None

    async def open(self) -> asyncio.Transport:
        """Connect. Raises OSError."""
        loop, address = asyncio.get_running_loop(), self._address
        self._transport, _ = await loop.create_connection(lambda: self, str(address.hostname), address.port or 80)
        return self._transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError())

    def on_body(self, data: bytes) -> None:
        self._content.append(data)

    def on_message_complete(self) -> None:
        content, status = b"".join(self._content), self._parser.get_status_code()
        if not self._parser.should_keep_alive():
            self.close()
        self._parser, self._content = httptools.HttpResponseParser(self), []
        assert self._answer is not None
        if status < 300:
            self._answer.set_result(content)
        else:
            self._answer.set_exception(CallFailed(f"{status}: {content[:300]!r}"))

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        """The content of the answer. Raises CallFailed, ConnectionResetError."""
        transport = self._transport or await self.open()
        self._answer = asyncio.get_running_loop().create_future()
        transport.write(self._signer.head(path, body, headers) + body)
        return await self._answer

    async def sqs(self, operation: str, **params: Any) -> Any:
        """An operation of SQS in its JSON protocol."""
        headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"AmazonSQS.{operation}"}
        return orjson.loads(await self.post("/", orjson.dumps(params), headers) or b"{}")

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None


@asynccontextmanager
async def connections(url: str, service: str, count: int) -> AsyncIterator[list[Connection]]:
    """So many open connections to `url`."""
    made = [Connection(url, service) for _ in range(count)]
    try:
        for each in made:
            await each.open()
        yield made
    finally:
        for each in made:
            each.close()
