"""Who waits is let go when its client is gone."""

import asyncio

import pytest

from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.services.long_poll import while_there


class World:
    """A client, and work for it."""

    def __init__(self) -> None:
        self.gone, self.done, self.cancelled = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.end = asyncio.Event()
        self.context = RequestContext(Principal.root("111111111111"), "us-east-1", "id", gone=self.gone.wait)

    async def work(self) -> str:
        try:
            await self.done.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return "done"


async def test_what_is_done_is_answered() -> None:
    world = World()
    world.done.set()
    assert await while_there(world.context, world.work(), world.end) == "done"
    assert not world.cancelled.is_set()


async def test_a_client_that_goes_ends_the_wait() -> None:
    world = World()
    waiting = asyncio.create_task(while_there(world.context, world.work(), world.end))
    await asyncio.sleep(0)
    world.gone.set()
    assert await waiting is None
    await asyncio.wait_for(world.cancelled.wait(), 10)


async def test_a_node_that_stops_ends_the_wait() -> None:
    world = World()
    waiting = asyncio.create_task(while_there(world.context, world.work(), world.end))
    await asyncio.sleep(0)
    world.end.set()
    assert await waiting is None
    await asyncio.wait_for(world.cancelled.wait(), 10)


async def test_who_gives_up_itself_ends_the_work() -> None:
    world = World()
    waiting = asyncio.create_task(while_there(world.context, world.work(), world.end))
    for _ in range(5):
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.wait_for(world.cancelled.wait(), 10)


async def test_an_error_is_the_waiter_s() -> None:
    async def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await while_there(World().context, fail(), asyncio.Event())


async def test_a_call_from_inside_waits_as_long_as_it_takes() -> None:
    world = World()
    world.done.set()
    assert await while_there(RequestContext(Principal.root("1" * 12), "r", "id"), world.work(), world.end) == "done"
