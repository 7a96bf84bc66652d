"""How many messages a queue has. Counted in steps, between which others get their turn: queues may be long."""

import asyncio
from functools import partial
from typing import Final

from cloudlet.services.sqs import message_tables
from cloudlet.store.base import Store

VISIBLE_AT_ONCE: Final = 20_000
INVISIBLE_AT_ONCE: Final = 5_000
_LAST: Final = (1 << 63) - 1
"""No sequence is higher."""


async def visible(store: Store, bucket: int, now_ms: int) -> int:
    """How many messages can be received."""
    total, after = 0, (-1, -1)
    while True:
        read = partial(message_tables.visible_some, bucket=bucket, after=after, until_ms=now_ms, limit=VISIBLE_AT_ONCE)
        counted, after = await store.read(read)
        total += counted
        if counted < VISIBLE_AT_ONCE:
            return total
        await asyncio.sleep(0)


async def invisible(store: Store, bucket: int, now_ms: int) -> tuple[int, int]:
    """How many messages are in flight, and how many are delayed."""
    in_flight, delayed = 0, 0
    after: tuple[int, int] | None = (now_ms, _LAST)
    while after is not None:
        read = partial(message_tables.invisible_some, bucket=bucket, after=after, limit=INVISIBLE_AT_ONCE)
        more_in_flight, more_delayed, after = await store.read(read)
        in_flight += more_in_flight
        delayed += more_delayed
        await asyncio.sleep(0)
    return in_flight, delayed
