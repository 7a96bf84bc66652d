"""Loops that work when they are woken, and go on when the store could not do its part."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

from cloudlet.store.base import StoreError

RETRY_S: Final = 1.0
"""After a failure of the store, it is given this time."""


async def work_when_woken(
    wake: asyncio.Event, work: Callable[[], Awaitable[None]], logger: logging.Logger, complaint: str
) -> NoReturn:
    """Call `work` whenever `wake` is set, until cancelled.

    `work` may fail with StoreError and be called again: it forgets nothing that it has not done.
    `complaint` says what could not be done ("queues could not be read").
    """
    while True:
        await wake.wait()
        wake.clear()
        try:
            await work()
        except StoreError:
            logger.warning("%s; will be tried again", complaint, exc_info=True)
            await asyncio.sleep(RETRY_S)
            wake.set()
