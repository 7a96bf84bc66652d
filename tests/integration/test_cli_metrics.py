"""`cloudlet metrics`."""

import json

from tests.integration.test_cli import cloudlet
from tests.support.functions import create_function
from tests.support.nodes import Clients, NodeInThread, control

SOURCE = """
def handler(event, context):
    if event:
        raise ValueError(event)
"""


def test_a_table_of_what_functions_did(node: NodeInThread, clients: Clients, account: str) -> None:
    at = ("--endpoint", node.endpoint, "--account", account)
    assert "No function has run" in cloudlet("metrics", *at).stderr
    functions = clients.make(node.endpoint, "lambda")
    for name in ("one", "two"):
        create_function(functions, name, SOURCE)
        functions.invoke(FunctionName=name)
    functions.invoke(FunctionName="two", Payload=json.dumps("fail"))
    control(node.endpoint, "clock", {"advance_s": 1})
    headings, *rows = [line.split() for line in cloudlet("metrics", *at).stdout.splitlines()]
    assert headings == ["function", "invocations", "errors", "throttles", "p50", "ms", "p99", "ms", "at", "once"]
    assert [(row[:4], row[6]) for row in rows] == [(["one", "1", "0", "0"], "1"), (["two", "2", "1", "0"], "1")]
    assert all(float(row[4]) > 0 and float(row[5]) >= float(row[4]) for row in rows)
    only = cloudlet("metrics", "two", "--since", "20d", *at).stdout.splitlines()
    assert [line.split()[0] for line in only] == ["function", "two"]
    assert cloudlet("metrics", "--since", "yesterday", *at).returncode == 2
