"""Every runtime with a real package of its ecosystem, invoked by the AWS CLI, and calling back by its own SDK."""

import asyncio
import io
import json
import os
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloudlet.compute.runtimes import Runtimes
from cloudlet.config import Config
from tests.support import builds, native_functions
from tests.support.functions import create_function
from tests.support.nodes import RUNTIMES, Clients, NodeInThread, fresh_account, running

Files = Mapping[str, str | bytes]
AWS = Path(sys.executable).parent / "aws"


@dataclass(frozen=True)
class Case:
    """A function: what it is called by, its package, what it is sent, and what it has to answer."""

    language: str
    handler: str
    files: Callable[[str], Files]
    event: Any
    answer: Any


def numpy(runtime: str) -> Files:
    source = """
import numpy

def handler(event, context):
    return numpy.linalg.solve(event["a"], event["b"]).tolist()
"""
    return {"app.py": source, **builds.pip("numpy==2.2.6", int(runtime.rpartition(".")[2]))}


def npm_uuid(_runtime: str) -> Files:
    source = 'import {v5} from "uuid"; export const handler = async (event) => v5(event.name, v5.URL)'
    return {"app.mjs": source, **builds.npm("uuid@14.0.3")}


def gson(_runtime: str) -> Files:
    source = """
        package example;
        public class Text {
            public String of(java.util.Map<String, Object> event) { return new com.google.gson.Gson().toJson(event); }
        }
    """
    jar = builds.maven(
        "com/google/code/gson/gson/2.13.2/gson-2.13.2.jar",
        "dd0ce1b55a3ed2080cb70f9c655850cda86c206862310009dcb5e5c95265a5e0",
    )
    asyncio.run(Runtimes(RUNTIMES).prepare(builds.compiling_java()))
    return {**builds.java({"Text.java": source}, jars=[jar]), "lib/gson.jar": jar.read_bytes()}


def rexml(_runtime: str) -> Files:
    source = """
        require 'rexml/document'
        def handler(event:, context:) = REXML::Document.new(event['xml']).root.elements['a'].text
    """
    return {"app.rb": source}


CASES = {
    "python with numpy": Case("python", "app.handler", numpy, {"a": [[3, 1], [1, 2]], "b": [9, 8]}, [2.0, 3.0]),
    "nodejs with uuid": Case(
        "nodejs", "app.handler", npm_uuid, {"name": "http://a/"}, str(uuid.uuid5(uuid.NAMESPACE_URL, "http://a/"))
    ),
    "java with gson": Case("java", "example.Text::of", gson, {"b": [1]}, '{"b":[1]}'),
    "ruby with rexml": Case("ruby", "app.handler", rexml, {"xml": "<r><a>tea</a></r>"}, "tea"),
    "go with aws-lambda-go": Case(
        "provided", "any", lambda _: native_functions.go(), {"name": "Ada"}, {"hello": "Ada"}
    ),
    "rust with lambda_runtime": Case(
        "provided", "any", lambda _: native_functions.rust(), {"name": "Ada"}, {"hello": "Ada"}
    ),
}


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    config = Config(port=0, data=tmp_path_factory.mktemp("node"), runtimes=RUNTIMES, nearest_runtime=True)
    with running(NodeInThread(config)) as node:
        yield node.endpoint


def zipped(files: Files) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o755 if data[:4] == b"\x7fELF" else 0o644) << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def runtime_of(language: str) -> str:
    """The runtime that AWS has of this language and this machine can run."""
    if language == "provided":
        return "provided.al2023"
    found = Runtimes(RUNTIMES).interpreters(language)
    if not found:
        pytest.skip(f"this machine has no {language}")
    if language == "ruby":
        return "ruby3.3"
    return f"python3.{sys.version_info[1]}" if language == "python" else next(iter(found))


def invoked(endpoint: str, clients: Clients, name: str, event: Any, tmp_path: Path) -> Any:
    """What the AWS CLI writes down."""
    out = tmp_path / "answer.json"
    environment = {
        **os.environ, "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": clients.account,
        "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    command = [str(AWS), "lambda", "invoke", "--function-name", name, "--payload", json.dumps(event), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "FunctionError" not in json.loads(done.stdout), out.read_text()
    return json.loads(out.read_text())


@pytest.mark.parametrize("kind", CASES)
def test_a_function_with_a_package(endpoint: str, tmp_path: Path, kind: str) -> None:
    case = CASES[kind]
    runtime = runtime_of(case.language)
    code = {"ZipFile": zipped(case.files(runtime))}
    clients = Clients(fresh_account())
    functions = clients.make(endpoint, "lambda")
    settings = {"Runtime": runtime, "Handler": case.handler, "Code": code, "MemorySize": 512, "Timeout": 60}
    create_function(functions, "packaged", "", **settings)
    answer = invoked(endpoint, clients, "packaged", case.event, tmp_path)
    if isinstance(case.answer, dict):
        answer = {name: answer[name] for name in case.answer}
    assert answer == case.answer
    clients.close()


NODE_CALLER = """
import {LambdaClient, InvokeCommand} from "@aws-sdk/client-lambda"
const client = new LambdaClient({})
export const handler = async (event) => {
    if (!event.call) return {called: event.name}
    const command = new InvokeCommand({FunctionName: "caller", Payload: JSON.stringify({name: event.call})})
    const answer = await client.send(command)
    return JSON.parse(Buffer.from(answer.Payload).toString())
}
"""


def test_the_sdk_of_nodejs_calls_the_node(endpoint: str, tmp_path: Path) -> None:
    runtime = runtime_of("nodejs")
    clients = Clients(fresh_account())
    functions = clients.make(endpoint, "lambda")
    settings = {"Runtime": runtime, "MemorySize": 256, "Timeout": 20}
    create_function(functions, "caller", "", Code={"ZipFile": zipped({"app.mjs": NODE_CALLER})}, **settings)
    if lacks := Runtimes(RUNTIMES).lacks(runtime):
        pytest.skip(lacks)
    assert invoked(endpoint, clients, "caller", {"call": "Ada"}, tmp_path) == {"called": "Ada"}
    clients.close()
