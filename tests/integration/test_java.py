"""Functions of Java runtimes in real sandboxes, on AWS's own runtime client."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
import pytest
import pytest_asyncio

from cloudlet.compute.function import FunctionVersion
from cloudlet.compute.launcher.client import SandboxLauncher
from cloudlet.compute.runtimes import Runtimes
from tests.support import builds
from tests.support.compute_engine import Engine
from tests.support.compute_world import error_of
from tests.support.sandboxes import PREPARED, everybodys_folder

MACHINE = list(Runtimes(PREPARED).interpreters("java"))
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        not builds.compiling_java(), reason="no Java 11 or newer with a compiler (Debian: apt-get install default-jdk)"
    ),
]
RUNTIME = builds.compiling_java()

HANDLERS = """
    package example;
    import com.amazonaws.services.lambda.runtime.*;
    import java.io.*;
    import java.util.*;

    public class Handlers implements RequestHandler<Map<String, Object>, Object> {
        public static class Order {
            private String item; private int count;
            public String getItem() { return item; } public void setItem(String item) { this.item = item; }
            public int getCount() { return count; } public void setCount(int count) { this.count = count; }
        }
        public Object handleRequest(Map<String, Object> event, Context context) { return "interface " + event; }
        public Order pojo(Order order) { order.setCount(order.getCount() + 1); return order; }
        public int number(int value) { return value + 1; }
        public void stream(InputStream input, OutputStream output) throws IOException {
            output.write('"'); output.write(input.readAllBytes().length + '0'); output.write('"');
        }
        public Object context(Map<String, Object> event, Context context) {
            Map<String, Object> seen = new HashMap<>();
            seen.put("name", context.getFunctionName());
            seen.put("version", context.getFunctionVersion());
            seen.put("memory", context.getMemoryLimitInMB());
            seen.put("id", context.getAwsRequestId());
            seen.put("left", context.getRemainingTimeInMillis());
            seen.put("custom", context.getClientContext().getCustom());
            seen.put("heap", Runtime.getRuntime().maxMemory());
            seen.put("java", System.getProperty("java.specification.version"));
            seen.put("option", System.getProperty("mine"));
            seen.put("tmp", new File("/tmp").list());
            return seen;
        }
        public Object log(Map<String, Object> event, Context context) {
            context.getLogger().log("logged\\nin one");
            System.out.println("printed");
            return null;
        }
        public Object fail(Map<String, Object> event) { throw new IllegalStateException("no"); }
        public Object exit(Map<String, Object> event) { System.exit(3); return null; }
        public Object fill(Map<String, Object> event) {
            List<byte[]> all = new ArrayList<>();
            for (;;) all.add(new byte[1 << 20]);
        }
        private Object hidden(Map<String, Object> event) { return null; }
    }
"""


@pytest.fixture(scope="module")
def classes(engine: Engine) -> builds.Files:  # the runtime is prepared then, and with it the library to compile with
    return builds.java({"Handlers.java": HANDLERS})


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine() -> AsyncIterator[Engine]:
    with everybodys_folder() as folder:
        launcher = SandboxLauncher(Runtimes(PREPARED), folder / "state")
        async with Engine(launcher, folder, RUNTIME) as engine:
            await launcher.prepare(RUNTIME)
            yield engine


def function(engine: Engine, files: Mapping[str, str | bytes], method: str = "", **changes: Any) -> FunctionVersion:
    handler = f"example.Handlers::{method}" if method else "example.Handlers"
    return engine.function(files, **{"handler": handler, "memory_mb": 256, "timeout_s": 30, **changes})


async def answer(engine: Engine, files: Mapping[str, str | bytes], method: str, event: Any, **changes: Any) -> Any:
    result = await engine.run(function(engine, files, method, **changes), json.dumps(event).encode())
    assert result.function_error == "", result.payload
    return orjson.loads(result.payload)


@pytest.mark.parametrize(
    ("method", "event", "expected"),
    [
        ("", {"a": 1}, "interface {a=1}"),
        ("handleRequest", {"a": 1}, "interface {a=1}"),
        ("pojo", {"item": "tea", "count": 1}, {"item": "tea", "count": 2}),
        ("number", 41, 42),
        ("stream", [1], "3"),
    ],
)
async def test_handlers_of_every_kind(
    engine: Engine, classes: builds.Files, method: str, event: Any, expected: Any
) -> None:
    assert await answer(engine, classes, method, event) == expected


async def test_every_java_of_this_machine(engine: Engine, classes: builds.Files) -> None:
    for runtime in MACHINE:
        seen = await answer(engine, classes, "number", 41, runtime=runtime)
        assert seen == 42


async def test_the_smallest_memory_is_enough(engine: Engine, classes: builds.Files) -> None:
    assert await answer(engine, classes, "pojo", {"item": "tea"}, memory_mb=128) == {"item": "tea", "count": 1}


async def test_the_context_is_whole(engine: Engine, classes: builds.Files) -> None:
    options = {"JAVA_TOOL_OPTIONS": "-Dmine=yes"}
    made = function(engine, classes, "context", memory_mb=512, environment=options)
    seen = orjson.loads((await engine.run(made, client_context='{"custom":{"a":"b"}}')).payload)
    assert (seen["name"], seen["version"], seen["memory"]) == (made.name, "$LATEST", 512)
    assert len(seen["id"]) == 36
    assert 20_000 < seen["left"] <= 30_000
    assert seen["custom"] == {"a": "b"}
    assert seen["option"] == "yes"
    assert seen["tmp"] == []
    assert seen["java"] == RUNTIME.removeprefix("java")
    assert 0.8 < seen["heap"] / (512 * 1024 * 1024) < 0.9


async def test_what_is_logged(engine: Engine, classes: builds.Files) -> None:
    before = len(engine.logs.messages)
    await engine.run(function(engine, classes, "log"))
    lines = engine.logs.messages[before:]
    assert any(line.rstrip("\n") == "logged\nin one" for line in lines), lines
    assert "printed\n" in lines
    assert lines[0].startswith(f"INIT_START Runtime Version: {RUNTIME.replace('java', 'java:')}")
    assert not [line for line in lines if "warning" in line.lower()], lines


async def test_an_exception_is_an_error(engine: Engine, classes: builds.Files) -> None:
    made = function(engine, classes, "fail")
    for _ in range(2):
        error = error_of(await engine.run(made))
        assert (error["errorType"], error["errorMessage"]) == ("java.lang.IllegalStateException", "no")
        assert error["stackTrace"][0].startswith("example.Handlers.fail(Handlers.java:")


@pytest.mark.parametrize(
    ("handler", "error_type", "message"),
    [
        ("example.Missing", "java.lang.ClassNotFoundException", "Class not found: example.Missing"),
        ("example.Handlers::nowhere", None, "No public method named nowhere"),
        ("example.Handlers::hidden", None, "No public method named hidden"),
    ],
)
async def test_handlers_that_are_not_there(
    engine: Engine, classes: builds.Files, handler: str, error_type: str | None, message: str
) -> None:
    error = error_of(await engine.run(function(engine, classes, handler=handler)))
    assert error.get("errorType") == error_type
    assert error["errorMessage"].startswith(message)


async def test_exiting_is_told(engine: Engine, classes: builds.Files) -> None:
    error = error_of(await engine.run(function(engine, classes, "exit")))
    assert error["errorMessage"].endswith("Error: Runtime exited with error: exit status 3")


async def test_too_much_memory_is_told(engine: Engine, classes: builds.Files) -> None:
    error = error_of(await engine.run(function(engine, classes, "fill", memory_mb=128)))
    assert re.search(r"OutOfMemory", error["errorType"])


async def test_libraries_of_the_package_and_of_layers(engine: Engine) -> None:
    gson = builds.maven(
        "com/google/code/gson/gson/2.13.2/gson-2.13.2.jar",
        "dd0ce1b55a3ed2080cb70f9c655850cda86c206862310009dcb5e5c95265a5e0",
    )
    source = """
        package example;
        public class Handlers {
            public String text(java.util.Map<String, Object> event) { return new com.google.gson.Gson().toJson(event); }
        }
    """
    files = builds.java({"Handlers.java": source}, jars=[gson])
    whole: dict[str, str | bytes] = {**files, "lib/gson.jar": gson.read_bytes()}
    assert await answer(engine, whole, "text", {"a": [1]}) == '{"a":[1]}'
    layer = engine.folder / "layer-java" / "java" / "lib"
    layer.mkdir(parents=True)
    (layer / "gson.jar").write_bytes(gson.read_bytes())
    for folder in (layer, *layer.parents[:2]):
        folder.chmod(0o755)
    engine.code.folders["layer-java"] = engine.folder / "layer-java"
    assert await answer(engine, dict(files), "text", {"a": [1]}, layers=("layer-java",)) == '{"a":[1]}'


async def test_a_wrapper_starts_the_runtime(engine: Engine, classes: builds.Files) -> None:
    files: dict[str, str | bytes] = {**classes, "wrapper": '#!/bin/sh\nJAVA_TOOL_OPTIONS=-Dmine=wrapped exec "$@"\n'}
    made = function(engine, files, "context", environment={"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"})
    seen = orjson.loads((await engine.run(made, client_context='{"custom":{}}')).payload)
    assert seen["option"] == "wrapped"
