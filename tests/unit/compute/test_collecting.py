"""What is unused is deleted, batch by batch, as it comes."""

import asyncio
import logging

import pytest

from cloudlet.compute import collecting
from cloudlet.store.base import StoreError

logger = logging.getLogger("cloudlet.test")


class Garbage:
    def __init__(self, *batches: int | Exception) -> None:
        self.batches = list(batches)
        self.is_clean = asyncio.Event()
        self.wake = asyncio.Event()

    async def collect(self) -> int:
        if not self.batches:
            self.is_clean.set()
            return 0
        batch = self.batches.pop(0)
        if isinstance(batch, Exception):
            raise batch
        return batch

    def run(self) -> "asyncio.Task[None]":
        return asyncio.create_task(collecting.collect_for_ever(self.collect, self.wake, logger, "old words"))


async def test_all_batches_are_deleted_and_what_comes_later_when_it_is_told() -> None:
    garbage = Garbage(2, 2, 1)
    loop = garbage.run()
    await garbage.is_clean.wait()
    garbage.is_clean.clear()
    garbage.batches.append(3)
    garbage.wake.set()
    await garbage.is_clean.wait()
    loop.cancel()


@pytest.mark.parametrize("error", [StoreError("no"), OSError("no")], ids=["store", "disk"])
async def test_a_failure_is_told_and_tried_again_in_a_while(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(collecting, "COLLECT_INTERVAL_S", 0.001)
    garbage = Garbage(error, 1)
    loop = garbage.run()
    await garbage.is_clean.wait()
    loop.cancel()
    assert [record.getMessage() for record in caplog.records] == ["old words could not be deleted; will be tried again"]
