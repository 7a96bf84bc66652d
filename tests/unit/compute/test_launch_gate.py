"""Launches take turns."""

import asyncio

from cloudlet.compute.launch_gate import LaunchGate


async def enter(gate: LaunchGate, key: str, order: list[str]) -> None:
    await gate.enter(key)
    order.append(key)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_as_many_enter_as_there_are_places() -> None:
    gate = LaunchGate(2)
    order: list[str] = []
    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(enter(gate, "a", order))
        await settle()
        assert (len(order), gate.waiting) == (2, 1)
        gate.leave()
    assert len(order) == 3


async def test_functions_take_turns() -> None:
    gate = LaunchGate(1)
    order: list[str] = []
    async with asyncio.TaskGroup() as tasks:
        for key in ("burst", "burst", "burst", "burst", "single"):
            tasks.create_task(enter(gate, key, order))
        await settle()
        for _ in range(4):
            gate.leave()
            await settle()
    assert order == ["burst", "burst", "single", "burst", "burst"]


async def test_who_gives_up_takes_no_place() -> None:
    gate = LaunchGate(1)
    await gate.enter("a")
    waiting = asyncio.create_task(gate.enter("b"))
    await settle()
    waiting.cancel()
    await settle()
    gate.leave()
    await gate.enter("c")
    assert gate.waiting == 0


async def test_who_gives_up_at_the_moment_of_entering_gives_the_place_back() -> None:
    gate = LaunchGate(1)
    await gate.enter("a")
    waiting = asyncio.create_task(gate.enter("b"))
    await settle()
    gate.leave()
    waiting.cancel()
    await settle()
    await asyncio.wait_for(gate.enter("c"), 1)


async def test_nobody_overtakes_who_waits() -> None:
    gate = LaunchGate(1)
    order: list[str] = []
    await gate.enter("a")
    first = asyncio.create_task(enter(gate, "b", order))
    await settle()
    gate.leave()
    second = asyncio.create_task(enter(gate, "c", order))
    await settle()
    gate.leave()
    await asyncio.gather(first, second)
    assert order == ["b", "c"]
