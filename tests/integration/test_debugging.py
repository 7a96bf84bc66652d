"""`cloudlet invoke --debug`: real debuggers stop functions in real sandboxes."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.error import HTTPError

import pytest

from cloudlet.compute.runtimes import Runtimes
from tests.support.debug_clients import DebugAdapterClient, InspectorClient
from tests.support.functions import create_function, package
from tests.support.nodes import RUNTIMES, MakeClient, NodeInThread, control, control_as_root

PYTHON = """
def handler(event, context):
    doubled = event["number"] * 2
    return [doubled, context.function_name]
"""
NODE = """
exports.handler = async (event) => {
  const doubled = event.number * 2;
  return doubled;
};
"""
NODE_RUNTIME = next(reversed(Runtimes(RUNTIMES).interpreters("nodejs")), "")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def invoking(node: NodeInThread, account: str, port: int, payload: str) -> Iterator[subprocess.Popen[str]]:
    """`cloudlet invoke fn --debug`, once it waits."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CLOUDLET_"))}
    command = ["invoke", "fn", "--debug", str(port), "--payload", payload, "--data", str(node.config.data)]
    arn = f"arn:aws:lambda:us-east-1:{account}:function:fn"
    command[1] = arn
    process = subprocess.Popen(
        [sys.executable, "-m", "cloudlet", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=inherited,
    )
    try:
        assert process.stderr is not None
        assert "Waiting for a debugger" in process.stderr.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_python_function_stops_at_a_breakpoint(node: NodeInThread, client: MakeClient, account: str) -> None:
    # Its own timeout is one second: what a debugger does takes longer.
    create_function(client("lambda"), "fn", PYTHON, Timeout=1)
    port = free_port()
    with invoking(node, account, port, '{"number": 4}') as process, DebugAdapterClient(port) as debugger:
        debugger.request("initialize", adapterID="test", pathFormat="path")
        attached = debugger.send("attach", justMyCode=False)
        debugger.event("initialized")
        found = debugger.request("setBreakpoints", source={"path": "/var/task/app.py"}, breakpoints=[{"line": 4}])
        assert found["breakpoints"][0]["line"] == 4
        debugger.request("configurationDone")
        assert attached
        thread = debugger.event("stopped")["threadId"]
        [frame, *_] = debugger.request("stackTrace", threadId=thread)["stackFrames"]
        assert (frame["name"], frame["line"]) == ("handler", 4)
        value = debugger.request("evaluate", expression="doubled", frameId=frame["id"], context="watch")
        assert value["result"] == "8"
        debugger.request("evaluate", expression="event.update(number=5)", frameId=frame["id"], context="repl")
        debugger.request("setExpression", expression="doubled", value="10", frameId=frame["id"])
        debugger.send("continue", threadId=thread)  # its end may come before the answer
        output, _ = process.communicate(timeout=100)
        assert json.loads(output) == [10, "fn"]
        assert process.returncode == 0
    # The next invocation is as ever.
    answer = client("lambda").invoke(FunctionName="fn", Payload='{"number": 1}')
    assert json.load(answer["Payload"]) == [2, "fn"]


@pytest.mark.skipif(not NODE_RUNTIME, reason="no Node.js 18 or newer (Debian: apt-get install nodejs)")
def test_a_nodejs_function_stops_at_a_breakpoint(node: NodeInThread, client: MakeClient, account: str) -> None:
    create_function(
        client("lambda"),
        "fn",
        "",
        Runtime=NODE_RUNTIME,
        Handler="app.handler",
        Code={"ZipFile": package("", **{"app.js": NODE})},
        Timeout=1,
    )
    port = free_port()
    with invoking(node, account, port, '{"number": 4}') as process, InspectorClient(port) as debugger:
        debugger.call("Runtime.enable")
        debugger.call("Debugger.enable")
        debugger.call("Debugger.setBreakpointByUrl", urlRegex=".*/var/task/app.js", lineNumber=3)
        debugger.call("Runtime.runIfWaitingForDebugger")
        debugger.event("Debugger.paused")  # where the runtime begins
        debugger.call("Debugger.resume")
        [frame, *_] = debugger.event("Debugger.paused")["callFrames"]
        assert frame["location"]["lineNumber"] == 3
        place = {"callFrameId": frame["callFrameId"]}
        value = debugger.call("Debugger.evaluateOnCallFrame", **place, expression="doubled + 1")
        assert value["result"]["value"] == 9
        debugger.send("Debugger.resume")  # its end may come before the answer
        output, _ = process.communicate(timeout=100)
        assert json.loads(output) == 8


def test_debugging_wants_the_root_key(node: NodeInThread, client: MakeClient, account: str) -> None:
    create_function(client("lambda"), "fn", PYTHON)
    given = {"function": f"arn:aws:lambda:us-east-1:{account}:function:fn", "payload": "{}", "port": 0}
    with pytest.raises(HTTPError, match="403") as caught:
        control(node.endpoint, "debug", given)
    assert b"root key, which is in the file credentials of its data folder" in caught.value.read()


def test_who_goes_away_ends_it(node: NodeInThread, client: MakeClient, account: str) -> None:
    create_function(client("lambda"), "fn", PYTHON)
    port = free_port()
    arn = f"arn:aws:lambda:us-east-1:{account}:function:fn"
    begun = control_as_root(node, "debug", {"function": arn, "payload": "{}", "port": port})
    with pytest.raises(OSError, match="in use"):
        socket.create_server(("127.0.0.1", port)).close()
    control_as_root(node, "debug/end", {"id": begun["id"]})
    socket.create_server(("127.0.0.1", port)).close()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"function": "fn", "payload": "{}", "port": 0}, 400),
        ({"function": "{arn}-2", "payload": "{}", "port": 0}, 404),
        ({"function": "{arn}", "payload": "{", "port": 0}, 400),
        ({"function": "{arn}", "payload": "{}", "port": 70000}, 400),
        ({"function": "{arn}"}, 400),
    ],
)
def test_what_cannot_be_debugged_is_refused(
    node: NodeInThread, client: MakeClient, account: str, request_: dict[str, Any], status: int
) -> None:
    arn = f"arn:aws:lambda:us-east-1:{account}:function:fn"
    create_function(client("lambda"), "fn", PYTHON)
    given = {name: value.format(arn=arn) if name == "function" else value for name, value in request_.items()}
    with pytest.raises(Exception, match=str(status)):
        control_as_root(node, "debug", given)


def test_a_bootstrap_cannot_be_debugged(node: NodeInThread, client: MakeClient, account: str) -> None:
    functions = client("lambda")
    code = {"ZipFile": package("", bootstrap="#!/bin/sh")}
    create_function(functions, "fn", "", Runtime="provided.al2023", Code=code)
    arn = f"arn:aws:lambda:us-east-1:{account}:function:fn"
    with pytest.raises(Exception, match="400"):
        control_as_root(node, "debug", {"function": arn, "payload": "{}", "port": 0})
