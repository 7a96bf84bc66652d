"""The environment variables of a function, against those that AWS was recorded to set."""

import json
import re
from pathlib import Path

from cloudlet.compute.function import TemporaryCredentials
from cloudlet.compute.variables import language, variables
from tests.support.compute_world import function_version

RECORDED = Path(__file__).parents[4] / "shared/oracles/recorded/lambda.json"
CREDENTIALS = TemporaryCredentials("ASIAKEY", "secret", "token", 0.0)
STREAM = "2026/02/18/[$LATEST]0123456789abcdef0123456789abcdef"


def test_all_that_aws_sets_is_set() -> None:
    recorded = json.loads(RECORDED.read_text())["TestLambdaBehavior::test_lambda_init_environment"]["answers"]
    expected = recorded["lambda-init-inspection"]["Payload"]["environment"]
    made = variables(function_version(runtime="python3.14", handler="handler.handler"), CREDENTIALS, STREAM)
    by_others = {"AWS_LAMBDA_RUNTIME_API", "_X_AMZN_TRACE_ID"}
    assert set(expected) - set(made) == by_others
    for name, value in expected.items():
        if not re.search(r"<|arn:", value) and name not in by_others:
            assert made[name] == value, name


def test_they_describe_the_function() -> None:
    made = variables(function_version("greet", memory_mb=512, version="7"), CREDENTIALS, STREAM)
    assert made["AWS_LAMBDA_FUNCTION_NAME"] == "greet"
    assert made["AWS_LAMBDA_FUNCTION_VERSION"] == "7"
    assert made["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512"
    assert made["AWS_LAMBDA_LOG_GROUP_NAME"] == "/aws/lambda/greet"
    assert made["AWS_LAMBDA_LOG_STREAM_NAME"] == STREAM
    assert made["AWS_REGION"] == made["AWS_DEFAULT_REGION"] == "eu-central-1"
    assert made["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.12"
    assert made["AWS_ACCESS_KEY_ID"] == "ASIAKEY"


def test_a_function_sets_its_own_and_may_override_defaults_but_not_the_platforms() -> None:
    own = {"TABLE": "t", "TZ": "Europe/Berlin", "AWS_REGION": "mars-1"}
    made = variables(function_version(environment=own), CREDENTIALS, STREAM)
    assert made["TABLE"] == "t"
    assert made["TZ"] == "Europe/Berlin"
    assert made["AWS_REGION"] == "eu-central-1"


def test_custom_runtimes_have_no_execution_environment_name() -> None:
    made = variables(function_version(runtime="provided.al2023"), CREDENTIALS, STREAM)
    assert "AWS_EXECUTION_ENV" not in made
    assert "PYTHONPATH" not in made


def test_the_language_of_a_runtime() -> None:
    names = ["python3.12", "nodejs22.x", "java8.al2", "provided.al2023", "dotnet8", "ruby3.4"]
    assert [language(name) for name in names] == ["python", "nodejs", "java", "provided", "dotnet", "ruby"]


def test_paths_of_layers_name_the_release() -> None:
    node = variables(function_version(runtime="nodejs22.x"), CREDENTIALS, STREAM)["NODE_PATH"]
    assert node.startswith("/opt/nodejs/node22/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:")
    ruby = variables(function_version(runtime="ruby3.4"), CREDENTIALS, STREAM)["GEM_PATH"]
    assert "/opt/ruby/gems/3.4.0" in ruby.split(":")


def test_a_snapshot_has_no_credentials_and_no_log_stream() -> None:
    made = variables(function_version(initialization_type="snap-start"), CREDENTIALS, STREAM)
    assert made["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == "http://127.0.0.1:9001/2021-04-23/credentials"
    assert made["AWS_CONTAINER_AUTHORIZATION_TOKEN"] not in ("", CREDENTIALS.session_token)
    assert made["AWS_LAMBDA_INITIALIZATION_TYPE"] == "snap-start"
    secrets = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    assert not made.keys() & {*secrets, "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"}
