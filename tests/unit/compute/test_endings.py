"""Environments end at once, or in order; either way their room comes free."""

import asyncio
from collections.abc import Coroutine
from typing import Any, cast

import pytest

from cloudlet.compute import endings
from cloudlet.compute.endings import Endings
from cloudlet.compute.placement import Charge
from cloudlet.compute.pool import ManagedEnvironment


class Ending:
    """An environment and its charge, of which only the end is seen."""

    def __init__(self, goodbye: Coroutine[Any, Any, None] | None = None) -> None:
        self.goodbye = goodbye
        self.seen: list[str] = []

    def shut_down(self) -> Coroutine[Any, Any, None] | None:
        return self.goodbye

    def close(self) -> None:
        self.seen.append("closed")

    def release(self) -> None:
        self.seen.append("released")


def end(ending: Ending) -> Endings:
    ends = Endings(lambda: ending.seen.append("told"))
    ends.end(cast(ManagedEnvironment, ending), cast(Charge[Any], ending))
    return ends


async def test_one_without_a_goodbye_gives_its_room_back_at_once() -> None:
    ending = Ending()
    end(ending)
    assert ending.seen == ["released", "told"]


async def test_one_with_a_goodbye_keeps_its_room_until_that_is_said() -> None:
    may_go = asyncio.Event()

    async def goodbye() -> None:
        await may_go.wait()

    ending = Ending(goodbye())
    ends = end(ending)
    assert ending.seen == []
    may_go.set()
    await ends.close()
    assert ending.seen == ["closed", "released", "told"]


async def test_a_goodbye_without_end_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endings, "ENDINGS_LIMIT_S", 0.01)
    told = asyncio.Event()

    async def goodbye() -> None:
        await asyncio.Event().wait()

    ending = Ending(goodbye())
    ends = Endings(told.set)
    ends.end(cast(ManagedEnvironment, ending), cast(Charge[Any], ending))
    await ends.close()
    await told.wait()
    assert ending.seen == ["closed", "released"]
