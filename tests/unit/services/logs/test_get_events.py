"""Reading one stream."""

from typing import Any

import pytest

from tests.support.logs_world import LogsWorld, messages

HEAD = "f/" + "0" * 56 + "/s"


async def get(logs: LogsWorld, **params: object) -> dict[str, Any]:
    return dict(await logs("GetLogEvents", logGroupName="group", logStreamName="stream", **params))


async def fill(logs: LogsWorld, count: int) -> None:
    """Events `0`, `1` ... 700 ms apart, so that seconds hold one or two."""
    await logs.make("group", "stream", "other")
    await logs.put("group", "stream", *((index * 700, str(index)) for index in range(count)))
    await logs.put("group", "other", (0, "of another stream"))


async def test_events_have_their_times(logs: LogsWorld) -> None:
    await logs.make("group", "stream")
    await logs.put("group", "stream", (-5, "a"))
    answer = await get(logs)
    assert answer["events"] == [{"timestamp": logs.now_ms - 5, "message": "a", "ingestionTime": logs.now_ms}]


async def test_the_latest_events_come_first_but_in_order(logs: LogsWorld) -> None:
    await fill(logs, 10)
    assert messages(await get(logs, limit=3)) == ["7", "8", "9"]
    assert messages(await get(logs, limit=3, startFromHead=True)) == ["0", "1", "2"]
    assert messages(await get(logs)) == list("0123456789")


async def test_the_end_of_a_range_is_not_in_it(logs: LogsWorld) -> None:
    await fill(logs, 10)
    now = logs.now_ms
    assert messages(await get(logs, startTime=now + 1_400, endTime=now + 3_500)) == ["2", "3", "4"]
    assert messages(await get(logs, startTime=now + 1_401)) == list("3456789")
    assert messages(await get(logs, endTime=now)) == []
    assert messages(await get(logs, startTime=now + 700, endTime=now + 700)) == []


async def test_tokens_lead_through_the_stream_and_back(logs: LogsWorld) -> None:
    await fill(logs, 7)
    page = await get(logs, limit=3, startFromHead=True)
    forward = [messages(page)]
    while (following := await get(logs, limit=3, nextToken=page["nextForwardToken"]))["nextForwardToken"] != page[
        "nextForwardToken"
    ]:
        forward.append(messages(following))
        page = following
    assert forward == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    assert following["events"] == []
    backward = []
    while (before := await get(logs, limit=3, nextToken=following["nextBackwardToken"]))["nextBackwardToken"] != (
        following["nextBackwardToken"]
    ):
        backward.append(messages(before))
        following = before
    assert backward == [["4", "5", "6"], ["1", "2", "3"], ["0"]]
    again = await get(logs, limit=3, nextToken=before["nextForwardToken"])
    assert messages(again) == ["0", "1", "2"]


async def test_a_token_at_the_end_gives_what_comes_later(logs: LogsWorld) -> None:
    await fill(logs, 2)
    page = await get(logs)
    assert (await get(logs, nextToken=page["nextForwardToken"]))["nextForwardToken"] == page["nextForwardToken"]
    await logs.put("group", "stream", (60_000, "later"))
    assert messages(await get(logs, nextToken=page["nextForwardToken"])) == ["later"]


async def test_an_empty_stream_has_tokens_too(logs: LogsWorld) -> None:
    await logs.make("group", "stream")
    page = await get(logs)
    assert page["events"] == []
    assert page["nextForwardToken"] == HEAD
    await logs.put("group", "stream", (0, "first"))
    assert messages(await get(logs, nextToken=page["nextForwardToken"])) == ["first"]
    assert messages(await get(logs, nextToken=page["nextBackwardToken"])) == []


async def test_a_token_stays_inside_the_range_asked_for(logs: LogsWorld) -> None:
    await fill(logs, 10)
    now = logs.now_ms
    page = await get(logs, startTime=now + 1_400, limit=2, startFromHead=True)
    assert messages(page) == ["2", "3"]
    assert messages(await get(logs, startTime=now + 1_400, nextToken=page["nextBackwardToken"])) == []
    assert messages(await get(logs, endTime=now + 3_500, nextToken=page["nextForwardToken"])) == ["4"]


async def test_a_range_far_ahead_has_usable_tokens(logs: LogsWorld) -> None:
    await fill(logs, 1)
    page = await get(logs, startTime=(1 << 63) - 1)
    assert messages(await get(logs, nextToken=page["nextForwardToken"])) == []
    assert messages(await get(logs, nextToken=page["nextBackwardToken"])) == ["0"]


@pytest.mark.parametrize("token", ["invalid-token", HEAD + "x", HEAD[:-2], "x" + HEAD[1:], "f/" + "²" * 56 + "/s"])
async def test_other_tokens_are_refused(logs: LogsWorld, token: str) -> None:
    await logs.make("group", "stream")
    assert await logs.refuses("GetLogEvents", logGroupName="group", logStreamName="stream", nextToken=token) == (
        "InvalidParameterException",
        "The specified nextToken is invalid.",
    )


async def test_late_events_take_their_place(logs: LogsWorld) -> None:
    await logs.make("group", "stream")
    await logs.put("group", "stream", (0, "b"), (100, "d"))
    await logs.put("group", "stream", (-100, "a"), (0, "c"), (100, "e"))
    assert messages(await get(logs)) == ["a", "b", "c", "d", "e"]
    assert messages(await get(logs, limit=2)) == ["d", "e"]


async def test_a_page_holds_a_mebibyte(logs: LogsWorld) -> None:
    await logs.make("group", "stream")
    third = 1_048_576 // 3 - 26
    for index in range(7):
        await logs.put("group", "stream", (index, f"{index}" * third))
    found = []
    page = await get(logs, startFromHead=True)
    while page["events"]:
        found.append([message[0] for message in messages(page)])
        page = await get(logs, nextToken=page["nextForwardToken"])
    assert found == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    assert [message[0] for message in messages(await get(logs))] == ["4", "5", "6"]


async def test_expired_events_are_not_shown(logs: LogsWorld) -> None:
    await logs.make("group", "stream")
    await logs("PutRetentionPolicy", logGroupName="group", retentionInDays=1)
    await logs.put("group", "stream", (0, "a"), (1, "b"))
    logs.clock.advance(86_400)
    assert messages(await get(logs)) == ["a", "b"]
    logs.clock.advance(0.001)
    assert messages(await get(logs)) == ["b"]


async def test_the_stream_must_be_there(logs: LogsWorld) -> None:
    for text in ("The specified log group does not exist.", "The specified log stream does not exist."):
        assert await logs.refuses("GetLogEvents", logGroupIdentifier="group", logStreamName="none") == (
            "ResourceNotFoundException",
            text,
        )
        if "group" in text:
            await logs.make("group")


async def test_a_rarely_read_group_is_only_queried(logs: LogsWorld) -> None:
    await logs("CreateLogGroup", logGroupName="group", logGroupClass="INFREQUENT_ACCESS")
    await logs("CreateLogStream", logGroupName="group", logStreamName="stream")
    assert await logs.refuses("GetLogEvents", logGroupName="group", logStreamName="stream") == (
        "InvalidOperationException",
        "The log group group is of log-group-class INFREQUENT_ACCESS. "
        "GetLogEvents is not supported for this log class.",
    )
