"""What AWS was recorded to answer for functions of runtimes other than Python, as far as this machine has them."""

import base64
import json
from typing import Any

import pytest

from cloudlet.compute.runtimes import Runtimes
from tests.oracles.test_recorded_lambda import RECORDED, Make, endpoint, package, replay
from tests.support.sandboxes import PREPARED

__all__ = ["endpoint", "replay"]  # fixtures

MACHINE = Runtimes(PREPARED)
pytestmark = pytest.mark.skipif(not RECORDED, reason="the recordings are not here")
needs_node = pytest.mark.skipif(not MACHINE.interpreters("nodejs"), reason="no Node.js 18 or newer")

FAILING = "exports.handler = async (event) => { throw new Error('Error: ' + event.error_msg) }\n"
ECHO = "exports.handler = async (event) => { console.log(JSON.stringify(event)); return event }\n"
CONTEXT = "exports.handler = (event, context) => context.succeed({context})\n"
NODE_RUNTIMES = ["nodejs16.x", "nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x"]


@needs_node
@pytest.mark.parametrize("runtime", NODE_RUNTIMES)
def test_uncaught_exception_of_nodejs(replay: Make, runtime: str) -> None:
    run = replay(f"TestLambdaRuntimesCommon::test_uncaught_exception_invoke[{runtime}]")
    code = {"ZipFile": package(FAILING, "index.js")}
    run.check("create_function_result", run.create(Code=code, Runtime=runtime, MemorySize=1024))
    run.check("error_result", run.invoke(payload={"error_msg": "some_error_msg"}))


@pytest.mark.parametrize("runtime", NODE_RUNTIMES)
def test_wrapper_of_nodejs(replay: Make, runtime: str) -> None:
    run = replay(f"TestLambdaRuntimesCommon::test_runtime_wrapper_invoke[{runtime}]")
    variables = {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/environment_wrapper"}
    code = {"ZipFile": package(ECHO, "index.js")}
    made = run.create(Code=code, Runtime=runtime, MemorySize=1024, Environment={"Variables": variables}, wait=False)
    run.check("create_function_result", made)


@needs_node
def test_context_of_nodejs(replay: Make) -> None:
    run = replay("TestLambdaFeatures::test_lambda_with_context")
    code = {"ZipFile": package(CONTEXT, "lambda_integration.js")}
    run.check("creation", run.create_simply(Code=code, Runtime="nodejs16.x", Handler="lambda_integration.handler"))
    client = {"custom": {"foo": "bar"}, "client": {"snap": ["crackle", "pop"]}, "env": {"fizz": "buzz"}}
    context = base64.b64encode(json.dumps(client).encode()).decode()
    run.check("invocation", run.invoke(payload={}, ClientContext=context))


@needs_node
def test_logs_of_nodejs(replay: Make) -> None:
    run = replay("TestLambdaFeatures::test_invocation_with_logs[nodejs16.x]")
    code = {"ZipFile": package(ECHO, "handler.js")}
    run.create_simply(Code=code, Runtime="nodejs16.x")
    answer: Any = run.check("invoke", run.invoke(payload={}, LogType="Tail"))
    lines = base64.b64decode(answer["LogResult"]).decode().splitlines(keepends=True)
    run.check("logs", {"logs": [line if "INFO" not in line else f"date\t{line.split(chr(9), 1)[1]}" for line in lines]})


@needs_node
@pytest.mark.parametrize("kind", ["dry_run", "request_response"])
def test_invocation_type_of_nodejs(replay: Make, kind: str) -> None:
    run = replay(f"TestLambdaFeatures::test_invocation_type_{kind}[nodejs16.x]")
    run.create_simply(Code={"ZipFile": package(ECHO, "handler.js")}, Runtime="nodejs16.x")
    invocation_type = "DryRun" if kind == "dry_run" else "RequestResponse"
    run.check("invoke-result", run.invoke(payload={}, InvocationType=invocation_type))
