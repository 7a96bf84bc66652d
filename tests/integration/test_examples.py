"""The functions in examples/ do what they say, on a node that is started as a person would: with a relative folder."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.nodes import RUNTIMES, Clients

EXAMPLES = Path(__file__).parents[2] / "examples"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}


def cloudlet(folder: Path, *arguments: str) -> str:
    """The output of a command that must succeed."""
    ran = subprocess.run(
        [sys.executable, "-m", "cloudlet", *arguments],
        cwd=folder,
        env={**os.environ, "CLOUDLET_RUNTIMES": str(RUNTIMES)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a running node in it, in `data`."""
    folder = tmp_path_factory.mktemp("examples")
    cloudlet(folder, "up", "--port", "0", "--data", "data", "--detach")
    yield folder
    cloudlet(folder, "down", "--data", "data")


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    clients = Clients("000000000000")
    yield clients
    clients.close()


def package(example: str) -> bytes:
    """The zip of an example, made as `zip` would."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in (EXAMPLES / example).iterdir():
            if path.is_file():
                archive.write(path, path.name)
    return buffer.getvalue()


def deploy(folder: Path, clients: Clients, example: str, runtime: str, handler: str) -> Any:
    """Make a role and a function of an example; a Lambda client."""
    found = re.search(r"AWS_ENDPOINT_URL=(\S+)", cloudlet(folder, "credentials", "--data", "data", "--export"))
    assert found
    role = clients.make(found[1], "iam").create_role(RoleName=example, AssumeRolePolicyDocument=json.dumps(TRUST))
    functions = clients.make(found[1], "lambda")
    functions.create_function(
        FunctionName=example,
        Runtime=runtime,
        Handler=handler,
        Role=role["Role"]["Arn"],
        Code={"ZipFile": package(example)},
        Timeout=30,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=example, WaiterConfig={"Delay": 1})
    return functions


def test_hello_greets_and_knows_its_role(folder: Path, clients: Clients) -> None:
    runtime = f"python3.{sys.version_info.minor}"
    functions = deploy(folder, clients, "hello", runtime, "app.handler")
    invoked = functions.invoke(FunctionName="hello", Payload=b'{"name": "you"}')
    answer = json.load(invoked["Payload"])
    assert "FunctionError" not in invoked, answer
    assert answer["greeting"] == "Hello, you!"
    assert answer["role"] == "arn:aws:sts::000000000000:assumed-role/hello/hello"
    assert answer["request_id"] == invoked["ResponseMetadata"]["RequestId"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the bootstrap uses curl")
def test_shell_answers_with_what_it_was_given(folder: Path, clients: Clients) -> None:
    functions = deploy(folder, clients, "shell", "provided.al2023", "none")
    for event in ({"a": [1, 2]}, "text"):
        invoked = functions.invoke(FunctionName="shell", Payload=json.dumps(event))
        assert json.load(invoked["Payload"]) == {"system": "Linux", "event": event}
