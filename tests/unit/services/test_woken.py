"""Loops that are woken."""

import asyncio
import logging

import pytest

from cloudlet.services import woken
from cloudlet.store.base import StoreError
from tests.support.clock import ManualClock

logger = logging.getLogger("cloudlet.test")


async def test_nothing_is_done_until_it_is_asked_for() -> None:
    wake, done = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        done.set()

    loop = asyncio.create_task(woken.work_when_woken(wake, work, logger, "it failed"))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not done.is_set()
    wake.set()
    await done.wait()
    assert not wake.is_set()
    loop.cancel()


async def test_what_the_store_could_not_do_is_tried_again_and_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(woken, "RETRY_S", 0)
    wake, done = asyncio.Event(), asyncio.Event()
    failures = [StoreError("no"), StoreError("no")]

    async def work() -> None:
        if failures:
            raise failures.pop()
        done.set()

    loop = asyncio.create_task(woken.work_when_woken(wake, work, logger, "words could not be read"))
    wake.set()
    await done.wait()
    loop.cancel()
    assert [record.getMessage() for record in caplog.records] == ["words could not be read; will be tried again"] * 2


async def test_an_error_that_is_not_the_stores_ends_it() -> None:
    wake = asyncio.Event()

    async def work() -> None:
        raise ValueError("a bug")

    wake.set()
    with pytest.raises(ValueError, match="a bug"):
        await woken.work_when_woken(wake, work, logger, "it failed")


async def test_a_sweep_that_the_store_broke_off_is_tried_again_before_its_interval_is_over(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(woken, "SWEEP_RETRY_S", 0)
    clock, done = ManualClock(), asyncio.Event()
    failures = [StoreError("no"), StoreError("no")]

    async def sweep() -> None:
        if failures:
            raise failures.pop()
        done.set()

    loop = asyncio.create_task(woken.sweep_for_ever(clock, 3600, sweep, logger, "words could not be swept"))
    await done.wait()
    loop.cancel()
    assert [record.getMessage() for record in caplog.records] == ["words could not be swept; will be tried again"] * 2


async def test_an_interval_begins_with_the_sweep() -> None:
    """Time that is moved during a sweep is not waited for once more."""
    clock, done = ManualClock(), asyncio.Event()
    begun_s, began = clock.now(), []

    async def sweep() -> None:
        began.append(clock.now())
        clock.advance(5000)
        if len(began) == 3:
            done.set()
            await asyncio.Event().wait()

    loop = asyncio.create_task(woken.sweep_for_ever(clock, 3600, sweep, logger, "words could not be swept"))
    await done.wait()
    loop.cancel()
    assert began == [begun_s, begun_s + 5000, begun_s + 10000]
