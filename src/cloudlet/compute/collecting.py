"""The deletion of what nobody needs any more: code packages, parts of images."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

from cloudlet.store.base import StoreError

COLLECT_INTERVAL_S: Final = 600.0
"""It is also looked without being told: a lease runs out by itself, and a node that is gone tells nobody."""


async def collect_for_ever(
    collect: Callable[[], Awaitable[int]], wake: asyncio.Event, logger: logging.Logger, what: str
) -> NoReturn:
    """Call `collect`, which deletes a batch of `what`, until nothing is left; again when woken, or in a while."""
    while True:
        wake.clear()
        try:
            while await collect():
                pass
        except (StoreError, OSError):
            logger.warning("%s could not be deleted; will be tried again", what, exc_info=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(COLLECT_INTERVAL_S):
                await wake.wait()
