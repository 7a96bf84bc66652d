"""What a node that is killed leaves, the next start takes up."""

import io
import json
import zipfile
from typing import Any

import pytest

from tests.support.nodes import Clients, NodeProcess

SOON = {"Delay": 0.02, "MaxAttempts": 3000}


def _package(code: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", code)
    return buffer.getvalue()


def _create(functions: Any, account: str, code: str = "def handler(event, context):\n    return event\n") -> None:
    functions.create_function(
        FunctionName="fn",
        Role=f"arn:aws:iam::{account}:role/any",
        Runtime="python3.11",
        Handler="index.handler",
        Code={"ZipFile": _package(code)},
    )


@pytest.mark.chaos
def test_a_function_that_was_being_created_is_active_after_a_crash(
    process_node: NodeProcess, clients: Clients, account: str
) -> None:
    functions = clients.make(process_node.endpoint, "lambda")
    _create(functions, account)
    process_node.kill9()
    process_node.restart()
    functions.get_waiter("function_active_v2").wait(FunctionName="fn", WaiterConfig=SOON)
    answer = functions.invoke(FunctionName="fn", Payload=b'{"a": 1}')
    assert json.load(answer["Payload"]) == {"a": 1}


@pytest.mark.chaos
def test_events_that_were_accepted_run_after_a_crash(process_node: NodeProcess, clients: Clients, account: str) -> None:
    functions = clients.make(process_node.endpoint, "lambda")
    _create(functions, account, "def handler(event, context):\n    print('ran', event)\n")
    functions.get_waiter("function_active_v2").wait(FunctionName="fn", WaiterConfig=SOON)
    for number in range(20):
        functions.invoke(FunctionName="fn", InvocationType="Event", Payload=json.dumps(number))
    process_node.kill9()
    process_node.restart()
    logs = clients.make(process_node.endpoint, "logs")
    ran: set[int] = set()
    while len(ran) < 20:
        try:
            events = logs.filter_log_events(logGroupName="/aws/lambda/fn", filterPattern="ran")["events"]
        except logs.exceptions.ResourceNotFoundException:
            events = []
        ran |= {int(event["message"].split()[1]) for event in events}
    assert ran == set(range(20))
