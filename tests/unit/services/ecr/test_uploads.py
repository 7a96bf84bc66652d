"""Layers that are being sent: who loses one when there are too many."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudlet.compute.images.store import Incoming
from cloudlet.ids import Ids
from cloudlet.services.ecr import uploads
from cloudlet.services.ecr.errors import LimitExceeded, UploadNotFound
from cloudlet.services.ecr.tables import Key
from cloudlet.services.ecr.uploads import Uploads
from cloudlet.store.folder_blobs import FolderBlobs
from tests.support.clock import ManualClock

GREEDY, MODEST = Key("111111111111", "us-east-1", "app"), Key("222222222222", "us-east-1", "app")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def under_way(tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Uploads]:
    monkeypatch.setattr(uploads, "MAX_UPLOADS", 4)
    made = Uploads(FolderBlobs(tmp_path), clock, Ids())
    yield made
    made.close()


async def test_nobody_keeps_others_from_sending(under_way: Uploads, clock: ManualClock) -> None:
    first, *others = [await under_way.begin(GREEDY) for _ in range(4)]
    with pytest.raises(LimitExceeded):
        await under_way.begin(GREEDY)
    made = await under_way.begin(MODEST)
    assert under_way.find(MODEST, made.upload_id) is made
    assert [under_way.find(GREEDY, one.upload_id) for one in others] == others
    with pytest.raises(UploadNotFound):
        under_way.find(GREEDY, first.upload_id)
    assert not first.incoming.path.exists()


async def test_what_is_being_written_is_not_taken_away(under_way: Uploads) -> None:
    made = [await under_way.begin(GREEDY) for _ in range(4)]
    for one in made:
        await one.lock.acquire()
    with pytest.raises(LimitExceeded):
        await under_way.begin(MODEST)


async def test_what_is_ended_while_it_is_written_is_gone(under_way: Uploads) -> None:
    one = await under_way.begin(MODEST)
    under_way.end(one)
    with pytest.raises(UploadNotFound, match=one.upload_id):
        await one.write(0, b"more")


async def test_who_goes_while_an_upload_begins_leaves_no_file(
    under_way: Uploads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, may_go_on, closed = threading.Event(), threading.Event(), asyncio.Event()
    scratch, close = FolderBlobs.scratch, Incoming.close

    def slow_scratch(blobs: FolderBlobs) -> tuple[int, Path]:
        began.set()
        may_go_on.wait()
        return scratch(blobs)

    def told_close(incoming: Incoming) -> None:
        close(incoming)
        closed.set()

    monkeypatch.setattr(FolderBlobs, "scratch", slow_scratch)
    monkeypatch.setattr(Incoming, "close", told_close)
    beginning = asyncio.create_task(under_way.begin(MODEST))
    await asyncio.to_thread(began.wait)
    beginning.cancel()
    may_go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await beginning
    async with asyncio.timeout(10):
        await closed.wait()
    assert list(tmp_path.iterdir()) == []
