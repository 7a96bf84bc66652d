"""SnapStart over HTTP: versions whose environments wake up from a snapshot of their init phase."""

import concurrent.futures
import contextlib
import json
import re
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.compute.launcher.agent import checkpoint_code
from cloudlet.config import Config
from tests.support.functions import create_function
from tests.support.nodes import RUNTIMES, Clients, NodeInThread, NodeProcess, control, fresh_account, running

pytestmark = pytest.mark.skipif(
    not checkpoint_code.is_supported(), reason="SnapStart of Python needs an x86-64 machine"
)

RUNTIME = "python3.12"
SNAP_START = {"ApplyOn": "PublishedVersions"}
FAST = {"Delay": 0, "MaxAttempts": 100_000}
SOURCE = """
import asyncio, os, random, ssl, tempfile, time, uuid
from snapshot_restore_py import register_after_restore, register_before_snapshot

made_at = time.time()
drawn = random.random()
ssl.RAND_bytes(1)
loop = asyncio.new_event_loop()
calls = []
with open("/tmp/init", "w") as file:
    file.write("from init")
os.chmod("/tmp/init", 0o600)
kept = open("/tmp/init")
kept.read(5)

@register_before_snapshot
def before():
    calls.append("before")

@register_after_restore
def after():
    calls.append("after")
    print("after restore")

def handler(event, context):
    if event == "environment":
        return dict(os.environ)
    if event == "sleep":
        time.sleep(2)
    if event == "exit":
        os._exit(3)
    if event == "hang":
        time.sleep(60)
    if isinstance(event, dict) and "write" in event:
        with open("/tmp/mine", "w") as file:
            file.write(event["write"])
    return {
        "calls": list(calls),
        "drawn": drawn,
        "made_at": made_at,
        "now": time.time(),
        "pid": os.getpid(),
        "random": random.random(),
        "ssl": ssl.RAND_bytes(16).hex(),
        "uuid": str(uuid.uuid4()),
        "name": next(tempfile._get_candidate_names()),
        "kept": kept.read(),
        "init": open("/tmp/init").read(),
        "files": sorted(os.listdir("/tmp")),
        "loop": loop.run_until_complete(asyncio.sleep(0, "slept")),
        "stream": getattr(context, "log_stream_name", None),
    }
"""


@pytest.fixture
def functions(client: Any) -> Any:
    return client("lambda")


def publish(functions: Any, name: str = "fn") -> str:
    version: str = functions.publish_version(FunctionName=name)["Version"]
    functions.get_waiter("published_version_active").wait(FunctionName=name, Qualifier=version, WaiterConfig=FAST)
    return version


def make(functions: Any, source: str = SOURCE, **settings: Any) -> str:
    create_function(functions, "fn", source, **{"Runtime": RUNTIME, "SnapStart": SNAP_START, **settings})
    return publish(functions)


def invoke(functions: Any, event: Any = None, qualifier: str = "1", **params: Any) -> Any:
    answer = functions.invoke(FunctionName="fn", Qualifier=qualifier, Payload=json.dumps(event), **params)
    return json.load(answer["Payload"])


def at_once(functions: Any, count: int) -> list[Any]:
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: invoke(functions, "sleep"), range(count)))


def test_a_version_is_pending_until_its_snapshot_is_taken_and_then_on(functions: Any) -> None:
    create_function(functions, "fn", SOURCE, Runtime=RUNTIME, SnapStart=SNAP_START)
    latest = functions.get_function_configuration(FunctionName="fn")
    assert latest["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}
    published = functions.publish_version(FunctionName="fn")
    assert (published["State"], published["StateReasonCode"]) == ("Pending", "Creating")
    functions.get_waiter("published_version_active").wait(FunctionName="fn", Qualifier="1", WaiterConfig=FAST)
    version = functions.get_function_configuration(FunctionName="fn", Qualifier="1")
    assert version["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}
    assert (version["State"], version["LastUpdateStatus"]) == ("Active", "Successful")


def test_an_environment_wakes_up_after_the_init_phase_with_all_that_it_had(functions: Any) -> None:
    make(functions)
    began = time.time()
    woken = invoke(functions)
    assert woken["calls"] == ["before", "after"]
    assert woken["made_at"] < began <= woken["now"]
    assert (woken["kept"], woken["init"], woken["loop"]) == ("init", "from init", "slept")
    assert invoke(functions)["made_at"] == woken["made_at"]
    assert invoke(functions, qualifier="$LATEST")["calls"] == []


def test_twenty_environments_of_one_snapshot_share_its_past_and_nothing_else(functions: Any) -> None:
    make(functions, Timeout=30)
    answers = at_once(functions, 20)
    assert len({answer["drawn"] for answer in answers}) == 1
    for unique in ("random", "ssl", "uuid", "name"):
        assert len({answer[unique] for answer in answers}) == 20, unique


def test_what_one_environment_writes_no_other_sees(functions: Any) -> None:
    make(functions, Timeout=30)
    assert invoke(functions, {"write": "mine"})["files"] == ["init", "mine"]
    answers = at_once(functions, 4)  # one of them in the environment that has written
    assert sorted(answer["files"] for answer in answers) == [["init"], ["init"], ["init"], ["init", "mine"]]
    assert sorted(answer["kept"] for answer in answers) == ["", "init", "init", "init"]


def test_the_log_tells_of_the_init_phase_and_of_each_restore(functions: Any, client: Any) -> None:
    make(functions)
    tail = functions.invoke(FunctionName="fn", Qualifier="1", LogType="Tail")["LogResult"]
    assert tail
    logs = client("logs")

    def messages() -> list[list[str]]:
        try:
            streams = logs.describe_log_streams(logGroupName="/aws/lambda/fn")["logStreams"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [
            [event["message"] for event in logs.get_log_events(
                logGroupName="/aws/lambda/fn", logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]]
            for stream in streams
        ]  # fmt: skip

    while len(found := messages()) < 2 or not any(line.startswith("REPORT") for lines in found for line in lines):
        pass
    init, restored = sorted(found, key=lambda lines: lines[0])
    assert init[0].startswith("INIT_START Runtime Version: python:3.12")
    assert re.fullmatch(r"INIT_REPORT Init Duration: [\d.]+ ms\tPhase: init\tStatus: success\n", init[-1])
    assert restored[0].startswith("RESTORE_START Runtime Version: python:3.12")
    assert restored[1] == "after restore\n"
    assert re.fullmatch(r"RESTORE_REPORT Restore Duration: [\d.]+ ms\n", restored[2])
    assert restored[3].startswith("START RequestId: ")
    report = re.fullmatch(
        r"REPORT RequestId: \S+\tDuration: ([\d.]+) ms\tBilled Duration: (\d+) ms\tMemory Size: 128 MB\t"
        r"Max Memory Used: \d+ MB\tRestore Duration: [\d.]+ ms\tBilled Restore Duration: (\d+) ms\t\n",
        restored[5],
    )
    assert report is not None
    duration_ms, billed_ms, restore_ms = map(float, report.groups())
    assert billed_ms == restore_ms + -(-duration_ms // 1)


def test_credentials_come_from_the_platform_and_are_not_in_the_snapshot(functions: Any, clients: Clients) -> None:
    make(
        functions,
        "import boto3\nsts = boto3.client('sts')\nbefore = sts.get_caller_identity()['Arn']\n"
        "import os\ndef handler(event, context):\n"
        "    return [before, sts.get_caller_identity()['Arn'], sorted(os.environ)]\n",
        Timeout=30,
    )
    before, now, variables = invoke(functions)
    assert before == now
    assert f":{clients.account}:assumed-role/" in now
    assert {"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"} <= set(variables)
    missing = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_LOG_STREAM_NAME"}
    assert not missing & set(variables)


def test_an_environment_that_dies_or_times_out_is_restored_again(functions: Any) -> None:
    make(functions, Timeout=3)
    first = invoke(functions, {"write": "kept"})
    assert invoke(functions, "exit")["errorType"] == "Runtime.ExitError"
    again = invoke(functions)
    assert again["made_at"] == first["made_at"]
    assert again["files"] == ["init", "mine"]  # as after every reset
    assert invoke(functions, "hang")["errorType"] == "Sandbox.Timedout"
    assert invoke(functions)["made_at"] == first["made_at"]


def test_another_version_has_another_snapshot(functions: Any) -> None:
    make(functions)
    first = invoke(functions)
    functions.update_function_configuration(FunctionName="fn", Environment={"Variables": {"MINE": "b"}})
    functions.get_waiter("function_updated_v2").wait(FunctionName="fn", WaiterConfig=FAST)
    assert publish(functions) == "2"
    assert invoke(functions, qualifier="2")["made_at"] > first["made_at"]
    assert invoke(functions)["made_at"] == first["made_at"]
    assert invoke(functions, "environment", qualifier="2")["MINE"] == "b"


def test_an_init_phase_that_fails_fails_the_version(functions: Any) -> None:
    create_function(functions, "fn", "raise ValueError('broken')", Runtime=RUNTIME, SnapStart=SNAP_START)
    functions.publish_version(FunctionName="fn")
    failed = until_settled(functions)
    assert (failed["State"], failed["StateReasonCode"]) == ("Failed", "FunctionError")
    assert "ValueError: broken" in failed["StateReason"]
    with pytest.raises(functions.exceptions.ResourceConflictException):
        invoke(functions)


def until_settled(functions: Any) -> Any:
    while (got := functions.get_function_configuration(FunctionName="fn", Qualifier="1"))["State"] == "Pending":
        pass
    return got


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("from snapshot_restore_py import *\nregister_before_snapshot(lambda: 1 / 0)", "ZeroDivisionError"),
        ("import os\nkept = os.pidfd_open(os.getpid())", "pidfd"),
        ("import os\nos._exit(7)", "Runtime exited with error: exit status 7"),
    ],
    ids=["hook", "descriptor", "exit"],
)
def test_what_cannot_be_kept_is_said_in_the_state(functions: Any, source: str, told: str) -> None:
    source = f"{source}\ndef handler(event, context): pass\n"
    create_function(functions, "fn", source, Runtime=RUNTIME, SnapStart=SNAP_START)
    functions.publish_version(FunctionName="fn")
    failed = until_settled(functions)
    assert failed["State"] == "Failed"
    assert told in failed["StateReason"]


def test_an_after_restore_hook_that_fails_fails_the_invocation(functions: Any) -> None:
    make(
        functions, "import snapshot_restore_py as s\ns.register_after_restore(lambda: 1 / 0)\ndef handler(e, c): pass\n"
    )
    with pytest.raises(ClientError) as caught:
        invoke(functions)
    assert caught.value.response["Error"]["Code"] == "SnapStartException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_provisioned_concurrency_is_refused(functions: Any) -> None:
    make(functions)
    with pytest.raises(functions.exceptions.InvalidParameterValueException, match="SnapStart"):
        functions.put_provisioned_concurrency_config(
            FunctionName="fn", Qualifier="1", ProvisionedConcurrentExecutions=1
        )


@pytest.mark.chaos
def test_it_is_restored_after_the_node_was_killed(process_node: NodeProcess, clients: Clients) -> None:
    functions = clients.make(process_node.endpoint, "lambda")
    make(functions, Timeout=30)
    first = invoke(functions)
    process_node.kill9()
    process_node.restart()
    functions = clients.make(process_node.endpoint, "lambda")
    assert functions.get_function_configuration(FunctionName="fn", Qualifier="1")["State"] == "Active"
    again = invoke(functions)
    assert again["calls"] == ["before", "after"]
    assert again["made_at"] > first["made_at"]


def test_a_snapshot_goes_with_its_version(functions: Any, endpoint: str) -> None:
    def snapshots() -> int:
        found: int = control(endpoint, "status")["sandboxes"]["snapshots"]
        return found

    before = snapshots()
    make(functions)
    assert snapshots() == before + 1
    functions.delete_function(FunctionName="fn", Qualifier="1")
    while snapshots() != before:
        pass
    assert invoke(functions, qualifier="$LATEST")["calls"] == []


def test_one_that_is_not_used_is_taken_again(functions: Any, advance: Any) -> None:
    make(functions, Timeout=30)
    first = invoke(functions)
    advance(2 * 86400)
    again = invoke(functions)
    assert again["made_at"] > first["made_at"]
    assert again["calls"] == ["before", "after"]


def test_it_needs_namespaces(tmp_path: Any) -> None:
    node = NodeInThread(Config(data=tmp_path, port=0, isolation="process", runtimes=RUNTIMES))
    with running(node), contextlib.closing(Clients(fresh_account())) as clients:
        functions = clients.make(node.endpoint, "lambda")
        create_function(functions, "fn", SOURCE, Runtime=RUNTIME, SnapStart=SNAP_START)
        with pytest.raises(functions.exceptions.InvalidParameterValueException, match="isolation by namespaces"):
            functions.publish_version(FunctionName="fn")


def test_json_logs_have_the_restore_as_events(functions: Any, client: Any) -> None:
    levels = {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "DEBUG"}
    make(functions, LoggingConfig=levels)
    assert invoke(functions)["calls"] == ["before", "after"]
    logs = client("logs")
    types: dict[str, Any] = {}
    while "platform.report" not in types:
        with contextlib.suppress(logs.exceptions.ResourceNotFoundException):
            found = logs.filter_log_events(logGroupName="/aws/lambda/fn", filterPattern="{ $.type = platform.* }")
            events = [json.loads(event["message"]) for event in found["events"]]
            types = {event["type"]: event["record"] for event in events}
    assert {"platform.initStart", "platform.restoreStart", "platform.restoreRuntimeDone"} <= types.keys()
    assert types["platform.restoreReport"]["status"] == "success"
    metrics = types["platform.report"]["metrics"]
    assert metrics["restoreDurationMs"] > 0
    assert "initDurationMs" not in metrics
