"""A node as a process: what outlives its death, and how it ends."""

import http.client
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.support.functions import create_function
from tests.support.nodes import Clients, NodeProcess, control
from tests.support.raw_calls import dev_signature

SLEEPER = """
import time

def handler(event, context):
    time.sleep(event["seconds"])
    return "slept"
"""


def wait_for(condition: Callable[[], bool]) -> None:
    """Return when `condition` holds; the test's own limit ends one that never does."""
    pause = threading.Event()
    while not condition():
        pause.wait(0.01)


def busy(node: NodeProcess) -> bool:
    return bool(control(node.endpoint, "status")["sandboxes"]["busy"] == 1)


def invoke_sleeper(clients: Clients, node: NodeProcess, seconds: int) -> Any:
    answer = clients.make(node.endpoint, "lambda").invoke(
        FunctionName="sleeper", Payload=json.dumps({"seconds": seconds})
    )
    with answer["Payload"] as body:
        return json.load(body)


@pytest.fixture
def sleeper(process_node: NodeProcess, clients: Clients) -> NodeProcess:
    """A node with a function that sleeps as long as it is told."""
    create_function(clients.make(process_node.endpoint, "lambda"), "sleeper", SLEEPER, Timeout=100)
    return process_node


def test_what_was_acknowledged_outlives_a_kill(process_node: NodeProcess, clients: Clients) -> None:
    create_function(clients.make(process_node.endpoint, "lambda"), "lasting", SLEEPER)
    control(process_node.endpoint, "clock", {"advance_s": 3600})
    keys = (process_node.data / "credentials").read_bytes()
    process_node.kill9()
    process_node.restart()
    functions = clients.make(process_node.endpoint, "lambda")
    assert functions.get_function(FunctionName="lasting")["Configuration"]["State"] == "Active"
    assert control(process_node.endpoint, "clock")["offset_s"] > 3599
    assert (process_node.data / "credentials").read_bytes() == keys


def test_sigterm_lets_what_runs_finish(sleeper: NodeProcess, clients: Clients) -> None:
    with ThreadPoolExecutor(1) as pool:
        invocation = pool.submit(invoke_sleeper, clients, sleeper, 1)
        wait_for(lambda: busy(sleeper))
        assert sleeper.stop(signal.SIGTERM) == 0
        assert invocation.result() == "slept"


def test_who_waits_for_messages_holds_up_no_end(process_node: NodeProcess, clients: Clients, account: str) -> None:
    url = clients.make(process_node.endpoint, "sqs").create_queue(QueueName="empty")["QueueUrl"]
    where = urlsplit(process_node.endpoint)
    poll = http.client.HTTPConnection(where.hostname or "", where.port)
    headers = {"X-Amz-Target": "AmazonSQS.ReceiveMessage", "Content-Type": "application/x-amz-json-1.0"}
    body = json.dumps({"QueueUrl": url, "WaitTimeSeconds": 20})
    poll.request("POST", "/", body, headers | dev_signature(account, "sqs"))
    for _ in range(20):  # it came before these
        control(process_node.endpoint, "status")
    command = [sys.executable, "-m", "cloudlet", "down", "--timeout", "15", "--data", str(process_node.data)]
    assert "hurrying" not in subprocess.run(command, check=True, stderr=subprocess.PIPE, text=True).stderr
    answer = poll.getresponse()
    assert (answer.status, answer.read()) == (200, b"{}")
    poll.close()
    process_node.stop()


def test_a_second_sigterm_waits_no_longer(sleeper: NodeProcess, clients: Clients) -> None:
    with ThreadPoolExecutor(1) as pool:
        invocation = pool.submit(invoke_sleeper, clients, sleeper, 90)
        wait_for(lambda: busy(sleeper))
        sleeper.signal(signal.SIGTERM)
        wait_for(lambda: "node stops" in sleeper.log)
        assert sleeper.stop(signal.SIGTERM) == 0
        with pytest.raises(ClientError, match="The node is stopping"):
            invocation.result()
    assert "Traceback" not in sleeper.log
