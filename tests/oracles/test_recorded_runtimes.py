"""What AWS was recorded to answer for functions of runtimes other than Python, as far as this machine has them."""

import asyncio
import base64
import io
import json
import zipfile
from typing import Any

import pytest

from cloudlet.compute.runtimes import Runtimes
from tests.support import builds, native_functions
from tests.support.lambda_replay import RECORDED, Make, package
from tests.support.sandboxes import PREPARED

MACHINE = Runtimes(PREPARED)
pytestmark = pytest.mark.skipif(not RECORDED, reason="the recordings are not here")
needs_node = pytest.mark.skipif(not MACHINE.interpreters("nodejs"), reason="no Node.js 18 or newer")

needs_ruby = pytest.mark.skipif(not MACHINE.interpreters("ruby"), reason="no Ruby (Debian: apt-get install ruby)")
needs_java = pytest.mark.skipif(
    not builds.compiling_java(), reason="no Java 11 or newer with a compiler (Debian: apt-get install default-jdk)"
)

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


# Ruby

RUBY_RUNTIMES = ["ruby3.2", "ruby3.3", "ruby3.4"]
RUBY_FAILING = "def handler(event:, context:)\n  raise 'Error: ' + event['error_msg']\nend\n"


@needs_ruby
@pytest.mark.parametrize("runtime", RUBY_RUNTIMES)
def test_uncaught_exception_of_ruby(replay: Make, runtime: str) -> None:
    run = replay(f"TestLambdaRuntimesCommon::test_uncaught_exception_invoke[{runtime}]")
    code = {"ZipFile": package(RUBY_FAILING, "function.rb")}
    made = run.create(Code=code, Runtime=runtime, Handler="function.handler", MemorySize=1024)
    run.check("create_function_result", made)
    run.check("error_result", run.invoke(payload={"error_msg": "some_error_msg"}))


# Custom runtimes: what was recorded is a Rust function


@pytest.mark.parametrize("runtime", ["provided.al2023", "provided.al2"])
def test_uncaught_exception_of_rust(replay: Make, runtime: str) -> None:
    run = replay(f"TestLambdaRuntimesCommon::test_uncaught_exception_invoke[{runtime}]")
    code = {"ZipFile": zipped(native_functions.rust())}
    made = run.create(Code=code, Runtime=runtime, Handler="function.handler", MemorySize=1024)
    run.check("create_function_result", made)
    run.check("error_result", run.invoke(payload={"error_msg": "some_error_msg"}))


# Java

JAVA_RUNTIMES = ["java8.al2", "java11", "java17", "java21", "java25"]
JAVA_FAILING = """
    package echo;
    import com.amazonaws.services.lambda.runtime.*;
    import java.util.Map;
    public class Handler implements RequestHandler<Map<String, String>, Object> {
        public Object handleRequest(Map<String, String> event, Context context) {
            throw new RuntimeException("Error: " + event.get("error_msg"));
        }
    }
"""
JAVA_CUSTOM = """
    package cloud.localstack.sample;
    import com.amazonaws.services.lambda.runtime.*;
    public class LambdaHandlerWithInterfaceAndCustom implements RequestHandler<Object, String> {
        public String handleRequest(Object event, Context context) { return "INTERFACE"; }
        public String handleRequestCustom(Object event) { return "CUSTOM"; }
    }
"""
JAVA_WITH_LIBRARY = """
    package cloud.localstack.sample;
    import com.amazonaws.services.lambda.runtime.*;
    public class LambdaHandlerWithLib implements RequestHandler<Object, String> {
        public String handleRequest(Object event, Context context) { return new com.google.gson.Gson().toJson(event); }
    }
"""
GSON = (
    "com/google/code/gson/gson/2.13.2/gson-2.13.2.jar",
    "dd0ce1b55a3ed2080cb70f9c655850cda86c206862310009dcb5e5c95265a5e0",
)


def zipped(files: builds.Files) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o755 if data.startswith(b"\x7fELF") else 0o644) << 16
            archive.writestr(entry, data)
    return content.getvalue()


def compiled(name: str, source: str, *jars: str) -> builds.Files:
    """The classes of one source file; the runtime is prepared first, whose library it needs."""
    asyncio.run(Runtimes(PREPARED).prepare(builds.compiling_java()))
    return builds.java({f"{name}.java": source}, jars=[builds.maven(*GSON)] if jars else [])


@needs_java
@pytest.mark.parametrize("runtime", JAVA_RUNTIMES)
def test_uncaught_exception_of_java(replay: Make, runtime: str) -> None:
    run = replay(f"TestLambdaRuntimesCommon::test_uncaught_exception_invoke[{runtime}]")
    code = {"ZipFile": zipped(compiled("Handler", JAVA_FAILING))}
    made = run.create(Code=code, Runtime=runtime, Handler="echo.Handler", MemorySize=1024)
    run.check("create_function_result", made)
    run.check("error_result", run.invoke(payload={"error_msg": "some_error_msg"}))


@pytest.mark.parametrize(
    ("runtime", "handler"),
    [
        *(pytest.param(name, "echo.Handler", marks=needs_java) for name in JAVA_RUNTIMES),
        *(pytest.param(name, "function.handler", marks=needs_ruby) for name in RUBY_RUNTIMES),
    ],
)
def test_wrapper_of_other_runtimes(replay: Make, runtime: str, handler: str) -> None:
    run = replay(f"TestLambdaRuntimesCommon::test_runtime_wrapper_invoke[{runtime}]")
    variables = {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/environment_wrapper"}
    settings: dict[str, Any] = {
        "Runtime": runtime,
        "Handler": handler,
        "MemorySize": 1024,
        "Environment": {"Variables": variables},
    }
    run.check("create_function_result", run.create(**settings, wait=False))


@needs_java
@pytest.mark.parametrize(
    ("method", "answer"), [("", "INTERFACE"), ("handleRequest", "INTERFACE"), ("handleRequestCustom", "CUSTOM")]
)
def test_java_handler_methods(replay: Make, method: str, answer: str) -> None:
    name = "cloud.localstack.sample.LambdaHandlerWithInterfaceAndCustom"
    handler = f"{name}::{method}" if method else name
    run = replay(f"TestJavaRuntimes::test_java_custom_handler_method_specification[{handler}-{answer}]")
    code = {"ZipFile": zipped(compiled(name.rpartition(".")[2], JAVA_CUSTOM))}
    run.check("create-result", run.create_simply(Code=code, Runtime="java11", Handler=handler))
    run.check("invoke-result", run.invoke(payload={}))


@needs_java
def test_java_runtime_with_lib(replay: Make) -> None:
    run = replay("TestJavaRuntimes::test_java_runtime_with_lib")
    classes = compiled("LambdaHandlerWithLib", JAVA_WITH_LIBRARY, "gson")
    jar = builds.maven(*GSON).read_bytes()
    unpacked = zipfile.ZipFile(io.BytesIO(jar))
    merged = {name: unpacked.read(name) for name in unpacked.namelist() if name.startswith("com/")}
    packages = {
        "jar-with-lib": {**classes, **merged},
        "zip-with-lib": {**classes, "lib/gson.jar": jar},
        "zip-with-lib-gradle": {"lib/gson.jar": jar, "lib/function.jar": zipped(classes)},
    }
    for place, (kind, files) in enumerate(packages.items()):
        name = f"fn-{place}"
        code = {"ZipFile": zipped(files)}
        handler = "cloud.localstack.sample.LambdaHandlerWithLib"
        made = run.create_simply(name, Code=code, Runtime="java11", Handler=handler)
        run.check(f"create-result-{kind}", made)
        run.check(f"invoke-result-{kind}", run.invoke(name, payload={"echo": "echo"}))
