"""What the platform itself logs."""

from cloudlet.services.log_entries import LogEntry, LogRights
from tests.support.logs_world import ACCOUNT, REGION, LogsWorld, messages


def entry(
    logs: LogsWorld, stream: str, *events: tuple[int, str], group: str = "group", account: str = ACCOUNT
) -> LogEntry:
    return LogEntry(account, REGION, group, stream, [(logs.now_ms + offset, message) for offset, message in events])


async def read(logs: LogsWorld, stream: str, group: str = "group") -> list[str]:
    return messages(await logs("GetLogEvents", logGroupName=group, logStreamName=stream, startFromHead=True))


async def test_groups_and_streams_are_made_as_needed(logs: LogsWorld) -> None:
    await logs.make("group", "old")
    await logs.service.append(
        [entry(logs, "old", (0, "a")), entry(logs, "new", (0, "b")), entry(logs, "new", (0, "c"), group="other")]
    )
    assert await read(logs, "old") == ["a"]
    assert await read(logs, "new") == ["b"]
    assert await read(logs, "new", "other") == ["c"]


async def test_a_stream_may_be_named_several_times(logs: LogsWorld) -> None:
    await logs.service.append([entry(logs, "a", (0, "1")), entry(logs, "b", (0, "2")), entry(logs, "a", (0, "3"))])
    assert await read(logs, "a") == ["1", "3"]


async def test_events_are_sorted_and_never_refused(logs: LogsWorld) -> None:
    long = "é" * 600_000
    await logs.service.append([entry(logs, "a", (5, "b"), (-90_000_000, "a"), (6, ""), (8, "lone \ud800"), (7, long))])
    found = [
        message for page in await logs.pages("FilterLogEvents", logGroupName="group") for message in messages(page)
    ]
    assert found[:2] == ["a", "b"]
    assert found[-1] == "lone ?"
    assert len(found) == 5
    assert found[2] + found[3] == long


async def test_nothing_makes_nothing(logs: LogsWorld) -> None:
    await logs.service.append([])
    await logs.service.append([entry(logs, "a"), entry(logs, "a", (0, ""))])
    assert (await logs("DescribeLogGroups"))["logGroups"] == []


async def test_accounts_are_apart(logs: LogsWorld) -> None:
    await logs.service.append([entry(logs, "a", (0, "1")), entry(logs, "a", (0, "2"), account="222222222222")])
    assert await read(logs, "a") == ["1"]
    logs.account = "222222222222"
    assert await read(logs, "a") == ["2"]


async def test_what_there_is_no_right_to_is_not_done_and_named(logs: LogsWorld) -> None:
    await logs.make("group", "old")
    rights = LogRights(create_group=False, create_stream=False)
    entries = [entry(logs, stream, (0, "a"), group=group) for group, stream in (("group", "old"), ("group", "new"))]
    entries.append(entry(logs, "new", (0, "a"), group="other"))
    refused = await logs.service.append([each._replace(rights=rights) for each in entries])
    assert refused == ["", "logs:CreateLogStream", "logs:CreateLogGroup"]
    assert await read(logs, "old") == ["a"]
    assert [group["logGroupName"] for group in (await logs("DescribeLogGroups"))["logGroups"]] == ["group"]
    streams = (await logs("DescribeLogStreams", logGroupName="group"))["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == ["old"]


async def test_a_stream_may_be_made_without_the_right_to_write_to_it(logs: LogsWorld) -> None:
    rights = LogRights(put_events=False)
    assert await logs.service.append([entry(logs, "new", (0, "a"))._replace(rights=rights)]) == ["logs:PutLogEvents"]
    assert await read(logs, "new") == []
