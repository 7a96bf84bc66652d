"""Reading a request's body, never more of it than its operation takes."""

from collections.abc import AsyncIterator, Mapping

from cloudlet.errors import RequestTooLarge, ServiceError, ServiceUnavailable
from cloudlet.gateway.connection import Receive
from cloudlet.services.base import BodyLimit
from cloudlet.wire.http import HttpRequest

DISCARD_LIMIT_BYTES = 256 * 1024 * 1024
"""A body that is too large is still read, up to this size: most clients read no answer before they have sent all."""
BUDGET_BYTES = 1024 * 1024 * 1024
"""All bodies together that are being read; those that come in one piece are not counted."""


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


async def gone(receive: Receive) -> None:
    """End when the client has closed its connection, or has its answer; what is left of its request's body is lost."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def pieces(receive: Receive) -> AsyncIterator[bytes]:
    """A body as it comes, of any size; the client waits while nobody takes more. Raises ClientGone."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        if body := message["body"]:
            yield body
        more = message["more_body"]


class BodyReader:
    """Reads bodies within their limits, and within a budget for all of them together."""

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        self._budget_bytes = budget_bytes

    async def read(self, request: HttpRequest, receive: Receive, limit: BodyLimit) -> bytes:
        """The body of `request`. Raises the limit's error, ServiceUnavailable over the budget, or ClientGone."""
        declared = _declared_bytes(request.headers)
        if declared == 0:
            return b""
        if declared is not None and declared > limit.max_bytes:
            await self._discard(request, receive, declared)
            raise limit.error(declared, request)
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body: bytes = message["body"]
        if not message["more_body"] and len(body) <= limit.max_bytes:
            return body
        return await self._read_on(request, receive, limit, body, more=message["more_body"])

    async def _read_on(
        self, request: HttpRequest, receive: Receive, limit: BodyLimit, first: bytes, *, more: bool
    ) -> bytes:
        chunks = [first]
        size_bytes = len(first)
        self._budget_bytes -= size_bytes
        try:
            while more and size_bytes <= limit.max_bytes:
                if self._budget_bytes < 0:
                    raise ServiceUnavailable("Too many large requests at once; try again.")
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                chunks.append(message["body"])
                size_bytes += len(chunks[-1])
                self._budget_bytes -= len(chunks[-1])
                more = message["more_body"]
        finally:
            self._budget_bytes += size_bytes
        if size_bytes <= limit.max_bytes:
            return b"".join(chunks)
        chunks.clear()
        rest_bytes = await self._discard(request, receive, DISCARD_LIMIT_BYTES) if more else 0
        raise limit.error(size_bytes + rest_bytes, request)

    async def _discard(self, request: HttpRequest, receive: Receive, size_bytes: int) -> int:
        """Take the rest of a body and forget it, so that the client gets to read why; its size."""
        taken_bytes = 0
        if size_bytes > DISCARD_LIMIT_BYTES or request.headers.get("expect", "").lower() == "100-continue":
            return 0  # A client that asks first has sent nothing yet.
        while taken_bytes <= DISCARD_LIMIT_BYTES:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            taken_bytes += len(message["body"])
            if not message["more_body"]:
                break
        return taken_bytes


def _declared_bytes(headers: Mapping[str, str]) -> int | None:
    """What Content-Length says; 0 when there is no body, None when its size is not known beforehand."""
    if length := headers.get("content-length"):
        return int(length)  # httptools has checked that these are digits
    return None if "transfer-encoding" in headers else 0


def platform_limit(max_bytes: int) -> BodyLimit:
    """The limit of operations that have none of their own."""

    def too_large(_size_bytes: int, _request: HttpRequest) -> ServiceError:
        return RequestTooLarge(f"Request must be smaller than {max_bytes} bytes.")

    return BodyLimit(max_bytes, too_large)
