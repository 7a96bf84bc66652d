"""Delivery of telemetry into a sandbox: batches over HTTP, or lines over TCP, to its own loopback and nowhere else.

The socket is made inside the sandbox's network namespace (see `Sandbox.new_socket`), so what the subscriber names can
only ever be something in the sandbox. It is as hostile as the function: what it answers is bounded in size and time.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import httptools

from cloudlet.compute.telemetry_api import Destination

LOOPBACK: Final = "127.0.0.1"
EXCHANGE_LIMIT_S: Final = 5.0
"""For one batch; then it is tried again on a new connection."""
MAX_ANSWER_BYTES: Final = 64 * 1024
FIRST_RETRY_S: Final = 0.05
LAST_RETRY_S: Final = 2.0

MakeSocket = Callable[[], Awaitable[socket.socket]]
"""Makes an unconnected, non-blocking socket in the sandbox's network."""


class DeliveryFailed(Exception):
    """The subscriber did not take a batch; it may be tried again."""


class Delivery:
    """One subscriber's connection, made when it is needed and kept while it works."""

    def __init__(self, destination: Destination, make_socket: MakeSocket) -> None:
        self._destination = destination
        self._make_socket = make_socket
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, events: Sequence[bytes]) -> None:
        """Deliver a batch. Raises DeliveryFailed."""
        try:
            async with asyncio.timeout(EXCHANGE_LIMIT_S):
                if self._destination.protocol == "TCP":
                    await self._send_lines(events)
                else:
                    await self._post(b"[" + b",".join(events) + b"]")
        except (OSError, TimeoutError, EOFError, httptools.HttpParserError) as error:
            self.close()
            raise DeliveryFailed(str(error)) from error
        except BaseException:
            self.close()
            raise

    async def _send_lines(self, events: Sequence[bytes]) -> None:
        _reader, writer = await self._connection()
        writer.write(b"\n".join(events) + b"\n")
        await writer.drain()

    async def _post(self, body: bytes) -> None:
        destination = self._destination
        reader, writer = await self._connection()
        head = (
            f"{destination.method} {destination.path} HTTP/1.1\r\nHost: sandbox.localdomain:{destination.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        await writer.drain()
        answer = _Answer()
        await answer.read(reader)
        if not answer.keeps_alive:
            self.close()
        if answer.status >= 400:
            raise OSError(f"The subscriber answered {answer.status}.")

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._reader is not None and self._writer is not None and not self._reader.at_eof():
            return self._reader, self._writer
        self.close()
        made = await self._make_socket()
        try:
            await asyncio.get_running_loop().sock_connect(made, (LOOPBACK, self._destination.port))
            self._reader, self._writer = await asyncio.open_connection(sock=made)
        except BaseException:
            made.close()
            raise
        return self._reader, self._writer

    def close(self) -> None:
        """Hang up. May be called twice."""
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            writer.transport.abort()


class _Answer:
    """One HTTP answer; only its status matters."""

    def __init__(self) -> None:
        self._is_complete = False
        self._parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.keeps_alive = False

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()

    def on_message_complete(self) -> None:
        self._is_complete = self.status >= 200  # those below are announcements of the real one
        self.keeps_alive = self._parser.should_keep_alive()

    async def read(self, reader: asyncio.StreamReader) -> None:
        """Until it is whole. Raises OSError, EOFError, HttpParserError."""
        size = 0
        while not self._is_complete:
            data = await reader.read(MAX_ANSWER_BYTES)
            if not data:
                if self.status:  # without a length: it ends with the connection
                    return
                raise EOFError("The subscriber hung up.")
            size += len(data)
            if size > MAX_ANSWER_BYTES:
                raise OSError("The subscriber's answer is too long.")
            self._parser.feed_data(data)
