"""Functions in real sandboxes through the whole engine: what they see, and how they fail."""

import asyncio
import contextlib
import dataclasses
import json
import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from cloudlet.compute.function import InvocationResult
from tests.support.compute_engine import Engine
from tests.support.compute_world import error_of, invocation
from tests.support.sandboxes import everybodys_folder, root_launcher

pytestmark = pytest.mark.asyncio(loop_scope="module")
RECORDED = Path(__file__).parents[3] / "shared/oracles/recorded/lambda.json"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine() -> AsyncIterator[Engine]:
    with everybodys_folder() as folder:
        launcher, runtime = root_launcher(folder / "state")
        async with Engine(launcher, folder, runtime) as engine:
            await launcher.prepare(runtime)
            yield engine


def recorded(name: str, answer: str) -> Any:
    """A payload that AWS was recorded to give."""
    return json.loads(RECORDED.read_text())[f"TestLambdaErrors::{name}"]["answers"][answer]["Payload"]


def assert_is_recorded(result: InvocationResult, payload: dict[str, str]) -> None:
    """The error is the recorded one, but for the request id."""
    error = error_of(result)
    assert error["errorType"] == payload["errorType"]
    assert re.sub(r"RequestId: \S+", "RequestId: <uuid>", error["errorMessage"]) == payload["errorMessage"]


async def test_a_function_answers(engine: Engine) -> None:
    function = engine.function("def handler(event, context): return {'hello': event['name']}")
    cold = await engine.run(function, b'{"name":"Ada"}')
    warm = await engine.run(function, b'{"name":"Grace"}')
    assert (cold.payload, warm.payload) == (b'{"hello": "Ada"}', b'{"hello": "Grace"}')
    assert cold.init_ms is not None
    assert warm.init_ms is None
    assert 0 < warm.memory_peak_mb <= 128


async def test_the_context_is_whole(engine: Engine) -> None:
    function = engine.function(
        """
        import os
        def handler(event, context):
            return {
                "name": context.function_name, "version": context.function_version, "request": context.aws_request_id,
                "arn": context.invoked_function_arn, "memory": context.memory_limit_in_mb,
                "group": context.log_group_name, "stream": context.log_stream_name,
                "left": context.get_remaining_time_in_millis(), "custom": context.client_context.custom,
                "identity": context.identity.cognito_identity_id, "trace": os.environ["_X_AMZN_TRACE_ID"],
            }
        """,
        timeout_s=30,
    )
    given = invocation(
        b"{}",
        client_context='{"custom": {"a": "b"}}',
        cognito_identity='{"cognitoIdentityId": "id", "cognitoIdentityPoolId": "pool"}',
        trace_id="Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=0",
    )
    seen = orjson.loads((await engine.front_end.invoke(function, given)).payload)
    assert 25_000 < seen.pop("left") <= 30_000
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", seen.pop("stream"))
    assert seen == {
        "name": function.name,
        "version": "$LATEST",
        "request": given.request_id,
        "arn": given.invoked_function_arn,
        "memory": "128",
        "group": function.log_group,
        "custom": {"a": "b"},
        "identity": "id",
        "trace": given.trace_id,
    }


async def test_the_environment_is_as_on_aws(engine: Engine) -> None:
    answers = json.loads(RECORDED.read_text())["TestLambdaBehavior::test_lambda_init_environment"]["answers"]
    expected = answers["lambda-init-inspection"]["Payload"]["environment"]
    function = engine.function("import os\ndef handler(event, context): return dict(os.environ)")
    seen = orjson.loads((await engine.run(function)).payload)
    assert set(expected) <= set(seen)
    same = {"PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "LANG", "LC_CTYPE", "TZ", "PWD", "SHLVL", "LAMBDA_TASK_ROOT"}
    assert {name: seen[name] for name in same} == {name: expected[name] for name in same}


async def test_what_is_printed_and_logged_is_in_the_log_and_in_the_tail(engine: Engine) -> None:
    function = engine.function(
        """
        import logging, sys
        print("at import")
        def handler(event, context):
            print("one\\ntwo")
            print("to stderr", file=sys.stderr)
            logging.getLogger().warning("several\\nlines")
            sys.stdout.write("no end")
        """
    )
    result = await engine.run(function, tail_log=True)
    tail = result.log_tail.decode()
    for text in ("at import\n", "one\ntwo\n", "to stderr\n", "several\nlines\n", "no end", "REPORT RequestId"):
        assert text in tail
    lines = engine.logs.messages
    for line in ("at import\n", "one\n", "two\n", "to stderr\n", "no end"):
        assert line in lines
    assert any(re.fullmatch(r"\[WARNING\]\t\S+Z\t\S+\tseveral\nlines\n", line) for line in lines)


async def test_an_exception_has_its_stack_trace(engine: Engine) -> None:
    function = engine.function("def handler(event, context):\n    raise ValueError('wrong')")
    given = invocation()
    assert error_of(await engine.front_end.invoke(function, given)) == {
        "errorMessage": "wrong",
        "errorType": "ValueError",
        "requestId": given.request_id,
        "stackTrace": ["  File \"/var/task/app.py\", line 2, in handler\n    raise ValueError('wrong')\n"],
    }


def is_running(argument: str) -> bool:
    """True while a process of this machine has `argument` on its command line."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if argument.encode() in (process / "cmdline").read_bytes().split(b"\0"):
                return True
    return False


async def test_a_timeout_kills_all_that_the_function_started(engine: Engine) -> None:
    seconds = str(1_000_000 + secrets.randbelow(1_000_000))
    function = engine.function(
        f"""
        import os, subprocess, time
        def handler(event, context):
            subprocess.Popen(["/bin/sleep", "{seconds}"], start_new_session=True)
            if os.fork() == 0:
                os.setsid()
            print("before")
            time.sleep(1000)
        """,
        timeout_s=1,
    )
    given = invocation(tail_log=True)
    call = asyncio.create_task(engine.front_end.invoke(function, given))
    while not call.done() and not is_running(seconds):
        await asyncio.sleep(0)
    assert not call.done()
    result = await call
    assert error_of(result) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {given.request_id} Error: Task timed out after 1.00 seconds",
    }
    assert result.duration_ms == 1000.0
    assert not is_running(seconds)
    tail = result.log_tail.decode()
    assert tail.endswith("Status: timeout\n")
    assert f"Z {given.request_id} Task timed out after 1.00 seconds\n\n" in tail
    assert "before\n" in tail


async def test_after_a_timeout_the_next_invocation_is_unharmed(engine: Engine) -> None:
    function = engine.function(
        """
        import time
        count = 0
        def handler(event, context):
            global count
            count += 1
            if event.get("sleep"):
                time.sleep(60)
            return count
        """,
        timeout_s=1,
    )
    assert (await engine.run(function)).payload == b"1"
    assert (await engine.run(function)).payload == b"2"
    assert (await engine.run(function, b'{"sleep":true}')).function_error == "Unhandled"
    assert (await engine.run(function)).payload == b"1"


async def test_leaving_with_status_0_is_as_recorded(engine: Engine) -> None:
    in_handler = engine.function("import sys\ndef handler(event, context): sys.exit(0)")
    at_import = engine.function("import sys\nsys.exit(0)")
    for function, name in ((in_handler, "test_lambda_handler_exit"), (at_import, "test_lambda_runtime_exit")):
        assert_is_recorded(await engine.run(function), recorded(name, "invocation_error"))


async def test_a_wrapper_that_is_not_there_is_as_recorded(engine: Engine) -> None:
    wrapper = {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/not_there"}
    function = engine.function("def handler(event, context): return 1", environment=wrapper)
    assert_is_recorded(
        await engine.run(function), recorded("test_lambda_runtime_wrapper_not_found", "invocation_error")
    )


async def test_a_wrapper_changes_what_the_runtime_starts_with(engine: Engine) -> None:
    files = {
        "app.py": "import os\ndef handler(event, context): return os.environ['WRAPPED']",
        "wrapper": '#!/bin/sh\nWRAPPED=yes exec "$@"\n',
    }
    wrapper = {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"}
    assert (await engine.run(engine.function(files, environment=wrapper))).payload == b'"yes"'


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("os._exit(3)", "exit status 3"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "signal: segmentation fault"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "signal: killed"),
        ("os.abort()", "signal: aborted"),
    ],
)
async def test_crashes_are_told_as_on_aws(engine: Engine, line: str, text: str) -> None:
    function = engine.function(f"import os, signal\ndef handler(event, context): {line}")
    given = invocation(tail_log=True)
    result = await engine.front_end.invoke(function, given)
    assert error_of(result) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {given.request_id} Error: Runtime exited with error: {text}",
    }
    assert result.log_tail.decode().endswith("Status: error\tError Type: Runtime.ExitError\n")


async def test_running_out_of_memory_is_told_as_on_aws(engine: Engine) -> None:
    function = engine.function(
        """
        def handler(event, context):
            if event.get("fill"):
                kept = [bytearray(b"x" * 2**20) for _ in range(1000)]
            return "alive"
        """
    )
    assert (await engine.run(function)).payload == b'"alive"'
    given = invocation(b'{"fill":true}')
    result = await engine.front_end.invoke(function, given)
    assert error_of(result) == {
        "errorType": "Runtime.OutOfMemory",
        "errorMessage": f"RequestId: {given.request_id} Error: Runtime exited with error: signal: killed",
    }
    assert result.memory_peak_mb == 128
    assert (await engine.run(function)).payload == b'"alive"'


@pytest.mark.parametrize(
    ("source", "handler", "error_type", "message"),
    [
        ("import nothing_here", "app.handler", "Runtime.ImportModuleError", "Unable to import module 'app': No module"),
        ("", "app.handler", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
        ("", "missing.handler", "Runtime.ImportModuleError", "Unable to import module 'missing'"),
        ("", "handler", "Runtime.MalformedHandlerName", "Bad handler 'handler'"),
        ("def (", "app.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'"),
        ("raise KeyError('no')", "app.handler", "KeyError", "'no'"),
    ],
)
async def test_what_cannot_be_loaded_is_told_as_on_aws(
    engine: Engine, source: str, handler: str, error_type: str, message: str
) -> None:
    result = await engine.run(engine.function(source, handler=handler), tail_log=True)
    error = error_of(result)
    assert error["errorType"] == error_type
    assert error["errorMessage"].startswith(message)
    shown = error_type if error_type.startswith("Runtime.") else "Runtime.Unknown"
    ends = re.findall(r"INIT_REPORT Init Duration: [\d.]+ ms\t(.*)\n", result.log_tail.decode())
    assert f"Phase: invoke\tStatus: error\tError Type: {shown}" in ends


async def test_a_response_over_the_limit_is_an_error(engine: Engine) -> None:
    function = engine.function("def handler(event, context): return 'x' * event['size']", timeout_s=30)
    limit = 6 * 1024 * 1024 + 100 - 2
    assert len((await engine.run(function, b'{"size":%d}' % limit)).payload) == limit + 2
    assert error_of(await engine.run(function, b'{"size":%d}' % (limit + 1))) == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
    }
    assert len((await engine.run(function, b'{"size":10}')).payload) == 12


async def test_what_is_no_json_is_told_as_on_aws(engine: Engine) -> None:
    function = engine.function("def handler(event, context): return object()")
    assert error_of(await engine.run(function))["errorType"] == "Runtime.MarshalError"
    assert error_of(await engine.run(function, b"{not json"))["errorType"] == "Runtime.UnmarshalError"


async def test_bytes_are_answered_as_they_are(engine: Engine) -> None:
    function = engine.function("def handler(event, context): return bytes(range(256))")
    assert (await engine.run(function)).payload == bytes(range(256))


async def test_a_flood_of_output_does_not_hold_up_others(engine: Engine) -> None:
    loud = engine.function(
        "def handler(event, context):\n    for n in range(200_000): print(n, 'x' * 100)\n    return 'done'",
        timeout_s=60,
    )
    quiet = engine.function("def handler(event, context): return 'quiet'")
    await engine.run(quiet)
    call = asyncio.create_task(engine.run(loud))
    while not call.done():
        assert (await asyncio.wait_for(engine.run(quiet), 10)).payload == b'"quiet"'
    assert (await call).payload == b'"done"'
    assert sum(line.endswith(" " + "x" * 100 + "\n") for line in engine.logs.messages) == 200_000


async def test_a_custom_runtime_of_a_shell_script_runs(engine: Engine) -> None:
    bootstrap = """\
#!/bin/sh
set -eu
while true; do
    python="import http.client, os
api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
api.request('GET', '/2018-06-01/runtime/invocation/next')
answer = api.getresponse()
event = answer.read().decode()
print('handling', event, flush=True)
name = answer.headers['Lambda-Runtime-Aws-Request-Id']
api.request('POST', f'/2018-06-01/runtime/invocation/{name}/response', event.upper())
api.getresponse().read()"
    command -v python3 >/dev/null || exit 33
    python3 -c "$python"
done
"""
    function = engine.function({"bootstrap": bootstrap}, runtime="provided.al2023", handler="any", timeout_s=30)
    result = await engine.run(function, b'"loud"', tail_log=True)
    if b"exit status 33" in result.payload:
        pytest.skip("no python3 among the programs that a custom runtime finds")
    assert result.payload == b'"LOUD"'
    assert 'handling "loud"\n' in result.log_tail.decode()


async def test_a_custom_runtime_that_cannot_start_is_told_as_on_aws(engine: Engine) -> None:
    missing = engine.function({"readme": "no bootstrap"}, runtime="provided.al2023", handler="any")
    assert error_of(await engine.run(missing))["errorType"] == "Runtime.InvalidEntrypoint"
    windows = engine.function({"bootstrap": "#!/bin/sh\r\nexit 7\r\n"}, runtime="provided.al2023", handler="any")
    error = error_of(await engine.run(windows))
    assert error["errorType"] == "Runtime.InvalidEntrypoint"
    assert error["errorMessage"].endswith("Error: fork/exec /var/task/bootstrap: no such file or directory")
    leaves = engine.function({"bootstrap": "#!/bin/sh\nexit 7\n"}, runtime="provided.al2023", handler="any")
    assert error_of(await engine.run(leaves))["errorMessage"].endswith("Runtime exited with error: exit status 7")


async def test_a_burst_runs_at_the_same_time(engine: Engine) -> None:
    source = "import time\ndef handler(event, context):\n    print('begun', event, flush=True)\n    time.sleep(1000)"
    function = engine.function(source, timeout_s=900)
    calls = [asyncio.create_task(engine.run(function, b"%d" % number)) for number in range(20)]
    for number in range(20):
        await engine.logs.wait_for(f"begun {number}\n")
    assert not any(call.done() for call in calls)
    for sandbox in list(engine.launcher._sandboxes.values()):  # type: ignore[attr-defined]
        sandbox.kill()
    assert {error_of(result)["errorType"] for result in await asyncio.gather(*calls)} == {"Runtime.ExitError"}


async def test_a_changed_function_is_run_in_new_environments_only(engine: Engine) -> None:
    old = engine.function("def handler(event, context): return 'old'", "changing", environment_id="old")
    new = engine.function("def handler(event, context): return 'new'", "changing", environment_id="new")
    assert (await engine.run(old)).payload == b'"old"'
    engine.front_end.retire(old.function_arn, ["new"])
    assert (await engine.run(new)).payload == b'"new"'
    ids = {pool.function.environment_id for pool in engine.manager._pools.values() if pool.function.name == "changing"}
    assert ids == {"new"}


async def test_a_frozen_function_wakes_for_its_next_event(engine: Engine) -> None:
    function = engine.function("def handler(event, context): return 'awake'")
    await engine.run(function)
    while not engine.manager._idle:
        await asyncio.sleep(0)
    for each in engine.manager._idle:
        each.freeze()
    assert (await asyncio.wait_for(engine.run(function), 10)).payload == b'"awake"'


async def test_prewarmed_environments_serve_the_first_invocations(engine: Engine) -> None:
    function = engine.function("print('init')\ndef handler(event, context): return 1", "prewarmed")
    engine.front_end.prewarm(function, 2)
    pool = next(pool for pool in engine.manager._pools.values() if pool.function.name == "prewarmed")
    while len(pool.idle) < 2:
        await asyncio.sleep(0)
    before = engine.manager.environments
    await asyncio.gather(engine.run(function), engine.run(function))
    assert engine.manager.environments == before


async def test_credentials_and_variables_are_the_functions_own(engine: Engine) -> None:
    source = "import os\ndef handler(event, context): return [os.environ.get(n) for n in ('AWS_ACCESS_KEY_ID', 'OWN')]"
    function = engine.function(source, environment={"OWN": "yes"})
    other = dataclasses.replace(function, name="other", environment={})
    first, second = [orjson.loads((await engine.run(each)).payload) for each in (function, other)]
    assert (first[1], second[1]) == ("yes", None)
    assert first[0] != second[0]


async def test_nothing_is_left_of_environments_that_ended(engine: Engine) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async def round_of_all_ends() -> None:
        fine = engine.function("def handler(event, context): return 1")
        crashing = engine.function("import os\ndef handler(event, context): os._exit(1)")
        hanging = engine.function("import time\ndef handler(event, context): time.sleep(60)", timeout_s=1)
        broken = engine.function("import nothing_here")
        functions = [fine, crashing, hanging, broken] * 3
        await asyncio.gather(*(engine.run(function) for function in functions))
        for function in functions:
            engine.front_end.retire(function.function_arn)
        if sandboxes:
            await asyncio.wait([sandbox.exited for sandbox in sandboxes.values()])

    for pool in list(engine.manager._pools.values()):
        engine.front_end.retire(pool.function.function_arn)
    sandboxes = engine.launcher._sandboxes  # type: ignore[attr-defined]
    await round_of_all_ends()
    before = descriptors()
    for _ in range(2):
        await round_of_all_ends()
    assert descriptors() <= before
    assert engine.manager.environments == 0
    assert not engine.manager._charges


async def test_a_launcher_that_dies_takes_its_sandboxes_and_is_started_again(engine: Engine) -> None:
    function = engine.function(
        """
        import time
        def handler(event, context):
            print("begun", flush=True)
            time.sleep(event.get("sleep", 0))
            return "fine"
        """,
        timeout_s=30,
    )
    await engine.run(function)
    engine.logs.events.clear()
    call = asyncio.create_task(engine.run(function, b'{"sleep":20}'))
    await engine.logs.wait_for("begun")
    process = engine.launcher._process  # type: ignore[attr-defined]
    process.kill()
    assert error_of(await call)["errorMessage"].endswith("Runtime exited with error: signal: killed")
    assert (await engine.run(function)).payload == b'"fine"'


async def test_one_caller_after_the_other_meets_one_environment(engine: Engine) -> None:
    function = engine.function(
        "count = 0\ndef handler(event, context):\n    global count\n    count += 1\n    return count"
    )
    counts = [int((await engine.run(function)).payload) for _ in range(50)]
    assert counts == list(range(1, 51))


async def test_files_outlast_a_crash_and_a_timeout(engine: Engine) -> None:
    function = engine.function(
        """
        import os, pathlib, time
        seen = pathlib.Path("/tmp/seen")
        def handler(event, context):
            before = seen.read_text() if seen.exists() else ""
            seen.write_text(before + event)
            if event == "c":
                os._exit(3)
            if event == "t":
                time.sleep(100)
            return before
        """,
        timeout_s=1,
    )
    answers = [await engine.front_end.invoke(function, invocation(f'"{event}"'.encode())) for event in "actb"]
    assert [bool(answer.function_error) for answer in answers] == [False, True, True, False]
    assert orjson.loads(answers[-1].payload) == "act"
