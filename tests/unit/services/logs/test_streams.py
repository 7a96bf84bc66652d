"""Log streams."""

from tests.support.logs_world import LogsWorld


async def names(logs: LogsWorld, **params: object) -> list[str]:
    answer = await logs("DescribeLogStreams", logGroupName="group", **params)
    return [stream["logStreamName"] for stream in answer["logStreams"]]


async def test_a_new_stream_is_described(logs: LogsWorld) -> None:
    await logs.make("group", "stream")
    assert await logs("DescribeLogStreams", logGroupName="group") == {
        "logStreams": [
            {
                "logStreamName": "stream",
                "creationTime": logs.now_ms,
                "arn": "arn:aws:logs:us-east-1:111111111111:log-group:group:log-stream:stream",
                "storedBytes": 0,
            }
        ]
    }


async def test_a_stream_with_events_tells_their_times(logs: LogsWorld) -> None:
    await logs.make("group", "stream")
    await logs.put("group", "stream", (-2_000, "a"), (-1_000, "b"))
    logs.clock.advance(60)
    put = await logs.put("group", "stream", (-100_000, "late"))
    (stream,) = (await logs("DescribeLogStreams", logGroupName="group"))["logStreams"]
    now = logs.now_ms
    assert stream["firstEventTimestamp"] == now - 100_000
    assert stream["lastEventTimestamp"] == now - 61_000
    assert stream["lastIngestionTime"] == now
    assert stream["uploadSequenceToken"] == put["nextSequenceToken"]
    assert stream["storedBytes"] == 0


async def test_the_group_is_named_or_identified(logs: LogsWorld) -> None:
    await logs.make("group", "stream")
    arn = "arn:aws:logs:us-east-1:111111111111:log-group:group"
    for identifier in ("group", arn):
        answer = await logs("DescribeLogStreams", logGroupIdentifier=identifier)
        assert len(answer["logStreams"]) == 1
    assert await logs.refuses("DescribeLogStreams", logGroupName="group", logGroupIdentifier=arn) == (
        "ValidationException",
        "LogGroup name and LogGroup ARN are mutually exclusive parameters.",
    )
    code, _ = await logs.refuses("DescribeLogStreams")
    assert code == "InvalidParameterException"
    foreign = arn.replace("111111111111", "222222222222")
    code, _ = await logs.refuses("DescribeLogStreams", logGroupIdentifier=foreign)
    assert code == "ResourceNotFoundException"


async def test_a_stream_needs_a_group_and_a_name_of_its_own(logs: LogsWorld) -> None:
    assert await logs.refuses("CreateLogStream", logGroupName="group", logStreamName="stream") == (
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )
    await logs.make("group", "stream")
    assert await logs.refuses("CreateLogStream", logGroupName="group", logStreamName="stream") == (
        "ResourceAlreadyExistsException",
        "The specified log stream already exists",
    )
    await logs.make("other", "stream")


async def test_a_name_may_hold_almost_anything(logs: LogsWorld) -> None:
    name = "2026/01/01/[$LATEST]%_!'\"\\ é€𝄞"
    await logs.make("group", name)
    assert await names(logs) == [name]
    assert await names(logs, logStreamNamePrefix=name[:-1]) == [name]
    for bad in ("a:b", "a*b"):
        code, _ = await logs.refuses("CreateLogStream", logGroupName="group", logStreamName=bad)
        assert code == "InvalidParameterException"
    code, _ = await logs.refuses("CreateLogStream", logGroupName="group", logStreamName="a\0b")
    assert code == "InvalidParameterException"


async def test_a_deleted_stream_is_gone(logs: LogsWorld) -> None:
    await logs.make("group", "stream")
    await logs("DeleteLogStream", logGroupName="group", logStreamName="stream")
    assert await names(logs) == []
    assert await logs.refuses("DeleteLogStream", logGroupName="group", logStreamName="stream") == (
        "ResourceNotFoundException",
        "The specified log stream does not exist.",
    )
    assert await logs.refuses("DeleteLogStream", logGroupName="none", logStreamName="stream") == (
        "ResourceNotFoundException",
        "The specified log group does not exist.",
    )


async def test_streams_are_found_by_prefix_and_come_in_either_order(logs: LogsWorld) -> None:
    await logs.make("group", "b_1", "b_2", "b%3", "a", "c")
    assert await names(logs) == ["a", "b%3", "b_1", "b_2", "c"]
    assert await names(logs, descending=True) == ["c", "b_2", "b_1", "b%3", "a"]
    assert await names(logs, logStreamNamePrefix="b_") == ["b_1", "b_2"]
    assert await names(logs, logStreamNamePrefix="b_", descending=True) == ["b_2", "b_1"]


async def test_streams_come_by_their_last_event(logs: LogsWorld) -> None:
    await logs.make("group", "a", "b", "c", "empty", "none")
    for stream, offset in (("c", -30), ("a", -20), ("b", -20)):
        await logs.put("group", stream, (offset, "message"))
    assert await names(logs, orderBy="LastEventTime") == ["empty", "none", "c", "a", "b"]
    assert await names(logs, orderBy="LastEventTime", descending=True) == ["b", "a", "c", "none", "empty"]


async def test_no_prefix_goes_with_the_order_of_last_events(logs: LogsWorld) -> None:
    await logs.make("group")
    assert await logs.refuses(
        "DescribeLogStreams", logGroupName="group", logStreamNamePrefix="a", orderBy="LastEventTime"
    ) == ("InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix.")


async def test_streams_come_in_pages(logs: LogsWorld) -> None:
    await logs.make("group", *(f"stream-{index}" for index in range(5)))
    for index, offset in enumerate((-1, -4, -3, -5, -2)):
        await logs.put("group", f"stream-{index}", (offset, "message"))
    for order, expected in (("LogStreamName", "01234"), ("LastEventTime", "31240")):
        for descending in (False, True):
            pages = await logs.pages(
                "DescribeLogStreams", logGroupName="group", orderBy=order, descending=descending, limit=2
            )
            assert [len(page["logStreams"]) for page in pages] == [2, 2, 1]
            found = "".join(stream["logStreamName"][-1] for page in pages for stream in page["logStreams"])
            assert found == (expected[::-1] if descending else expected)


async def test_a_token_goes_with_its_order(logs: LogsWorld) -> None:
    await logs.make("group", "a", "b")
    page = await logs("DescribeLogStreams", logGroupName="group", limit=1)
    code, _ = await logs.refuses(
        "DescribeLogStreams", logGroupName="group", orderBy="LastEventTime", nextToken=page["nextToken"]
    )
    assert code == "InvalidParameterException"
