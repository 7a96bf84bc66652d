"""The launcher's loop."""

import os
import select
from collections.abc import Iterator

import pytest

from cloudlet.compute.launcher.agent.loop import Loop


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read_end, write_end = os.pipe()
    yield read_end, write_end
    os.close(read_end)
    os.close(write_end)


def test_a_handler_is_called_when_its_descriptor_has_something(pipe: tuple[int, int]) -> None:
    loop = Loop()
    seen: list[bytes] = []

    def read() -> None:
        seen.append(os.read(pipe[0], 10))
        loop.is_done = True

    loop.handle(pipe[0], select.EPOLLIN, read)
    os.write(pipe[1], b"word")
    loop.run(lambda: False, lambda: None)
    assert seen == [b"word"]


def test_idle_work_is_done_when_nothing_happens(pipe: tuple[int, int]) -> None:
    loop = Loop()
    done: list[str] = []

    def work() -> None:
        done.append("work")
        loop.is_done = len(done) == 2

    loop.handle(pipe[0], select.EPOLLIN, lambda: done.append("never"))
    loop.run(lambda: True, work)
    assert done == ["work", "work"]


def test_who_is_forgotten_in_the_same_round_is_not_called(pipe: tuple[int, int]) -> None:
    """Both have something; the first that is called forgets the other."""
    other = os.dup(pipe[0])
    loop = Loop()
    called: list[int] = []

    def handler(mine: int, others: int) -> None:
        called.append(mine)
        loop.forget(others)
        loop.is_done = True

    loop.handle(pipe[0], select.EPOLLIN, lambda: handler(pipe[0], other))
    loop.handle(other, select.EPOLLIN, lambda: handler(other, pipe[0]))
    os.write(pipe[1], b"x")
    loop.run(lambda: False, lambda: None)
    os.close(other)
    assert len(called) == 1


def test_what_is_opened_under_the_number_of_one_that_was_forgotten_has_nothing_yet(pipe: tuple[int, int]) -> None:
    """Both have something; the first that is called closes the other, and opens what gets its number."""
    first, second = os.dup(pipe[0]), os.dup(pipe[0])
    loop = Loop()
    called: list[str] = []

    def replace(other: int) -> None:
        called.append("one that had something")
        loop.is_done = True
        loop.forget(other)
        os.dup2(pipe[1], other)
        loop.handle(other, select.EPOLLERR, lambda: called.append("its successor"))

    loop.handle(first, select.EPOLLIN, lambda: replace(second))
    loop.handle(second, select.EPOLLIN, lambda: replace(first))
    os.write(pipe[1], b"x")
    loop.run(lambda: False, lambda: None)
    os.close(first)
    os.close(second)
    assert called == ["one that had something"]
