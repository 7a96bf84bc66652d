"""Functions of Node.js runtimes in real sandboxes: handlers of every kind, errors and logs as AWS has them."""

import json
import re
import shutil
import subprocess
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from cloudlet.compute.function import FunctionVersion, InvocationResult
from cloudlet.compute.launcher.client import SandboxLauncher
from cloudlet.compute.runtimes import Runtimes
from tests.support.compute_engine import Engine
from tests.support.compute_world import error_of
from tests.support.sandboxes import PREPARED, everybodys_folder

RUNTIME = next(reversed(Runtimes(PREPARED).interpreters("nodejs")), "")
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not RUNTIME, reason="no Node.js 18 or newer (Debian: apt-get install nodejs npm)"),
]
LEGACY = "nodejs22.x"
"""What a function asks for that uses callbacks; the machine's Node.js serves it."""
MODERN = "nodejs24.x"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine() -> AsyncIterator[Engine]:
    with everybodys_folder() as folder:
        launcher = SandboxLauncher(Runtimes(PREPARED, nearest=True), folder / "state")
        async with Engine(launcher, folder, LEGACY) as engine:
            await launcher.prepare(LEGACY)
            yield engine


def function(engine: Engine, source: str | Mapping[str, str], **changes: Any) -> FunctionVersion:
    files = {"app.js": source} if isinstance(source, str) else source
    return engine.function(files, **{"handler": "app.handler", "memory_mb": 256, "timeout_s": 10, **changes})


async def answer(engine: Engine, source: str | Mapping[str, str], event: Any = None, **changes: Any) -> Any:
    """What a function answers to its second invocation: the first must have left it in order."""
    made = function(engine, source, **changes)
    payload = json.dumps(event or {}).encode()
    first = await engine.run(made, payload)
    assert first.function_error == "", first.payload
    second = await engine.run(made, payload)
    assert second.init_ms is None
    return orjson.loads(second.payload)


async def failure(engine: Engine, source: str | Mapping[str, str], **changes: Any) -> dict[str, Any]:
    result: InvocationResult = await engine.run(function(engine, source, **changes))
    return error_of(result)


HANDLERS: dict[str, tuple[str, str | Mapping[str, str]]] = {
    "an async function": ("app.handler", "exports.handler = async (event) => event.name"),
    "a promise": ("app.handler", "exports.handler = (event) => Promise.resolve(event.name)"),
    "a callback": ("app.handler", "exports.handler = (event, context, callback) => callback(null, event.name)"),
    "a late callback": (
        "app.handler",
        "exports.handler = (event, context, callback) => { setTimeout(() => callback(null, event.name), 5) }",
    ),
    "context.succeed": ("app.handler", "exports.handler = (event, context) => context.succeed(event.name)"),
    "context.done": ("app.handler", "exports.handler = (event, context) => context.done(null, event.name)"),
    "a .mjs file": ("app.handler", {"app.mjs": "export const handler = async (event) => event.name"}),
    "top-level await": (
        "app.handler",
        {"app.mjs": "const key = await Promise.resolve('name'); export const handler = async (event) => event[key]"},
    ),
    "type module": (
        "app.handler",
        {"app.js": "export const handler = async (event) => event.name", "package.json": '{"type": "module"}'},
    ),
    "a .cjs file in a package of modules": (
        "app.handler",
        {"app.cjs": "exports.handler = async (event) => event.name", "package.json": '{"type": "module"}'},
    ),
    "a nested folder": ("src/api/app.handler", {"src/api/app.js": "exports.handler = async (event) => event.name"}),
    "a nested export": ("app.api.v1.handler", "exports.api = {v1: {handler: async (event) => event.name}}"),
    "a package": (
        "app.handler",
        {"app.js": "exports.handler = async (event) => require('greet')(event)",
         "node_modules/greet/index.js": "module.exports = (event) => event.name"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", HANDLERS)
async def test_handlers_of_every_kind(engine: Engine, kind: str) -> None:
    handler, source = HANDLERS[kind]
    assert await answer(engine, source, {"name": "Ada"}, handler=handler) == "Ada"


async def test_a_handler_that_says_nothing_answers_null(engine: Engine) -> None:
    assert await answer(engine, "exports.handler = () => {}") is None


async def test_a_callback_waits_for_the_event_loop_to_be_empty(engine: Engine) -> None:
    source = """
        let done = false
        exports.handler = (event, context, callback) => {
            context.callbackWaitsForEmptyEventLoop = event.waits
            const was = done
            done = false
            setTimeout(() => { done = true }, 30)
            callback(null, was)
        }
    """
    assert await answer(engine, source, {"waits": True}) is True
    assert await answer(engine, source, {"waits": False}) is False


async def test_the_first_answer_counts(engine: Engine) -> None:
    source = (
        "exports.handler = (event, context, callback) => { context.succeed(1); context.fail('no'); callback('no') }"
    )
    assert await answer(engine, source) == 1


async def test_the_context_is_whole(engine: Engine) -> None:
    source = """
        exports.handler = async (event, context) => ({
            ...context, left: context.getRemainingTimeInMillis(), trace: process.env._X_AMZN_TRACE_ID,
            heap: require("v8").getHeapStatistics().heap_size_limit, cwd: process.cwd(), node: process.execPath,
        })
    """
    made = function(engine, source, memory_mb=512)
    result = await engine.run(
        made, client_context='{"custom":{"ä":1}}', cognito_identity='{"cognitoIdentityId":"i"}', trace_id="Root=1-2-3"
    )
    seen = orjson.loads(result.payload)
    assert seen["functionName"] == made.name
    assert seen["functionVersion"] == "$LATEST"
    assert seen["memoryLimitInMB"] == "512"
    assert seen["logGroupName"] == made.log_group
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", seen["logStreamName"])
    assert seen["invokedFunctionArn"].endswith(":function:greet")
    assert len(seen["awsRequestId"]) == 36
    assert seen["clientContext"] == {"custom": {"ä": 1}}
    assert seen["identity"] == {"cognitoIdentityId": "i"}
    assert seen["callbackWaitsForEmptyEventLoop"] is True
    assert seen["trace"] == "Root=1-2-3"
    assert seen["cwd"] == "/var/task"
    assert 9000 < seen["left"] <= 10_000
    assert 460 <= seen["heap"] / 1024 / 1024 < 600


ERRORS: dict[str, tuple[str | Mapping[str, str], str, str]] = {
    "thrown": ("exports.handler = async () => { throw new TypeError('bad') }", "TypeError", "bad"),
    "thrown at once": ("exports.handler = () => { throw new RangeError('far') }", "RangeError", "far"),
    "given to the callback": ("exports.handler = (e, c, callback) => callback(new Error('no'))", "Error", "no"),
    "a text": ("exports.handler = (e, c, callback) => callback('a text')", "string", "a text"),
    "context.fail": ("exports.handler = (e, context) => context.fail()", "string", "handled"),
    "of a class of its own": (
        "class Missing extends Error { constructor(m) { super(m); this.name = 'Missing' } }\n"
        "exports.handler = async () => { throw new Missing('it') }",
        "Missing",
        "it",
    ),
    "not JSON": (
        "exports.handler = async () => { const a = {}; a.a = a; return a }",
        "Error",
        "Unable to stringify response body",
    ),
    "a rejection": (
        "exports.handler = () => { Promise.reject(new Error('boom')); return new Promise(() => {}) }",
        "Runtime.UnhandledPromiseRejection",
        "Error: boom",
    ),
    "uncaught": ("exports.handler = (e, c, cb) => { setTimeout(() => { throw new Error('late') }) }", "Error", "late"),
    "a missing package": (
        "require('nope')",
        "Runtime.ImportModuleError",
        "Error: Cannot find module 'nope'\nRequire stack:\n- /var/task/app.js\n- /var/runtime/index.mjs",
    ),
    "a missing file": (
        {"other.js": ""},
        "Runtime.ImportModuleError",
        "Error: Cannot find module 'app'\nRequire stack:\n- /var/runtime/index.mjs",
    ),
    "no such export": (
        "exports.other = 1",
        "Runtime.HandlerNotFound",
        "app.handler is undefined or not exported",
    ),
    "no function": ("exports.handler = 1", "Runtime.HandlerNotFound", "app.handler is not a function"),
    "bad syntax": (
        "exports.handler = async () => {",
        "Runtime.UserCodeSyntaxError",
        "SyntaxError: Unexpected end of input",
    ),
    "import in CommonJS": (
        "import fs from 'fs'",
        "Runtime.UserCodeSyntaxError",
        "SyntaxError: Cannot use import statement outside a module",
    ),
    "a missing package of a module": (
        {"app.mjs": "import 'nope'"},
        "Error",
        "Cannot find package 'nope' imported from /var/task/app.mjs",
    ),
    "while loading": ("throw new Error('at load')", "Error", "at load"),
}


@pytest.mark.parametrize("kind", ERRORS)
async def test_errors_are_told_as_on_aws(engine: Engine, kind: str) -> None:
    source, error_type, message = ERRORS[kind]
    error = await failure(engine, source)
    assert (error["errorType"], error["errorMessage"]) == (error_type, message)
    assert isinstance(error["trace"], list)
    if error_type not in ("string", "Error"):
        assert error["trace"][0].startswith(f"{error_type}: ")


@pytest.mark.parametrize(
    ("handler", "error_type", "message"),
    [
        ("app", "Runtime.MalformedHandlerName", "Bad handler"),
        (
            "../app.handler",
            "Runtime.MalformedHandlerName",
            "'../app.handler' is not a valid handler name. Use absolute paths when specifying root directories in "
            "handler names.",
        ),
    ],
)
async def test_handlers_that_are_no_names(engine: Engine, handler: str, error_type: str, message: str) -> None:
    error = await failure(engine, "exports.handler = async () => 1", handler=handler)
    assert (error["errorType"], error["errorMessage"]) == (error_type, message)


async def test_exiting_is_told(engine: Engine) -> None:
    error = await failure(engine, "exports.handler = async () => process.exit(3)")
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("Error: Runtime exited with error: exit status 3")


async def test_too_much_memory_is_told(engine: Engine) -> None:
    source = "const all = []; exports.handler = async () => { for (;;) all.push(Buffer.alloc(1 << 20, 1)) }"
    assert (await failure(engine, source, memory_mb=128))["errorType"] == "Runtime.OutOfMemory"


# From Node.js 24 on


async def test_handlers_with_callbacks_are_refused_from_24_on(engine: Engine) -> None:
    error = await failure(engine, "exports.handler = (e, c, callback) => callback(null, 1)", runtime=MODERN)
    assert error["errorType"] == "Runtime.CallbackHandlerDeprecated"
    assert "has removed support for callback-based function handlers" in error["errorMessage"]


async def test_from_24_on_a_value_is_an_answer(engine: Engine) -> None:
    assert await answer(engine, "exports.handler = (event) => event.name", {"name": "Ada"}, runtime=MODERN) == "Ada"
    members = "exports.handler = async (e, context) => Object.keys(context)"
    assert not {"done", "succeed", "fail", "callbackWaitsForEmptyEventLoop"}.intersection(
        await answer(engine, members, runtime=MODERN)
    )
    error = await failure(engine, "exports.handler = async () => { throw new TypeError('bad') }", runtime=MODERN)
    assert (error["errorType"], error["errorMessage"]) == ("TypeError", "bad")


# What is logged


async def logged(engine: Engine, source: str, **changes: Any) -> list[str]:
    """The lines of one invocation that are the function's own."""
    before = len(engine.logs.messages)
    await engine.run(function(engine, source, **changes))
    ours = ("START", "END", "REPORT", "INIT_")
    return [line for line in engine.logs.messages[before:] if not line.startswith(ours)]


async def test_the_console_writes_lines_of_awss_format(engine: Engine) -> None:
    source = """
        exports.handler = async () => {
            console.log("one", {a: 1}); console.warn("two\\nlines"); console.error(new Error("three").message)
            console.debug("four %d", 4); process.stdout.write("bare\\n")
        }
    """
    lines = await logged(engine, source)
    framed = [line.split("\t") for line in lines if "\t" in line]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", fields[0]) for fields in framed)
    assert all(len(fields[1]) == 36 for fields in framed)
    assert [fields[2:] for fields in framed] == [
        ["INFO", "one { a: 1 }\n"], ["WARN", "two\nlines\n"], ["ERROR", "three\n"], ["DEBUG", "four 4\n"],
    ]  # fmt: skip
    assert "bare\n" in lines


async def test_json_logs_are_objects_of_the_wanted_levels(engine: Engine) -> None:
    source = """
        exports.handler = async () => {
            console.debug("hidden"); console.info({order: 7}); console.error("failed:", new TypeError("bad"))
        }
    """
    settings = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}
    info, error = [json.loads(line) for line in await logged(engine, source, environment=settings)]
    assert (info["level"], info["message"]) == ("INFO", {"order": 7})
    assert set(info) == {"timestamp", "level", "requestId", "message"}
    assert (error["level"], error["errorType"], error["errorMessage"]) == ("ERROR", "TypeError", "bad")
    assert error["stackTrace"][0] == "TypeError: bad"


async def test_errors_are_logged(engine: Engine) -> None:
    (line,) = await logged(engine, "exports.handler = async () => { throw new TypeError('bad') }")
    _time, _id, level, title, error = line.split("\t")
    assert (level, title) == ("ERROR", "Invoke Error ")
    assert json.loads(error)["errorType"] == "TypeError"
    lines = await logged(engine, "throw new Error('at load')")
    assert all("\tundefined\tERROR\tUncaught Exception \t{" in line for line in lines)


# Streams


async def test_a_response_is_streamed(engine: Engine) -> None:
    source = """
        const {pipeline} = require("stream/promises")
        const {Readable} = require("stream")
        exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
            stream.setContentType("text/plain")
            stream.write("one,")
            stream.write({two: context.functionVersion})
            await pipeline(Readable.from([Buffer.from(",three,"), "x".repeat(100000)]), stream)
        })
    """
    result = await engine.run(function(engine, source))
    assert result.function_error == ""
    assert result.payload == b'one,{"two":"$LATEST"},three,' + b"x" * 100_000


async def test_an_http_response_has_its_prelude(engine: Engine) -> None:
    source = """
        exports.handler = awslambda.streamifyResponse(async (event, stream) => {
            const http = awslambda.HttpResponseStream.from(stream, {statusCode: 201})
            event.write && http.write("body")
            http.end()
        })
    """
    made = function(engine, source)
    for _ in range(2):
        assert (await engine.run(made, b'{"write":true}')).payload == b'{"statusCode":201}' + bytes(8) + b"body"
    assert (await engine.run(made, b"{}")).payload == b'{"statusCode":201}' + bytes(8)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("async (e, stream) => { stream.write('some'); throw new RangeError('far') }", "far"),
        ("async (e, stream) => { throw new RangeError('at once') }", "at once"),
        ("(e, stream) => { stream.write('some') }", "Streaming does not support non-async handlers."),
        ("async (e, stream) => { stream.on('error', () => {}); stream.destroy(); throw new Error('cut') }", "cut"),
    ],
)
async def test_a_stream_that_fails_is_an_error(engine: Engine, body: str, message: str) -> None:
    made = function(engine, f"exports.handler = awslambda.streamifyResponse({body})")
    for _ in range(2):
        assert error_of(await engine.run(made))["errorMessage"] == message


# What functions find


async def test_the_sdk_is_there_for_both_kinds_of_modules(engine: Engine) -> None:
    if lacks := Runtimes(PREPARED, nearest=True).lacks(LEGACY):
        pytest.skip(lacks)
    source = """
        exports.handler = async () => {
            const {LambdaClient} = require("@aws-sdk/client-lambda")
            return new LambdaClient({}).config.region()
        }
    """
    assert await answer(engine, source) == "eu-central-1"
    source = 'import {S3Client} from "@aws-sdk/client-s3"; export const handler = async () => typeof S3Client'
    assert await answer(engine, {"app.mjs": source}) == "function"


LAYER_PLACES = ["nodejs/node_modules", "nodejs/node22/node_modules"]


@pytest.mark.parametrize("place", LAYER_PLACES)
async def test_packages_of_layers_are_found_by_both_kinds_of_modules(engine: Engine, place: str) -> None:
    layer = f"layer-{place.replace('/', '-')}"
    package = engine.folder / layer / place / "greet"
    package.mkdir(parents=True)
    (package / "index.js").write_text("module.exports = 'from the layer'")
    for folder in [engine.folder / layer, *(engine.folder / layer).rglob("*")]:
        folder.chmod(0o755)
    engine.code.folders[layer] = engine.folder / layer
    changes: dict[str, Any] = {"layers": (layer,)}
    assert await answer(engine, "exports.handler = async () => require('greet')", **changes) == "from the layer"
    module = {"app.mjs": 'import greet from "greet"; export const handler = async () => greet'}
    assert await answer(engine, module, **changes) == "from the layer"


async def test_the_output_can_be_opened_by_its_name(engine: Engine) -> None:
    source = "exports.handler = async () => require('fs').appendFileSync('/dev/stdout', 'by name\\n')"
    assert "by name\n" in await logged(engine, source)


async def test_a_wrapper_starts_the_runtime(engine: Engine) -> None:
    files = {
        "app.js": "exports.handler = async () => [process.env.WRAPPED, process.execArgv.includes('--expose-gc')]",
        "wrapper": '#!/bin/sh\nWRAPPED=yes exec "$@"\n',
    }
    wrapper = {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"}
    assert await answer(engine, files, environment=wrapper) == ["yes", True]


async def test_node_options_are_respected(engine: Engine) -> None:
    source = "exports.handler = async () => process.env.NODE_OPTIONS + typeof globalThis.gc"
    options = {"NODE_OPTIONS": "--stack-trace-limit=3"}
    assert await answer(engine, source, environment=options) == "--stack-trace-limit=3function"


async def test_a_package_of_npm_works(engine: Engine, tmp_path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm (Debian: apt-get install npm)")
    install = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(tmp_path), "uuid@14.0.3"]
    if subprocess.run(install, capture_output=True, check=False).returncode != 0:
        pytest.skip("npm cannot be reached")
    files = {
        str(path.relative_to(tmp_path)): path.read_text()
        for path in (tmp_path / "node_modules" / "uuid").rglob("*")
        if path.suffix in (".js", ".json")
    }
    source = 'import {v5} from "uuid"; export const handler = async (event) => v5(event.name, v5.URL)'
    made = await answer(engine, {"app.mjs": source, **files}, {"name": "http://example.com/"})
    assert made == str(uuid.uuid5(uuid.NAMESPACE_URL, "http://example.com/"))
