"""Work in threads that leaves nothing behind."""

import asyncio
import threading

import pytest

from cloudlet.threads import made_in_thread


class Making:
    """Something that is made in a thread, when it is let."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.began = threading.Event()
        self.unwanted: list[str] = []
        self.given_up = asyncio.Event()

    def make(self) -> str:
        self.began.set()
        self.may_end.wait()
        return "it"

    def give_up(self, made: str) -> None:
        self.unwanted.append(made)
        self.given_up.set()


async def test_who_waits_gets_what_was_made() -> None:
    making = Making()
    making.may_end.set()
    assert await made_in_thread(making.make, making.give_up) == "it"
    assert making.unwanted == []


async def test_what_nobody_waits_for_any_more_is_given_up() -> None:
    making = Making()
    waiting = asyncio.create_task(made_in_thread(making.make, making.give_up))
    await asyncio.to_thread(making.began.wait)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    making.may_end.set()
    await making.given_up.wait()
    assert making.unwanted == ["it"]


async def test_what_could_not_be_made_is_raised() -> None:
    def make() -> str:
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        await made_in_thread(make, print)
