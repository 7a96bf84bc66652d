"""A whole node is killed under concurrent API calls: what was acknowledged is there, what was accepted runs."""

import itertools
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.support.functions import create_function, package
from tests.support.nodes import Clients, NodeProcess, fresh_account

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

ROUNDS = 6
TRUST = (Path(__file__).parents[2] / "examples" / "trust-policy.json").read_text()
SOURCE = "def handler(event, context):\n    print('ran', event)\n"
PACKAGE = package(SOURCE)
SOON = {"Delay": 0, "MaxAttempts": 100_000}


@dataclass
class Acknowledged:
    """What the node has said yes to."""

    roles: set[str] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)
    events: set[int] = field(default_factory=set)

    def count(self) -> int:
        return len(self.roles) + len(self.functions) + len(self.events)


def test_a_killed_node_keeps_its_word(node: NodeProcess) -> None:
    dice = random.Random(7)
    clients = Clients(fresh_account())
    create_function(clients.make(node.endpoint, "lambda"), "events", SOURCE)
    acknowledged = Acknowledged()
    names = itertools.count()
    for _ in range(ROUNDS):
        kill_under_load(node, clients, acknowledged, names, after=dice.choice([1, 5, 20, 60]))
        node.restart()
        check(node, clients, acknowledged)
    clients.close()


def kill_under_load(
    node: NodeProcess, clients: Clients, acknowledged: Acknowledged, names: Iterator[int], after: int
) -> None:
    """Let threads call the node; kill it once `after` more calls are acknowledged."""
    enough = acknowledged.count() + after
    roles, functions, events = (clients.make(node.endpoint, name) for name in ("iam", "lambda", "lambda"))

    def create_role(number: int) -> None:
        roles.create_role(RoleName=f"role-{number}", AssumeRolePolicyDocument=TRUST)
        acknowledged.roles.add(f"role-{number}")

    def create_lambda(number: int) -> None:
        functions.create_function(
            FunctionName=f"function-{number}",
            Runtime="python3.11",
            Handler="app.handler",
            Role=f"arn:aws:iam::{clients.account}:role/any",
            Code={"ZipFile": PACKAGE},
        )
        acknowledged.functions.add(f"function-{number}")

    def invoke(number: int) -> None:
        events.invoke(FunctionName="events", InvocationType="Event", Payload=str(number))
        acknowledged.events.add(number)

    threads = [
        threading.Thread(target=call_until_it_is_gone, args=(work, names))
        for work in (create_role, create_role, create_lambda, invoke, invoke)
    ]
    for thread in threads:
        thread.start()
    while acknowledged.count() < enough and any(thread.is_alive() for thread in threads):
        time.sleep(0)
    node.kill9()
    for thread in threads:
        thread.join()
    assert acknowledged.count() >= enough, node.log


def call_until_it_is_gone(work: Callable[[int], None], names: Iterator[int]) -> None:
    """Call, one after the other, until the node answers no more."""
    for number in names:
        try:
            work(number)
        except ClientError:
            raise
        except BotoCoreError:
            return


def check(node: NodeProcess, clients: Clients, acknowledged: Acknowledged) -> None:
    """Raises AssertionError when the node has lost something, or has only a part of it."""
    iam, functions = clients.make(node.endpoint, "iam"), clients.make(node.endpoint, "lambda")
    roles = {role["RoleName"] for page in iam.get_paginator("list_roles").paginate() for role in page["Roles"]}
    assert roles >= acknowledged.roles
    for name in roles:
        assert iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"] == json.loads(TRUST)
    pages = functions.get_paginator("list_functions").paginate()
    found = {function["FunctionName"] for page in pages for function in page["Functions"]}
    assert found >= acknowledged.functions | {"events"}
    for name in found:
        functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=SOON)
    for name in sorted(found)[-3:]:
        assert "FunctionError" not in functions.invoke(FunctionName=name, Payload=b"-1")
    logs = clients.make(node.endpoint, "logs")
    while not acknowledged.events <= (ran := events_that_ran(logs)):
        assert node.is_running, node.log
    assert len(ran) <= len(acknowledged.events) + 1 + 2 * ROUNDS, "more ran than was asked for"


def events_that_ran(logs: Any) -> set[int]:
    """The events that the function has logged."""
    try:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/events", filterPattern="ran")
        return {int(event["message"].split()[1]) for page in pages for event in page["events"]}
    except logs.exceptions.ResourceNotFoundException:
        return set()
