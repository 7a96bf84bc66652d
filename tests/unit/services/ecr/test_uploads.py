"""Layers that are being sent: who loses one when there are too many."""

from collections.abc import Iterator
from pathlib import Path

import pytest

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
