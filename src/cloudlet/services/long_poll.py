"""Waiting for as long as there is somebody to answer."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from cloudlet.iam.principals import RequestContext

T = TypeVar("T")


async def while_there(context: RequestContext, work: Coroutine[Any, Any, T], end: asyncio.Event) -> T | None:
    """What `work` gives; it is cancelled, and None given, when the client closes its connection before, or at `end`."""
    task = asyncio.ensure_future(work)
    reasons: list[asyncio.Future[Any]] = [asyncio.ensure_future(end.wait())]
    if context.gone is not None:
        reasons.append(asyncio.ensure_future(context.gone()))
    try:
        await asyncio.wait((task, *reasons), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for reason in reasons:
            reason.cancel()
        task.cancel()
