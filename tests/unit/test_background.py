import asyncio
import logging

import pytest

from cloudlet.background import Background


async def forever(ended: list[str], name: str) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append(name)


async def test_loops_end_with_it() -> None:
    ended: list[str] = []
    async with Background() as background:
        background.tasks.create_task(forever(ended, "one"))
        background.tasks.create_task(forever(ended, "two"))
        await asyncio.sleep(0)
    assert sorted(ended) == ["one", "two"]


async def test_a_loop_that_fails_is_told_and_ends_the_others(caplog: pytest.LogCaptureFixture) -> None:
    async def failing() -> None:
        raise RuntimeError("broken loop")

    ended: list[str] = []
    with caplog.at_level(logging.ERROR):
        async with Background() as background:
            background.tasks.create_task(forever(ended, "other"))
            await asyncio.sleep(0)
            background.tasks.create_task(failing())
            await background.failed()
    assert ended == ["other"]
    assert "broken loop" in caplog.text
