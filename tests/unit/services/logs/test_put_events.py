"""Putting log events: limits, order, and what is rejected."""

import pytest

from tests.support.logs_world import LogsWorld, messages

HOUR = 3_600_000
DAY = 24 * HOUR


async def stored(logs: LogsWorld) -> list[str]:
    return messages(await logs("GetLogEvents", logGroupName="group", logStreamName="stream", startFromHead=True))


async def size(logs: LogsWorld) -> int:
    (group,) = (await logs("DescribeLogGroups"))["logGroups"]
    return int(group["storedBytes"])


async def test_the_group_is_looked_for_first(logs: LogsWorld) -> None:
    events = [{"timestamp": logs.now_ms, "message": "a"}]
    for group, text in (("none", "The specified log group does not exist."),
                        ("group", "The specified log stream does not exist.")):  # fmt: skip
        assert await logs.refuses("PutLogEvents", logGroupName=group, logStreamName="none", logEvents=events) == (
            "ResourceNotFoundException",
            text,
        )
        await logs("CreateLogGroup", logGroupName="group") if group == "none" else None


async def test_the_answer_has_the_next_token(logs: LogsWorld) -> None:
    await logs.make("group", "stream")
    first = await logs.put("group", "stream", (0, "a"))
    second = await logs.put("group", "stream", (0, "b"))
    assert first.keys() == second.keys() == {"nextSequenceToken"}
    assert len(first["nextSequenceToken"]) == 56
    assert first["nextSequenceToken"] < second["nextSequenceToken"]


async def test_any_sequence_token_will_do(logs: LogsWorld) -> None:
    await logs.make("group", "stream")
    event = {"timestamp": logs.now_ms, "message": "a"}
    await logs("PutLogEvents", logGroupName="group", logStreamName="stream", logEvents=[event], sequenceToken="old")
    assert await stored(logs) == ["a"]


async def test_messages_come_back_as_they_were(logs: LogsWorld) -> None:
    await logs.make("group", "stream")
    texts = ["plain", " spaces\t\n", "é€𝄞", '{"a": "\\u0000"}', "nul \0 inside", "x" * 5_000]
    await logs.put("group", "stream", *((index, text) for index, text in enumerate(texts)))
    assert await stored(logs) == texts


async def test_stored_bytes_count_each_event_with_its_overhead(logs: LogsWorld) -> None:
    await logs.make("group", "stream", "other")
    await logs.put("group", "stream", (0, "abc"), (5_000, "é"))
    await logs.put("group", "other", (0, "a"))
    assert await size(logs) == 3 + 2 + 1 + 3 * 26
    await logs("DeleteLogStream", logGroupName="group", logStreamName="other")
    assert await size(logs) == 3 + 2 + 2 * 26


async def test_the_largest_event_and_one_past_it(logs: LogsWorld) -> None:
    await logs.make("group", "stream")
    await logs.put("group", "stream", (0, "x" * (1_048_576 - 26)))
    too_large = [{"timestamp": logs.now_ms, "message": "é" * ((1_048_576 - 26) // 2) + "x"}]
    assert await logs.refuses("PutLogEvents", logGroupName="group", logStreamName="stream", logEvents=too_large) == (
        "InvalidParameterException",
        "Log event too large: 1048577 bytes exceeds limit of 1048576",
    )


async def test_the_largest_batch_and_one_past_it(logs: LogsWorld) -> None:
    await logs.make("group", "stream")
    half = "x" * (524_288 - 26)
    await logs.put("group", "stream", (0, half), (0, half))
    now = logs.now_ms
    too_large = [{"timestamp": now, "message": half}, {"timestamp": now, "message": half + "x"}]
    assert await logs.refuses("PutLogEvents", logGroupName="group", logStreamName="stream", logEvents=too_large) == (
        "InvalidParameterException",
        "Upload too large: 1048577 bytes exceeds limit of 1048576",
    )


async def test_ten_thousand_events_and_one_more(logs: LogsWorld) -> None:
    await logs.make("group", "stream")
    events = [{"timestamp": logs.now_ms, "message": str(index)} for index in range(10_000)]
    await logs("PutLogEvents", logGroupName="group", logStreamName="stream", logEvents=events)
    assert await stored(logs) == [str(index) for index in range(10_000)]
    code, text = await logs.refuses(
        "PutLogEvents", logGroupName="group", logStreamName="stream", logEvents=[*events, events[0]]
    )
    assert code == "InvalidParameterException"
    assert "Member must have length less than or equal to 10000" in text


async def test_events_must_be_in_order(logs: LogsWorld) -> None:
    await logs.make("group", "stream")
    now = logs.now_ms
    events = [{"timestamp": now, "message": "a"}, {"timestamp": now - 1, "message": "b"}]
    assert await logs.refuses("PutLogEvents", logGroupName="group", logStreamName="stream", logEvents=events) == (
        "InvalidParameterException",
        "Log events in a single PutLogEvents request must be in chronological order.",
    )


async def test_events_may_span_a_day(logs: LogsWorld) -> None:
    await logs.make("group", "stream")
    await logs.put("group", "stream", (-DAY, "a"), (0, "b"))
    now = logs.now_ms
    events = [{"timestamp": now - DAY - 1, "message": "a"}, {"timestamp": now, "message": "b"}]
    assert await logs.refuses("PutLogEvents", logGroupName="group", logStreamName="stream", logEvents=events) == (
        "InvalidParameterException",
        "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
    )


async def test_events_up_to_two_hours_ahead_are_kept(logs: LogsWorld) -> None:
    await logs.make("group", "stream")
    answer = await logs.put("group", "stream", (0, "a"), (2 * HOUR, "b"), (2 * HOUR + 1, "c"), (DAY, "d"))
    assert answer["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 2}
    assert await stored(logs) == ["a", "b"]


async def test_events_of_the_last_two_weeks_are_kept(logs: LogsWorld) -> None:
    await logs.make("group", "stream")
    answer = await logs.put("group", "stream", (-20 * DAY, "a"), (-14 * DAY - 1, "b"), (-14 * DAY, "c"))
    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 2}
    assert await stored(logs) == ["c"]


async def test_events_past_the_retention_are_rejected(logs: LogsWorld) -> None:
    await logs.make("group", "stream")
    await logs("PutRetentionPolicy", logGroupName="group", retentionInDays=3)
    answer = await logs.put("group", "stream", (-15 * DAY, "a"), (-3 * DAY - 1, "b"), (-3 * DAY, "c"), (DAY, "d"))
    assert answer["rejectedLogEventsInfo"] == {
        "tooOldLogEventEndIndex": 1,
        "expiredLogEventEndIndex": 2,
        "tooNewLogEventStartIndex": 3,
    }
    assert await stored(logs) == ["c"]


async def test_all_events_may_be_rejected(logs: LogsWorld) -> None:
    await logs.make("group", "stream")
    answer = await logs.put("group", "stream", (3 * HOUR, "a"))
    assert answer.keys() == {"nextSequenceToken", "rejectedLogEventsInfo"}
    assert await stored(logs) == []
    (stream,) = (await logs("DescribeLogStreams", logGroupName="group"))["logStreams"]
    assert "lastIngestionTime" not in stream


@pytest.mark.parametrize(
    "event", [{"timestamp": 0, "message": ""}, {"timestamp": -1, "message": "a"}, {"message": "a"}]
)
async def test_an_event_has_a_time_and_a_message(logs: LogsWorld, event: dict[str, object]) -> None:
    await logs.make("group", "stream")
    code, _ = await logs.refuses("PutLogEvents", logGroupName="group", logStreamName="stream", logEvents=[event])
    assert code == "InvalidParameterException"
