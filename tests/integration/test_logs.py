"""CloudWatch Logs as a client sees it."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.services.logs import LogsService
from tests.support.nodes import MakeClient, NodeInThread, NodeProcess

DAY_S = 86_400


Put = Callable[..., None]


@pytest.fixture
def put(client: MakeClient, node: NodeInThread) -> Put:
    """`put("group", "stream", "message", ...)` at the platform's time, which other tests may have moved."""
    logs = client("logs", max_pool_connections=8)
    clock = node.node.clock
    return lambda group, stream, *messages: put_at(logs, int(clock.now() * 1000), group, stream, *messages)


def put_at(logs: Any, now_ms: int, group: str, stream: str, *messages: str) -> None:
    events = [{"timestamp": now_ms, "message": message} for message in messages]
    answer = logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    assert "rejectedLogEventsInfo" not in answer


def make(logs: Any, group: str, *streams: str) -> None:
    logs.create_log_group(logGroupName=group)
    for stream in streams:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)


def found(logs: Any, group: str, **params: Any) -> list[str]:
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, **params)
    return [event["message"] for page in pages for event in page["events"]]


def test_events_are_put_read_and_searched(client: MakeClient, put: Put) -> None:
    logs = client("logs")
    make(logs, "/aws/lambda/hello", "2026/01/01/[$LATEST]0123")
    texts = ["START RequestId: 1", '{"level": "ERROR", "code": 500}', "héllo 🌍", "END RequestId: 1"]
    put("/aws/lambda/hello", "2026/01/01/[$LATEST]0123", *texts)
    page = logs.get_log_events(logGroupName="/aws/lambda/hello", logStreamName="2026/01/01/[$LATEST]0123")
    assert [event["message"] for event in page["events"]] == texts
    assert found(logs, "/aws/lambda/hello", filterPattern='"RequestId: 1"') == [texts[0], texts[3]]
    assert found(logs, "/aws/lambda/hello", filterPattern="{ $.code >= 500 }") == [texts[1]]


def test_paginators_of_boto3_come_to_an_end(client: MakeClient, put: Put) -> None:
    logs = client("logs")
    make(logs, "group", *(f"stream-{index}" for index in range(5)))
    for index in range(5):
        put("group", f"stream-{index}", *map(str, range(20)))
    assert len(found(logs, "group", PaginationConfig={"PageSize": 7})) == 100
    streams = logs.get_paginator("describe_log_streams").paginate(
        logGroupName="group", PaginationConfig={"PageSize": 2}
    )
    assert [len(page["logStreams"]) for page in streams] == [2, 2, 1]


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("get_log_events", {"logGroupName": "none", "logStreamName": "none"}, "ResourceNotFoundException"),
        ("start_query", {"startTime": 0, "endTime": 1, "queryString": "fields @message"}, "NotImplemented"),
        ("put_retention_policy", {"logGroupName": "none", "retentionInDays": 2}, "InvalidParameterException"),
    ],
)
def test_errors_have_their_codes(client: MakeClient, operation: str, params: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(client("logs"), operation)(**params)
    assert caught.value.response["Error"]["Code"] == code


def test_expired_events_go_as_the_clock_does(
    client: MakeClient, put: Put, advance: Callable[[float], None], node: NodeInThread
) -> None:
    logs = client("logs")
    make(logs, "group", "stream")
    logs.put_retention_policy(logGroupName="group", retentionInDays=1)
    put("group", "stream", "old")
    assert found(logs, "group") == ["old"]
    advance(DAY_S + 2 * 3_600)
    assert found(logs, "group") == []
    (service,) = (service for service in node.node.services if isinstance(service, LogsService))
    node.call(service.upkeep.sweep())
    assert logs.describe_log_groups(logGroupNamePrefix="group")["logGroups"][0]["storedBytes"] == 0


def test_many_writers_lose_nothing(client: MakeClient, put: Put) -> None:
    logs = client("logs")
    make(logs, "group", "stream")

    def write(writer: int) -> None:
        for index in range(10):
            put("group", "stream", *(f"{writer}-{index}-{line}" for line in range(5)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    expected = {f"{writer}-{index}-{line}" for writer in range(8) for index in range(10) for line in range(5)}
    messages = found(logs, "group")
    assert len(messages) == 400
    assert set(messages) == expected


def test_what_was_acknowledged_survives_a_crash(process_node: NodeProcess, clients: Any) -> None:
    logs = clients.make(process_node.endpoint, "logs")
    make(logs, "group", "stream")
    now_ms = int(time.time() * 1000)
    put_at(logs, now_ms, "group", "stream", "a", "b")
    process_node.kill9()
    process_node.restart()
    assert found(logs, "group") == ["a", "b"]
    put_at(logs, now_ms, "group", "stream", "c")
    assert found(logs, "group") == ["a", "b", "c"]
