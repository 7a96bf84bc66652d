"""`cloudlet deliveries`, and the control interface behind it."""

import json
import urllib.error
from typing import Any

import pytest

from tests.integration.test_cli import cloudlet
from tests.support.functions import create_function
from tests.support.nodes import Clients, NodeProcess, control

FAILING = "def handler(event, context):\n    raise ValueError('no ' + event['word'])\n"
WORKING = "def handler(event, context):\n    return event\n"


@pytest.fixture
def functions(process_node: NodeProcess, clients: Clients) -> Any:
    return clients.make(process_node.endpoint, "lambda")


def listed(node: NodeProcess, *options: str) -> list[dict[str, Any]]:
    done = cloudlet("deliveries", "--json", *options, "--endpoint", node.endpoint)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_what_is_dead_is_listed_tried_again_and_dropped(process_node: NodeProcess, functions: Any) -> None:
    node, at = process_node, ("--endpoint", process_node.endpoint)
    assert "Nothing waits" in cloudlet("deliveries", *at).stderr
    assert "Nothing waits" in cloudlet("deliveries", "list", *at).stderr
    create_function(functions, "fn", FAILING)
    functions.put_function_event_invoke_config(FunctionName="fn", MaximumRetryAttempts=0)
    for word in ("one", "two"):
        functions.invoke(FunctionName="fn", InvocationType="Event", Payload=json.dumps({"word": word}))
    control(node.endpoint, "clock", {"advance_s": 0})
    node.kill9()
    node.restart()
    first, second = listed(node, "--state", "dead", "--kind", "lambda-async")
    assert {first["reason"], second["reason"]} == {"RetriesExhausted"}
    assert (first["attempts"], first["max_attempts"]) == (1, 1)
    shown = cloudlet("deliveries", *at)
    assert "lambda-async" in shown.stdout
    assert "ValueError" in shown.stdout
    assert '{"word": ' in cloudlet("deliveries", "payload", first["id"], *at).stdout

    assert cloudlet("deliveries", "retry", first["id"], *at).stdout == "1 retried\n"
    control(node.endpoint, "clock", {"advance_s": 0})
    assert len(listed(node, "--state", "dead")) == 2  # it has failed again
    functions.update_function_configuration(FunctionName="fn", Handler="app.missing")
    assert cloudlet("deliveries", "drop", second["id"], *at).stdout == "1 dropped\n"
    again = cloudlet("deliveries", "drop", second["id"], *at)
    assert (again.returncode, again.stdout) == (1, "0 dropped\n")
    assert cloudlet("deliveries", "drop", "--all", "--kind", "other", *at).stdout == "0 dropped\n"
    assert cloudlet("deliveries", "drop", "--all", *at).stdout == "1 dropped\n"
    assert listed(node) == []


def test_wrong_usage_is_refused(process_node: NodeProcess) -> None:
    at = ("--endpoint", process_node.endpoint)
    assert cloudlet("deliveries", "retry", *at).returncode == 2
    assert cloudlet("deliveries", "drop", "id", "--all", *at).returncode == 2
    assert cloudlet("deliveries", "--state", "lost", *at).returncode == 1
    assert "no such delivery" in cloudlet("deliveries", "payload", "none", *at).stderr
    for body in ({}, {"ids": [1]}, {"ids": ["x"] * 1001}, {"all": True, "kind": 1}):
        with pytest.raises(urllib.error.HTTPError) as caught:
            control(process_node.endpoint, "deliveries/retry", body)
        assert caught.value.code == 400
        caught.value.close()
