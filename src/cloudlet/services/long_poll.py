"""Waiting for as long as there is somebody to answer."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from cloudlet.iam.principals import RequestContext

T = TypeVar("T")


async def while_there(context: RequestContext, work: Coroutine[Any, Any, T]) -> T | None:
    """What `work` gives; it is cancelled, and None given, when the client closes its connection before."""
    if context.gone is None:
        return await work
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(context.gone())
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        gone.cancel()
        task.cancel()
