"""External and internal extensions in real sandboxes: their phases, their telemetry, and how they fail."""

import asyncio
import json
import re
from collections.abc import AsyncIterator

import orjson
import pytest
import pytest_asyncio

from tests.support.compute_engine import Engine
from tests.support.compute_world import ACCOUNT, error_of
from tests.support.extension_scripts import extensions, layer
from tests.support.sandboxes import everybodys_folder, root_launcher

pytestmark = pytest.mark.asyncio(loop_scope="module")

FUNCTION = "print('function init')\ndef handler(event, context):\n    print('handling')\n    return 'done'"
LOOP = """
status, answer = register("INVOKE", "SHUTDOWN")
say("registered", status, answer)
while True:
    event = next_event()
    say("event", event)
    if event["eventType"] == "SHUTDOWN":
        sys.exit(0)
"""


@pytest_asyncio.fixture(loop_scope="module")
async def engine() -> AsyncIterator[Engine]:
    with everybodys_folder() as folder:
        launcher, runtime = root_launcher(folder / "state")
        async with Engine(launcher, folder, runtime) as engine:
            yield engine


def heard(engine: Engine, name: str) -> list[dict[str, object]]:
    """The events that an extension says it got."""
    prefix = f"{name} event "
    return [json.loads(line[len(prefix) :]) for line in engine.logs.messages if line.startswith(prefix)]


async def test_an_extension_is_there_from_before_the_runtime_to_after_it(engine: Engine) -> None:
    function = engine.function(FUNCTION, layers=extensions(engine, watcher=LOOP))
    result = await engine.run(function)
    assert (result.payload, result.function_error) == (b'"done"', "")
    await engine.logs.wait_for("REPORT")
    await engine.run(function)
    engine.front_end.retire(function.function_arn)
    await engine.logs.wait_for("shutdownReason")

    messages = engine.logs.messages
    answer = {
        "functionName": function.name,
        "functionVersion": "$LATEST",
        "handler": "app.handler",
        "accountId": ACCOUNT,
    }
    order = [
        next(n for n, message in enumerate(messages) if text in message)
        for text in (
            "watcher registered 200",
            "function init",
            "EXTENSION\tName: watcher",
            "START RequestId",
            "handling",
            "REPORT",
        )
    ]
    assert order == sorted(order)
    assert f"watcher registered 200 {json.dumps(answer)}\n" in messages
    assert "EXTENSION\tName: watcher\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n" in messages
    first, second, end = heard(engine, "watcher")
    assert (first["eventType"], second["eventType"]) == ("INVOKE", "INVOKE")
    assert first["requestId"] != second["requestId"]
    assert str(first["invokedFunctionArn"]).endswith(":function:greet")
    assert first["tracing"] == {"type": "X-Amzn-Trace-Id", "value": first["tracing"]["value"]}  # type: ignore[index]
    assert (end["eventType"], end["shutdownReason"]) == ("SHUTDOWN", "spindown")
    assert isinstance(end["deadlineMs"], int)


async def test_an_invocation_lasts_until_its_extensions_are_done_but_the_answer_does_not_wait(engine: Engine) -> None:
    slow = """
    register("INVOKE")
    while True:
        event = next_event()
        while not os.path.exists("/tmp/go"):
            pass
        say("done")
    """
    source = """
    import os
    def handler(event, context):
        if event.get('go'):
            open('/tmp/go', 'w').close()
        return os.environ['AWS_LAMBDA_LOG_STREAM_NAME']
    """
    function = engine.function(source, layers=extensions(engine, slow=slow), timeout_s=60)
    answered = await engine.run(function)
    assert not any("slow done" in message or "REPORT" in message for message in engine.logs.messages)
    other = await engine.run(function, b'{"go":true}')  # in an environment of its own: the first is busy still
    assert answered.payload != other.payload
    await engine.logs.wait_for("REPORT")
    assert answered.function_error == other.function_error == ""
    report = next(n for n, message in enumerate(engine.logs.messages) if message.startswith("REPORT"))
    assert "slow done\n" in engine.logs.messages[:report]


async def test_with_its_log_an_answer_waits_for_the_report(engine: Engine) -> None:
    function = engine.function(FUNCTION, layers=extensions(engine, watcher=LOOP))
    result = await engine.run(function, tail_log=True)
    assert b"REPORT RequestId" in result.log_tail
    assert b"watcher event" in result.log_tail


async def test_an_extension_that_is_too_slow_costs_the_invocation_its_time(engine: Engine) -> None:
    stuck = """
    register("INVOKE", "SHUTDOWN")
    event = next_event()
    say("event", event)
    threading.Event().wait()
    """
    function = engine.function(FUNCTION, layers=extensions(engine, stuck=stuck), timeout_s=1)
    result = await engine.run(function)
    assert result.payload == b'"done"'
    await engine.logs.wait_for("Status: timeout")
    assert any("Task timed out after 1.00 seconds" in message for message in engine.logs.messages)


async def test_after_a_timeout_extensions_are_told_why_it_ends(engine: Engine) -> None:
    source = "import threading\ndef handler(event, context): threading.Event().wait()"
    function = engine.function(source, layers=extensions(engine, watcher=LOOP), timeout_s=1)
    result = await engine.run(function)
    assert error_of(result)["errorType"] == "Sandbox.Timedout"
    await engine.logs.wait_for("shutdownReason")
    assert heard(engine, "watcher")[-1]["shutdownReason"] == "timeout"


async def test_when_the_runtime_crashes_extensions_are_told(engine: Engine) -> None:
    function = engine.function(
        "import os\ndef handler(event, context): os._exit(3)", layers=extensions(engine, watcher=LOOP)
    )
    result = await engine.run(function)
    assert error_of(result)["errorType"] == "Runtime.ExitError"
    assert error_of(result)["errorMessage"].endswith("Error: Runtime exited with error: exit status 3")
    await engine.logs.wait_for("shutdownReason")
    assert heard(engine, "watcher")[-1]["shutdownReason"] == "failure"


async def test_an_extension_that_crashes_ends_the_invocation(engine: Engine) -> None:
    crashing = 'register("INVOKE")\nnext_event()\nos._exit(7)'
    source = "import threading\ndef handler(event, context): threading.Event().wait()"
    function = engine.function(source, layers=extensions(engine, crashing=crashing), timeout_s=60)
    error = error_of(await engine.run(function))
    assert error["errorType"] == "Extension.Crash"
    assert re.fullmatch(r"RequestId: \S+ Error: exit status 7", error["errorMessage"])
    await engine.logs.wait_for("REPORT")
    assert any(re.fullmatch(r"RequestId: \S+ Error: exit status 7\nExtension.Crash\n", m) for m in engine.logs.messages)
    assert engine.logs.messages[-1].endswith("Status: error\tError Type: Extension.Crash\n")


@pytest.mark.parametrize(
    ("source", "error_type", "text"),
    [
        ("sys.exit(0)", "Extension.Crash", "exit code 0"),
        ('register("INVOKE")\nos.kill(os.getpid(), 9)', "Extension.Crash", "signal: killed"),
        (
            'register("INVOKE")\n'
            'call("POST", "/2020-01-01/extension/init/error", Lambda_Extension_Function_Error_Type="Extension.Bad")\n'
            "sys.exit(1)",
            "Extension.InitError",
            "exit status 1",
        ),
    ],
    ids=["leaves before it registers", "killed after it registered", "says so"],
)
async def test_an_extension_that_does_not_start_fails_the_init_phase(
    engine: Engine, source: str, error_type: str, text: str
) -> None:
    function = engine.function(FUNCTION, layers=extensions(engine, broken=source))
    error = error_of(await engine.run(function))
    assert error["errorType"] == error_type
    assert error["errorMessage"].endswith(f"Error: {text}")
    reports = [message for message in engine.logs.messages if message.startswith("INIT_REPORT")]
    assert [report.split("\t")[1:] for report in reports] == [
        [f"Phase: {phase}", "Status: error", f"Error Type: {error_type}\n"] for phase in ("init", "invoke")
    ]
    assert "function init\n" not in engine.logs.messages or error_type != "Extension.Crash" or "killed" in text


async def test_a_file_that_cannot_be_run_is_a_launch_error(engine: Engine) -> None:
    function = engine.function(FUNCTION, layers=(layer(engine, {"extensions/data": "no program"}),))
    error = error_of(await engine.run(function))
    assert error["errorType"] == "Extension.LaunchError"
    assert error["errorMessage"].endswith("Error: fork/exec /opt/extensions/data: permission denied")
    assert (
        "EXTENSION\tName: data\tState: LaunchError\tEvents: []\tError Type: PermissionDenied\n" in engine.logs.messages
    )


async def test_more_than_ten_extensions_are_too_many(engine: Engine) -> None:
    ten = {f"e{n}": "register()\nnext_event()" for n in range(10)}
    function = engine.function(FUNCTION, layers=extensions(engine, **ten))
    assert (await engine.run(function)).payload == b'"done"'
    eleven = engine.function(FUNCTION, layers=extensions(engine, **ten, e10=LOOP))
    assert error_of(await engine.run(eleven))["errorType"] == "Extension.LaunchError"


async def test_an_internal_extension_hears_of_invocations(engine: Engine) -> None:
    source = """
    import http.client, json, os, threading
    API = os.environ["AWS_LAMBDA_RUNTIME_API"]
    heard = []

    def call(method, path, body=None, **headers):
        connection = http.client.HTTPConnection(API)
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, json.loads(answer.read())

    def register(name, events):
        body = json.dumps({"events": events})
        return call("POST", "/2020-01-01/extension/register", body, Lambda_Extension_Name=name)

    refused = register("inside", ["SHUTDOWN"])
    status, headers, answer = register("inside", ["INVOKE"])
    again = register("inside", ["INVOKE"])

    def run():
        while True:
            identifier = headers["Lambda-Extension-Identifier"]
            heard.append(call("GET", "/2020-01-01/extension/event/next", Lambda_Extension_Identifier=identifier)[2])

    threading.Thread(target=run, daemon=True).start()

    def handler(event, context):
        late = register("late", [])
        return [status, answer, heard[:], refused[2], again[2], late[2]]
    """
    function = engine.function(source)
    await engine.run(function)
    await engine.logs.wait_for("REPORT")
    status, answer, events, refused, again, late = orjson.loads((await engine.run(function)).payload)
    assert (status, answer["functionName"]) == (200, function.name)
    assert "accountId" not in answer
    assert [event["eventType"] for event in events] in (["INVOKE"], ["INVOKE", "INVOKE"])
    assert refused == {
        "errorType": "Extension.InvalidEventType",
        "errorMessage": "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension",
    }
    assert again["errorType"] == "Extension.InvalidExtensionState"
    assert late == {
        "errorType": "Extension.RegistrationClosed",
        "errorMessage": "Extension registration closed already",
    }


async def test_the_variables_of_an_extension_are_the_functions_but_for_the_runtimes_own(engine: Engine) -> None:
    source = 'register()\nsay("variables", dict(os.environ))\nnext_event()'
    function = engine.function(
        FUNCTION, layers=extensions(engine, looks=source), environment={"OWN": "1", "_PRIVATE": "2"}
    )
    await engine.run(function)
    line = next(message for message in engine.logs.messages if message.startswith("looks variables "))
    variables = json.loads(line.removeprefix("looks variables "))
    assert variables["OWN"] == "1"
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == function.name
    assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "PATH"} <= set(variables)
    assert not [name for name in variables if name.startswith("_")]
    assert not {"AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_STREAM_NAME", "LAMBDA_TASK_ROOT"} & set(variables)


TELEMETRY = """
events = []
full = threading.Event()


def take(batch):
    events.extend(batch)
    say("batch", len(batch))
    if any(event["type"] == "platform.report" for event in batch):
        full.set()


listen(take)
register("INVOKE", "SHUTDOWN")
say("subscribed", *subscribe(["platform", "function", "extension"], buffering={"timeoutMs": 25}))
while next_event()["eventType"] == "INVOKE":
    say("was told")
full.wait()
for event in events:
    say("telemetry", event)
sys.exit(0)
"""


async def test_telemetry_is_delivered_in_batches(engine: Engine) -> None:
    function = engine.function(FUNCTION, layers=extensions(engine, collector=TELEMETRY))
    await engine.run(function)
    await engine.logs.wait_for("REPORT")
    engine.front_end.retire(function.function_arn)
    await engine.logs.wait_for("platform.report")

    messages = engine.logs.messages
    assert 'collector subscribed 200 "OK"\n' in messages
    assert "TELEMETRY\tName: collector\tState: Subscribed\tTypes: [Platform, Function, Extension]\n" in messages
    prefix = "collector telemetry "
    events = [json.loads(message[len(prefix) :]) for message in messages if message.startswith(prefix)]
    platform = [event for event in events if event["type"].startswith("platform.")]
    assert [event["type"] for event in platform] == [
        "platform.initStart",
        "platform.telemetrySubscription",
        "platform.initRuntimeDone",
        "platform.extension",
        "platform.initReport",
        "platform.start",
        "platform.runtimeDone",
        "platform.report",
    ]
    records = {event["type"]: event["record"] for event in platform}
    assert records["platform.initStart"]["functionName"] == function.name
    assert records["platform.telemetrySubscription"] == {
        "name": "collector",
        "state": "Subscribed",
        "types": ["platform", "function", "extension"],
    }
    assert records["platform.extension"] == {
        "name": "collector",
        "state": "Ready",
        "events": ["INVOKE", "SHUTDOWN"],
    }
    assert records["platform.runtimeDone"]["status"] == "success"
    assert records["platform.runtimeDone"]["metrics"]["producedBytes"] == len(b'"done"')
    assert records["platform.report"]["metrics"]["memorySizeMB"] == 128
    assert records["platform.start"]["requestId"] == records["platform.report"]["requestId"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"]) for event in events)
    lines = {kind: [event["record"] for event in events if event["type"] == kind] for kind in ("function", "extension")}
    assert lines["function"] == ["function init\n", "handling\n"]
    assert "collector was told\n" in lines["extension"]
    assert "function init\n" in messages  # the log has them all the same
    assert "handling\n" in messages


async def test_the_logs_api_knows_its_own_events(engine: Engine) -> None:
    source = TELEMETRY.replace(
        'buffering={"timeoutMs": 25}',
        'api="2020-08-15/logs", version="2021-03-18", buffering={"timeoutMs": 25}',
    )
    function = engine.function(FUNCTION, layers=extensions(engine, collector=source))
    await engine.run(function)
    await engine.logs.wait_for("REPORT")
    engine.front_end.retire(function.function_arn)
    await engine.logs.wait_for("platform.report")
    messages = engine.logs.messages
    assert "LOGS\tName: collector\tState: Subscribed\tTypes: [Platform, Function, Extension]\n" in messages
    prefix = "collector telemetry "
    events = [json.loads(message[len(prefix) :]) for message in messages if message.startswith(prefix)]
    assert [event["type"] for event in events if event["type"].startswith("platform.")] == [
        "platform.logsSubscription",
        "platform.extension",
        "platform.start",
        "platform.runtimeDone",
        "platform.end",
        "platform.report",
    ]
    done = next(event["record"] for event in events if event["type"] == "platform.runtimeDone")
    assert set(done) == {"requestId", "status"}


async def test_telemetry_over_tcp_is_a_line_for_each_event(engine: Engine) -> None:
    source = """
    import socket
    server = socket.create_server(("127.0.0.1", 8081))

    def read():
        connection, _ = server.accept()
        for line in connection.makefile("rb"):
            say("telemetry", json.loads(line))

    threading.Thread(target=read, daemon=True).start()
    register("INVOKE", "SHUTDOWN")
    body = {"schemaVersion": "2022-12-13", "types": ["platform"], "destination": {"protocol": "TCP", "port": 8081}}
    call("PUT", "/2022-07-01/telemetry", body)
    while next_event()["eventType"] == "INVOKE":
        pass
    """
    function = engine.function(FUNCTION, layers=extensions(engine, reader=source))
    await engine.run(function)
    await engine.logs.wait_for('"type": "platform.report"')


async def test_the_node_connects_to_the_sandbox_only(engine: Engine) -> None:
    """What listens on the host's loopback hears nothing, by whatever name a function asks for it."""
    heard: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1000))
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    source = f"""
    inside = threading.Event()
    register("INVOKE", "SHUTDOWN")
    names = ["127.0.0.1:{port}", "localhost:{port}", "169.254.169.254:80", "sandbox.localdomain:9001",
             "sandbox.localdomain", "a@sandbox.localdomain:{port}", "sandbox.localdomain.example.com:{port}"]
    for name in names:
        say("refused", *subscribe(["platform"], uri=f"http://{{name}}"))
    listen(lambda batch: inside.set(), {port})
    say("accepted", *subscribe(["platform"], uri="http://sandbox.localdomain:{port}/path"))
    next_event()
    inside.wait()
    say("inside heard")
    next_event()
    """
    async with server:
        function = engine.function(FUNCTION, layers=extensions(engine, probe=source))
        await engine.run(function)
        await engine.logs.wait_for("inside heard")
    refused = [message for message in engine.logs.messages if message.startswith("probe refused")]
    assert len(refused) == 7
    assert all(message.startswith("probe refused 400") for message in refused)
    assert "URI port is not provided" in refused[4]
    assert any(message.startswith("probe accepted 200") for message in engine.logs.messages)
    assert heard == []


async def test_a_subscriber_that_listens_late_loses_nothing(engine: Engine) -> None:
    source = """
    register("INVOKE", "SHUTDOWN")
    subscribe(["function"], buffering={"timeoutMs": 25})
    next_event()
    events = []
    done = threading.Event()

    def take(batch):
        events.extend(batch)
        if len(events) >= 2:
            done.set()

    listen(take)
    done.wait()
    say("got", [event["record"] for event in events])
    next_event()
    """
    function = engine.function(FUNCTION, layers=extensions(engine, late=source), timeout_s=30)
    await engine.run(function)
    await engine.logs.wait_for("late got")
    assert 'late got ["function init\\n", "handling\\n"]\n' in engine.logs.messages


async def test_what_a_slow_subscriber_cannot_take_is_dropped_and_counted(engine: Engine) -> None:
    source = """
    go = threading.Event()
    all_known = threading.Event()
    lines = []
    dropped = []

    def take(batch):
        go.wait()
        for event in batch:
            if event["type"] == "platform.logsDropped":
                dropped.append(event["record"])
            elif event["type"] == "function":
                lines.append(event)
        if len(lines) + sum(record["droppedRecords"] for record in dropped) >= 10000:
            all_known.set()

    listen(take)
    register("INVOKE", "SHUTDOWN")
    subscribe(["platform", "function"], buffering={"timeoutMs": 25, "maxItems": 1000})
    next_event()
    next_event()  # by then, the platform has read all that the first invocation printed
    go.set()
    all_known.wait()
    say("dropped", dropped)
    next_event()
    """
    printing = """
    def handler(event, context):
        for n in range(5000):
            print(n)
    """
    function = engine.function(printing, layers=extensions(engine, slow=source), timeout_s=30)
    await engine.run(function)
    await engine.logs.wait_for("REPORT")
    await engine.run(function)
    await engine.logs.wait_for("slow dropped")
    (line,) = [message for message in engine.logs.messages if message.startswith("slow dropped")]
    dropped = json.loads(line.removeprefix("slow dropped "))
    # Of 5,000 lines, one batch was on its way and one was gathered.
    assert sum(record["droppedRecords"] for record in dropped) >= 5000 - 2 * 1000
    assert all(record["droppedBytes"] > record["droppedRecords"] for record in dropped)
    reasons = {"Consumer seems to have fallen behind as it has not acknowledged receipt of logs."}
    assert {record["reason"] for record in dropped} == reasons
    assert {f"{n}\n" for n in range(5000)} <= set(engine.logs.messages)
