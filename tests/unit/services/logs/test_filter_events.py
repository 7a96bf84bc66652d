"""Searching a group."""

from typing import Any

import pytest

from cloudlet.services.logs import reading
from tests.support.logs_world import LogsWorld, messages


async def search(logs: LogsWorld, **params: object) -> dict[str, Any]:
    return dict(await logs("FilterLogEvents", logGroupName="group", **params))


async def found(logs: LogsWorld, **params: object) -> list[str]:
    return messages(await search(logs, **params))


async def fill(logs: LogsWorld) -> None:
    """Three streams whose events interleave."""
    await logs.make("group", "a-1", "a_2", "b")
    await logs.put("group", "a-1", (0, "0 INFO"), (3_000, "3 ERROR"), (6_000, "6 INFO"))
    await logs.put("group", "a_2", (1_000, "1 ERROR"), (4_000, "4 INFO"))
    await logs.put("group", "b", (2_000, "2 INFO"), (5_000, "5 ERROR"))


async def test_an_event_tells_where_it_is_from(logs: LogsWorld) -> None:
    await logs.make("group", "stream")
    await logs.put("group", "stream", (-5, "a"))
    answer = await search(logs)
    event_id = answer["events"][0].pop("eventId")
    assert answer == {
        "events": [
            {
                "logStreamName": "stream",
                "timestamp": logs.now_ms - 5,
                "message": "a",
                "ingestionTime": logs.now_ms,
            }
        ],
        "searchedLogStreams": [],
    }
    assert len(event_id) == 56
    assert (await search(logs))["events"][0]["eventId"] == event_id


async def test_ids_differ(logs: LogsWorld) -> None:
    await logs.make("group", "a", "b")
    for stream in ("a", "b", "a"):
        await logs.put("group", stream, (0, "same"), (0, "same"))
    ids = [event["eventId"] for event in (await search(logs))["events"]]
    assert len(set(ids)) == 6
    assert ids == sorted(ids)


async def test_streams_are_read_together(logs: LogsWorld) -> None:
    await fill(logs)
    assert [message[0] for message in await found(logs)] == list("0123456")
    assert [message[0] for message in await found(logs, startFromHead=False)] == list("6543210")


async def test_a_pattern_selects(logs: LogsWorld) -> None:
    await fill(logs)
    assert await found(logs, filterPattern="ERROR") == ["1 ERROR", "3 ERROR", "5 ERROR"]
    assert await found(logs, filterPattern="ERROR -5") == ["1 ERROR", "3 ERROR"]
    assert len(await found(logs, filterPattern="")) == 7
    assert len(await found(logs, filterPattern=" ")) == 7


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("{ $.a = 1", "If a filter pattern starts with '{' it must end with '}'"),
        ("{ $.a }", "Invalid filter pattern"),
        ("%a{%", "Failed to compile regular expression."),
    ],
)
async def test_an_invalid_pattern_is_refused(logs: LogsWorld, pattern: str, text: str) -> None:
    await logs.make("group")
    assert await logs.refuses("FilterLogEvents", logGroupName="group", filterPattern=pattern) == (
        "InvalidParameterException",
        text,
    )


async def test_streams_are_selected_by_name_or_prefix(logs: LogsWorld) -> None:
    await fill(logs)
    assert [message[0] for message in await found(logs, logStreamNames=["b", "a-1"])] == list("02356")
    assert [message[0] for message in await found(logs, logStreamNamePrefix="a_")] == list("14")
    assert await found(logs, logStreamNamePrefix="none") == []
    assert await logs.refuses("FilterLogEvents", logGroupName="group", logStreamNames=["b", "none"]) == (
        "ResourceNotFoundException",
        "The specified log stream does not exist.",
    )
    code, _ = await logs.refuses("FilterLogEvents", logGroupName="group", logStreamNames=["b"], logStreamNamePrefix="a")
    assert code == "InvalidParameterException"


async def test_both_ends_of_a_range_are_in_it(logs: LogsWorld) -> None:
    await fill(logs)
    now = logs.now_ms
    assert [message[0] for message in await found(logs, startTime=now + 2_000, endTime=now + 4_000)] == list("234")
    assert await found(logs, startTime=now + 4_001, endTime=now + 4_999) == []
    assert await found(logs, startTime=now + 4_000, endTime=now) == []
    assert len(await found(logs, endTime=(1 << 63) - 1)) == 7


@pytest.mark.parametrize("from_head", [True, False])
async def test_results_come_in_pages(logs: LogsWorld, from_head: bool) -> None:
    await fill(logs)
    answers = await logs.pages(
        "FilterLogEvents", logGroupName="group", filterPattern="?INFO ?5", limit=2, startFromHead=from_head
    )
    pages = ["".join(message[0] for message in messages(answer)) for answer in answers]
    assert "".join(pages) == ("02456" if from_head else "65420")
    assert all(len(page) == 2 for page in pages[:2])


async def test_a_page_ends_after_so_many_events_looked_at(logs: LogsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(logs)
    monkeypatch.setattr(reading, "MAXIMUM_SCANNED", 3)
    answers = await logs.pages("FilterLogEvents", logGroupName="group", filterPattern="5")
    assert [messages(answer) for answer in answers] == [[], ["5 ERROR"], []]


async def test_chunks_are_read_in_steps(logs: LogsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(logs)
    for query_size in (1, 2, 3):
        monkeypatch.setattr(reading, "CHUNKS_PER_QUERY", query_size)
        assert [message[0] for message in await found(logs)] == list("0123456")
        assert [message[0] for message in await found(logs, startFromHead=False)] == list("6543210")


@pytest.mark.parametrize("token", ["x", "WyJldmVudHMiLCJ4Il0", "WyJldmVudHMiLDFd"])
async def test_other_tokens_are_refused(logs: LogsWorld, token: str) -> None:
    await logs.make("group")
    assert await logs.refuses("FilterLogEvents", logGroupName="group", nextToken=token) == (
        "InvalidParameterException",
        "The specified nextToken is invalid.",
    )


async def test_events_of_deleted_streams_and_former_groups_are_not_found(logs: LogsWorld) -> None:
    await fill(logs)
    await logs("DeleteLogStream", logGroupName="group", logStreamName="b")
    assert [message[0] for message in await found(logs)] == list("01346")
    await logs("DeleteLogGroup", logGroupName="group")
    assert await logs.refuses("FilterLogEvents", logGroupName="group") == (
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )
    await logs.make("group", "b")
    assert await found(logs) == []


async def test_accounts_and_regions_do_not_see_each_other(logs: LogsWorld) -> None:
    await fill(logs)
    logs.region = "eu-west-1"
    await logs.make("group", "a-1")
    assert await found(logs) == []


async def test_a_limit_past_the_largest_is_refused(logs: LogsWorld) -> None:
    await logs.make("group")
    assert await logs.refuses("FilterLogEvents", logGroupName="group", limit=10_001) == (
        "InvalidParameterException",
        "1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: "
        "Member must have value less than or equal to 10000",
    )


async def test_a_metric_filter_is_tried(logs: LogsWorld) -> None:
    answer = await logs(
        "TestMetricFilter", filterPattern="[ip, code = 4*]", logEventMessages=["1.1 200", "2.2 404", "3.3 403"]
    )
    assert answer == {
        "matches": [
            {"eventNumber": 2, "eventMessage": "2.2 404", "extractedValues": {"$ip": "2.2", "$code": "404"}},
            {"eventNumber": 3, "eventMessage": "3.3 403", "extractedValues": {"$ip": "3.3", "$code": "403"}},
        ]
    }
    assert (await logs("TestMetricFilter", filterPattern="", logEventMessages=["a"]))["matches"] == [
        {"eventNumber": 1, "eventMessage": "a", "extractedValues": {}}
    ]
    assert await logs.refuses("TestMetricFilter", filterPattern="{ $.a }", logEventMessages=["a"]) == (
        "InvalidParameterException",
        "Invalid metric filter pattern",
    )
