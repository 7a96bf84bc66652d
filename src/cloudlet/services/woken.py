"""Loops that work when they are woken, or once in a while, and go on when the store could not do its part."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

from cloudlet.clock import Clock
from cloudlet.store.base import StoreError

RETRY_S: Final = 1.0
"""After a failure of the store, it is given this time."""
SWEEP_RETRY_S: Final = 10.0
"""The same, where nobody waits."""


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


async def sweep_for_ever(
    clock: Clock, interval_s: float, sweep: Callable[[], Awaitable[None]], logger: logging.Logger, complaint: str
) -> NoReturn:
    """Call `sweep`, which clears away all that is too old, every `interval_s` of the platform's time; until cancelled.

    It counts from when the sweep began: what becomes due while time is moved during it does not wait for another
    interval. A sweep that failed with StoreError is tried again soon. `complaint`: as of `work_when_woken`.
    """
    while True:
        next_s = clock.now() + interval_s
        try:
            await sweep()
        except StoreError:
            logger.warning("%s; will be tried again", complaint, exc_info=True)
            await asyncio.sleep(SWEEP_RETRY_S)
        else:
            await clock.sleep_loosely_until(next_s)
