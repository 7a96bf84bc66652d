"""Work in threads that leaves nothing behind."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

T = TypeVar("T")


async def made_in_thread(make: Callable[[], T], give_up: Callable[[T], object]) -> T:
    """What `make` makes in a thread, such as a file that is open.

    A thread cannot be stopped: what it makes while the caller is cancelled is handed to `give_up`, in the loop.
    """
    making = asyncio.get_running_loop().run_in_executor(None, make)
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        making.add_done_callback(partial(_unwanted, give_up))
        raise


def _unwanted(give_up: Callable[[T], object], made: "asyncio.Future[T]") -> None:
    if not made.cancelled() and made.exception() is None:
        give_up(made.result())
