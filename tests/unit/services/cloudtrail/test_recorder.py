"""From the queue to store and file: nothing is lost silently, nothing grows without bound."""

import stat
from pathlib import Path
from typing import Any

import orjson
import pytest

from cloudlet.services.cloudtrail import recorder as recorder_module
from cloudlet.services.cloudtrail import tables
from cloudlet.services.cloudtrail.audit_file import AuditFile
from cloudlet.services.cloudtrail.queue import CallQueue
from cloudlet.services.cloudtrail.recorder import DAY_US, KEPT_DAYS, Recorder
from cloudlet.services.cloudtrail.tables import Kept, Wanted
from cloudlet.store.sqlite import SqliteStore
from tests.support.clock import ManualClock
from tests.unit.services.cloudtrail.conftest import ACCOUNT, MakeContext

EVER = 1 << 62


async def kept(store: SqliteStore, region: str = "us-east-1") -> list[Kept]:
    wanted = Wanted(ACCOUNT, region, 0, EVER)
    return await store.read(lambda reader: tables.find(reader, wanted, (EVER, ""), 100_000))


async def test_calls_are_kept_newest_first_and_in_the_file(
    queue: CallQueue, recorder: Recorder, store: SqliteStore, context: MakeContext, tmp_path: Path
) -> None:
    for name in ("a", "b", "c"):
        queue.observe(context("iam", "CreateRole"), {"RoleName": name}, {"Role": {}}, None)
    await recorder.flush()
    found = await kept(store)
    assert [orjson.loads(one.event)["requestParameters"]["roleName"] for one in found] == ["c", "b", "a"]
    assert found[0].resources.split("\n")[1] == "AWS::IAM::Role\tc"
    file = tmp_path / "data" / "audit" / "cloudtrail.jsonl"
    assert len(file.read_bytes().splitlines()) == 3
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_calls_on_data_leave_no_event_unless_asked_for(
    queue: CallQueue, clock: ManualClock, context: MakeContext
) -> None:
    queue.observe(context("lambda", "Invoke"), {"FunctionName": "f", "Payload": b"x"}, {}, None)
    assert not queue.filled.is_set()
    telling = CallQueue(clock, with_data=True)
    telling.observe(context("lambda", "Invoke"), {"FunctionName": "f", "Payload": b"x"}, {"Payload": b"y"}, None)
    [call] = telling.take(10)
    assert (call.params, call.result, call.is_data) == ({"FunctionName": "f"}, None, True)


async def test_bodies_do_not_wait_in_the_queue(queue: CallQueue, context: MakeContext) -> None:
    params = {"FunctionName": "f", "Code": {"ZipFile": b"x", "S3Key": "k"}}
    queue.observe(context("lambda", "CreateFunction"), params, {}, None)
    [call] = queue.take(10)
    assert call.params == {"FunctionName": "f", "Code": {"S3Key": "k"}}
    assert params["Code"] == {"ZipFile": b"x", "S3Key": "k"}


async def test_what_does_not_fit_is_counted_in_an_event(
    queue: CallQueue, recorder: Recorder, store: SqliteStore, context: MakeContext
) -> None:
    for _ in range(7):
        queue.observe(context("iam", "CreateRole"), {"RoleName": "r"}, None, None)
    await recorder.flush()
    loss, *others = await kept(store)
    assert (loss.name, len(others)) == ("EventsDropped", 4)
    assert orjson.loads(loss.event)["serviceEventDetails"] == {"droppedEvents": 3}
    await recorder.flush()
    assert len(await kept(store)) == 5


async def test_a_refused_call_with_odd_parameters_leaves_its_event(
    queue: CallQueue, recorder: Recorder, store: SqliteStore, context: MakeContext
) -> None:
    queue.observe(context("iam", "GetRole"), {"RoleName": 7}, None, ValueError())
    queue.observe(context("lambda", "GetFunction"), {"FunctionName": "arn:x"}, None, ValueError())
    await recorder.flush()
    assert len(await kept(store)) + len(await kept(store, "eu-west-1")) == 2


async def test_the_oldest_go_when_there_are_too_many(
    queue: CallQueue,
    recorder: Recorder,
    store: SqliteStore,
    context: MakeContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recorder_module, "KEPT_EVENTS", 5)
    monkeypatch.setattr(recorder_module, "REMOVE_EVERY", 2)
    for number in range(9):
        queue.observe(context("iam", "CreateRole"), {"RoleName": str(number)}, None, None)
        await recorder.flush()
    await recorder.remove_oldest()
    names = [orjson.loads(one.event)["requestParameters"]["roleName"] for one in await kept(store)]
    assert names == ["8", "7", "6", "5", "4"]


async def test_events_go_after_ninety_days(
    queue: CallQueue, recorder: Recorder, store: SqliteStore, clock: ManualClock, context: MakeContext
) -> None:
    queue.observe(context("iam", "CreateRole"), {"RoleName": "r"}, None, None)
    await recorder.flush()
    clock.advance(KEPT_DAYS * DAY_US / 1e6)
    await recorder.remove_oldest()
    assert len(await kept(store)) == 1
    clock.advance(1)
    await recorder.remove_oldest()
    assert await kept(store) == []


def test_files_rotate_and_the_oldest_goes(tmp_path: Path) -> None:
    file = AuditFile(tmp_path / "audit", max_bytes=10, old_files=2)
    for number in range(5):
        file.append([f"line-{number}".encode()])
    found: dict[str, Any] = {path.name: path.read_text() for path in (tmp_path / "audit").iterdir()}
    assert found == {
        "cloudtrail.jsonl": "line-4\n",
        "cloudtrail.jsonl.1": "line-3\n",
        "cloudtrail.jsonl.2": "line-2\n",
    }


async def test_a_full_disk_does_not_end_the_recorder(
    queue: CallQueue, recorder: Recorder, store: SqliteStore, context: MakeContext, tmp_path: Path
) -> None:
    (tmp_path / "data" / "audit").write_text("in the way")
    queue.observe(context("iam", "CreateRole"), {"RoleName": "r"}, None, None)
    await recorder.flush()
    assert len(await kept(store)) == 1
