"""Invocations whose response is passed on while the function writes it.

https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html
"""

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import orjson

from cloudlet.compute.function import FunctionVersion, Invocation, InvocationResult
from cloudlet.compute.response_stream import ResponseStream
from cloudlet.services.lambda_.engines import Compute

CONTENT_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Streamed:
    """An invocation that runs: its stream, and what comes of it in the end."""

    stream: ResponseStream
    outcome: "asyncio.Future[InvocationResult]"

    @classmethod
    async def begin(cls, compute: Compute, function: FunctionVersion, invocation: Invocation) -> "Streamed":
        """Run `function`; return when it streams, or has answered in one piece.

        Raises ComputeError where it could not run at all.
        """
        stream = invocation.stream = ResponseStream()
        outcome = asyncio.ensure_future(compute.invoke(function, invocation))
        outcome.add_done_callback(lambda _: stream.end())
        try:
            if not await stream.begun():
                await outcome
        except asyncio.CancelledError:
            outcome.cancel()
            raise
        return cls(stream, outcome)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The response, as it comes; of a function that answered in one piece, that piece unless it is an error."""
        try:
            async for chunk in self.stream:
                yield chunk
        finally:
            self.stream.abandon()
        if not self.stream.has_begun:
            result = await self.outcome
            if result.payload and not result.function_error:
                yield result.payload

    async def result(self) -> InvocationResult:
        """What came of it. Raises ComputeError."""
        return await self.outcome


async def events(streamed: Streamed) -> AsyncIterator[dict[str, Any]]:
    """The event stream of InvokeWithResponseStream."""
    async with aclosing(streamed.chunks()) as chunks:
        async for chunk in chunks:
            yield {"PayloadChunk": {"Payload": chunk}}
    result = await streamed.result()
    complete: dict[str, Any] = {}
    if result.function_error:
        complete |= {"ErrorCode": _error_type(result.payload), "ErrorDetails": result.payload.decode(errors="replace")}
    if result.log_tail:
        complete["LogResult"] = base64.b64encode(result.log_tail).decode()
    yield {"InvokeComplete": complete}


def _error_type(payload: bytes) -> str:
    try:
        found = orjson.loads(payload).get("errorType")
    except (orjson.JSONDecodeError, AttributeError):
        found = None
    return found if isinstance(found, str) and found else "Unhandled"
