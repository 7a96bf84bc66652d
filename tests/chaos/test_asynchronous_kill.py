"""A node is killed with 500 asynchronous invocations queued and running: after its restart every one has run, and what
had ended before the kill is in the log, since it does not run again."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.functions import create_function
from tests.support.nodes import Clients, NodeProcess, control, fresh_account

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]
EVENTS = 500
KILLED_AT = (1, 100, 300)
"""So many events are in the log when the node is killed."""
SOURCE = """
import time

def handler(event, context):
    print("begun", event["n"])
    time.sleep(0.1 if event["n"] < 450 else 5)  # so that some run, however late it is looked
    print("ended", event["n"])
"""


def test_every_event_runs_and_none_that_ended_is_lost_from_the_log(node: NodeProcess) -> None:
    clients = Clients(fresh_account())
    functions, logs = clients.make(node.endpoint, "lambda", max_pool_connections=8), clients.make(node.endpoint, "logs")
    create_function(functions, "fn", SOURCE, MemorySize=128, Timeout=60)

    def invoke(number: int) -> str:
        payload = json.dumps({"n": number})
        answer = functions.invoke(FunctionName="fn", InvocationType="Event", Payload=payload)
        return str(answer["ResponseMetadata"]["RequestId"])

    with ThreadPoolExecutor(8) as pool:
        accepted = set(pool.map(invoke, range(EVENTS)))
    assert len(accepted) == EVENTS
    seen: set[str] = set()
    for enough in KILLED_AT:
        while len(reported(logs)) < enough or not states(node)["running"]:
            assert node.is_running, node.log
        seen |= reported(logs)
        node.kill9()
        node.restart()
        assert seen <= reported(logs), "lines that were read are gone"
    while sum(states(node).values()):
        control(node.endpoint, "clock", {"advance_s": 301})  # what was throttled waits for five minutes at most
    assert ended(logs) == set(range(EVENTS))
    assert reported(logs) == accepted
    clients.close()


def states(node: NodeProcess) -> Counter[str]:
    """How many events are waiting, running and dead."""
    listed = control(node.endpoint, f"deliveries?kind=lambda-async&limit={EVENTS}")["deliveries"]
    return Counter(one["state"] for one in listed)


def messages(logs: Any, pattern: str) -> Iterator[str]:
    """The function's lines in the log that have `pattern`."""
    try:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/fn", filterPattern=pattern)
        for page in pages:
            yield from (event["message"] for event in page["events"])
    except logs.exceptions.ResourceNotFoundException:
        return


def ended(logs: Any) -> set[int]:
    """The events whose last line is in the log."""
    return {int(message.split()[1]) for message in messages(logs, "ended")}


def reported(logs: Any) -> set[str]:
    """The request ids of the events that the platform has reported on."""
    return {message.split()[2] for message in messages(logs, "REPORT")}
