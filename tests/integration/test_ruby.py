"""Functions of Ruby runtimes in real sandboxes: handlers, errors and logs as AWS has them."""

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
from tests.support.compute_engine import Engine
from tests.support.compute_world import error_of
from tests.support.sandboxes import PREPARED, everybodys_folder

RUNTIME = "ruby3.3"
"""What functions ask for; the nearest Ruby of this machine serves them."""
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not Runtimes(PREPARED).interpreters("ruby"), reason="no Ruby (Debian: apt-get install ruby)"),
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine() -> AsyncIterator[Engine]:
    with everybodys_folder() as folder:
        launcher = SandboxLauncher(Runtimes(PREPARED, nearest=True), folder / "state")
        async with Engine(launcher, folder, RUNTIME) as engine:
            await launcher.prepare(RUNTIME)
            yield engine


def function(engine: Engine, source: str | Mapping[str, str], **changes: Any) -> FunctionVersion:
    files = {"app.rb": source} if isinstance(source, str) else source
    return engine.function(files, **{"handler": "app.handler", "timeout_s": 10, **changes})


async def answer(engine: Engine, source: str | Mapping[str, str], event: Any = None, **changes: Any) -> Any:
    """What a function answers to its second invocation."""
    made = function(engine, source, **changes)
    first = await engine.run(made, json.dumps(event or {}).encode())
    assert first.function_error == "", first.payload
    second = await engine.run(made, json.dumps(event or {}).encode())
    assert second.init_ms is None
    return orjson.loads(second.payload)


CLASS = """
    module Api
      class V1
        def self.handler(event:, context:) = event['name']
      end
    end
"""


@pytest.mark.parametrize(
    ("handler", "source"),
    [
        ("app.handler", "def handler(event:, context:) = event['name']"),
        ("app.Api::V1.handler", CLASS),
        ("src/app.handler", {"src/app.rb": "def handler(event:, context:) = event['name']"}),
        (
            "app.handler",
            {"app.rb": "require 'greet'\ndef handler(event:, context:) = greet(event)",
             "greet.rb": "def greet(event) = event['name']"},
        ),
    ],
)  # fmt: skip
async def test_handlers_of_every_kind(engine: Engine, handler: str, source: str | Mapping[str, str]) -> None:
    assert await answer(engine, source, {"name": "Ädä"}, handler=handler) == "Ädä"


async def test_the_context_is_whole(engine: Engine) -> None:
    source = """
        def handler(event:, context:)
          {name: context.function_name, version: context.function_version, memory: context.memory_limit_in_mb,
           id: context.aws_request_id, arn: context.invoked_function_arn, left: context.get_remaining_time_in_millis,
           group: context.log_group_name, stream: context.log_stream_name, client: context.client_context,
           identity: context.identity, trace: ENV['_X_AMZN_TRACE_ID'], pwd: Dir.pwd}
        end
    """
    made = function(engine, source)
    result = await engine.run(
        made, client_context='{"custom":{"a":1}}', cognito_identity='{"cognitoIdentityId":"i"}', trace_id="Root=1-2-3"
    )
    seen = orjson.loads(result.payload)
    assert (seen["name"], seen["version"], seen["memory"]) == (made.name, "$LATEST", "128")
    assert len(seen["id"]) == 36
    assert seen["arn"].endswith(":function:greet")
    assert 9000 < seen["left"] <= 10_000
    assert seen["group"] == made.log_group
    assert "[$LATEST]" in seen["stream"]
    assert (seen["client"], seen["identity"]) == ({"custom": {"a": 1}}, {"cognitoIdentityId": "i"})
    assert (seen["trace"], seen["pwd"]) == ("Root=1-2-3", "/var/task")


@pytest.mark.parametrize(
    ("source", "error_type", "message"),
    [
        ("def handler(event:, context:) = raise('bad')", "Function<RuntimeError>", "bad"),
        ("def handler(event:, context:) = raise(ArgumentError, 'no')", "Function<ArgumentError>", "no"),
        ("def handler(event:, context:) = nothing_such", "Function<NameError>", "undefined local variable or method"),
        ("def handler(event, context) = 1", "Function<ArgumentError>", "wrong number of arguments"),
        ("def other(event:, context:) = 1", "Function<NoMethodError>", "undefined method `handler'"),
        ("require 'nope'", "Init<LoadError>", "cannot load such file -- nope"),
        ("raise IOError, 'at load'", "Init<IOError>", "at load"),
        ("def handler(", "Init<SyntaxError>", "/var/task/app.rb:1: syntax error"),
        ({"other.rb": ""}, "Init<LoadError>", "cannot load such file -- app"),
    ],
)
async def test_errors_are_told_as_on_aws(
    engine: Engine, source: str | Mapping[str, str], error_type: str, message: str
) -> None:
    made = function(engine, source)
    for _ in range(2):
        error = error_of(await engine.run(made))
        assert error["errorType"] == error_type
        assert error["errorMessage"].startswith(message)
        assert all("/var/runtime" not in line for line in error["stackTrace"])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('def handler(event:, context:) = raise("a\\xff".b)', "a\ufffd"),
        ('def handler(event:, context:) = raise("\\u00e4".b)', "\u00e4"),
        ('def handler(event:, context:) = raise("a\\xff")', "a\ufffd"),
        (
            "class Odd < StandardError; def message = raise('no'); end\n"
            "def handler(event:, context:) = raise(Odd)", "Odd",
        ),
    ],
)  # fmt: skip
async def test_a_message_that_is_no_text_is_told_as_far_as_it_is(engine: Engine, source: str, message: str) -> None:
    made = function(engine, source)
    assert error_of(await engine.run(made))["errorMessage"] == message
    second = await engine.run(made)
    assert error_of(second)["errorMessage"] == message
    assert second.init_ms is None


async def test_exiting_is_told(engine: Engine) -> None:
    error = error_of(await engine.run(function(engine, "def handler(event:, context:) = exit(3)")))
    assert (error["errorType"], error["errorMessage"]) == ("Function<SystemExit>", "exit")
    error = error_of(await engine.run(function(engine, "def handler(event:, context:) = exit!(3)")))
    assert error["errorMessage"].endswith("Error: Runtime exited with error: exit status 3")


async def logged(engine: Engine, source: str, **changes: Any) -> list[str]:
    before = len(engine.logs.messages)
    await engine.run(function(engine, source, **changes))
    ours = ("START", "END", "REPORT", "INIT_")
    return [line for line in engine.logs.messages[before:] if not line.startswith(ours)]


LOGGING = """
    require 'logger'
    LOG = Logger.new($stdout)
    def handler(event:, context:)
      puts "two", "lines"
      $stdout.puts "bare"
      LOG.debug("hidden in json")
      LOG.info("tea")
      LOG.error(ArgumentError.new("no"))
    end
"""


async def test_lines_are_awss(engine: Engine) -> None:
    lines = await logged(engine, LOGGING)
    assert "two\nlines" in lines
    assert "bare\n" in lines
    (info,) = [line for line in lines if "tea" in line]
    assert re.fullmatch(r"I, \[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6} #\d+\]  INFO [0-9a-f-]{36} -- : tea\n", info)


async def test_json_logs_are_objects(engine: Engine) -> None:
    settings = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}
    lines = [line for line in await logged(engine, LOGGING, environment=settings) if line.startswith("{")]
    info, error = map(json.loads, lines)
    assert (info["level"], info["message"], len(info["requestId"])) == ("INFO", "tea", 36)
    assert (error["errorType"], error["errorMessage"]) == ("ArgumentError", "no")


async def test_a_gem_of_the_package_and_of_a_layer(engine: Engine) -> None:
    specification = (
        "Gem::Specification.new { |s| s.name = 'greet'; s.version = '1.0.0'; s.summary = 's'; s.authors = ['a'] }"
    )
    gem = {
        "specifications/greet-1.0.0.gemspec": specification,
        "gems/greet-1.0.0/lib/greet.rb": "module Greet; def self.to(name) = 'hello ' + name; end",
    }
    source = "require 'greet'\ndef handler(event:, context:) = Greet.to(event['name'])"
    bundled = {f"vendor/bundle/ruby/3.3.0/{name}": text for name, text in gem.items()}
    assert await answer(engine, {"app.rb": source, **bundled}, {"name": "Ada"}) == "hello Ada"


async def test_a_wrapper_starts_the_runtime(engine: Engine) -> None:
    files = {
        "app.rb": "def handler(event:, context:) = ENV['WRAPPED']",
        "wrapper": '#!/bin/sh\nWRAPPED=yes exec "$@"\n',
    }
    wrapper = {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"}
    assert await answer(engine, files, environment=wrapper) == "yes"
