"""`cloudlet dev` as a person uses it: files are changed, and the next invocation runs them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from tests.support.nodes import RUNTIMES, Clients, NodeProcess

VERSION = "from part import VALUE\n\ndef handler(event, context):\n    return [%r, VALUE, event]\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    node = NodeProcess(tmp_path_factory.mktemp("dev") / "data")
    node.start()
    yield node
    node.kill9()


@pytest.fixture
def functions(running: NodeProcess) -> Iterator[Any]:
    clients = Clients("test")
    yield clients.make(running.endpoint, "lambda")
    clients.close()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "greeter"
    folder.mkdir()
    (folder / "app.py").write_text(VERSION % "one")
    (folder / "part.py").write_text("VALUE = 1\n")
    return folder


def told(output: IO[str], text: str) -> str:
    """The next line of a command's remarks that holds `text`."""
    said = []
    for line in output:
        if text in line:
            return line
        said.append(line)
    raise AssertionError(f"it ended without saying {text!r}: {said}")


@contextmanager
def dev(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A running `cloudlet dev`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CLOUDLET_"))}
    command = [sys.executable, "-m", "cloudlet", "dev", *arguments]
    environ = inherited | {"CLOUDLET_RUNTIMES": str(RUNTIMES)}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def answer(functions: Any, event: Any = None, name: str = "greeter") -> Any:
    return json.load(functions.invoke(FunctionName=name, Payload=json.dumps(event))["Payload"])


def test_a_change_is_what_runs_next(running: NodeProcess, functions: Any, project: Path) -> None:
    with dev(str(project), "--data", str(running.data)) as process:
        assert process.stderr is not None
        assert "python3" in told(process.stderr, "Made the function greeter")
        told(process.stderr, "Watching")
        assert answer(functions, 5) == ["one", 1, 5]
        (project / "app.py").write_text(VERSION % "two")
        assert "app.py" in told(process.stderr, "reloaded in")
        assert answer(functions) == ["two", 1, None]
        (project / "part.py").write_text("VALUE = 'changed'\n")
        assert "part.py" in told(process.stderr, "reloaded in")
        assert answer(functions) == ["two", "changed", None]
        (project / "part.py").write_text("VALUE = (\n")
        told(process.stderr, "reloaded in")
        assert answer(functions)["errorType"] == "Runtime.UserCodeSyntaxError"
        (project / "part.py").write_text("VALUE = 3\n")
        told(process.stderr, "reloaded in")
        assert answer(functions) == ["two", 3, None]
        process.send_signal(signal.SIGINT)
        told(process.stderr, "keeps the code as it is now")
        assert process.wait(60) == 0
    assert answer(functions) == ["two", 3, None]
    assert functions.publish_version(FunctionName="greeter")["CodeSize"] > 0
    copies = list((running.data / "development").iterdir())
    assert len(copies) <= 1, copies


def test_a_function_that_is_there_is_taken_over(running: NodeProcess, functions: Any, project: Path) -> None:
    (project / "cloudlet.toml").write_text('[function]\nname = "mine"\ntimeout = 7\nenvironment = { STAGE = "b" }\n')
    for text in ("first", "second"):
        (project / "app.py").write_text(VERSION % text)
        with dev(str(project), "--data", str(running.data)) as process:
            assert process.stderr is not None
            told(process.stderr, "Watching")
            assert answer(functions, name="mine")[0] == text
            process.terminate()
            assert process.wait(60) == 0
    shown = functions.get_function_configuration(FunctionName="mine")
    assert (shown["Timeout"], shown["Environment"]) == (7, {"Variables": {"STAGE": "b"}})


def test_without_the_data_folder_packages_are_sent(
    running: NodeProcess, functions: Any, project: Path, tmp_path: Path
) -> None:
    options = ("--endpoint", running.endpoint, "--data", str(tmp_path / "none"), "--name", "far")
    with dev(str(project), *options) as process:
        assert process.stderr is not None
        told(process.stderr, "each change is sent as a package")
        told(process.stderr, "Watching")
        told(process.stderr, "reloaded in")  # once when the watch begins
        (project / "app.py").write_text(VERSION % "two")
        told(process.stderr, "reloaded in")
        assert answer(functions, name="far")[0] == "two"


def test_a_sam_template_says_what_the_function_is(running: NodeProcess, functions: Any, project: Path) -> None:
    (project.parent / "template.yaml").write_text(
        "Transform: AWS::Serverless-2016-10-31\nResources:\n  FromTemplate:\n    Type: AWS::Serverless::Function\n"
        "    Properties: {CodeUri: greeter, Handler: app.handler, Runtime: python3.11, Timeout: 9, Policies: []}\n"
    )
    with dev(str(project.parent), "--data", str(running.data)) as process:
        assert process.stderr is not None
        told(process.stderr, "also has Policies")
        told(process.stderr, "Watching")
        assert answer(functions, name="FromTemplate") == ["one", 1, None]
    assert functions.get_function_configuration(FunctionName="FromTemplate")["Timeout"] == 9


def test_a_node_that_is_started_anew_runs_the_folder_again(project: Path, tmp_path: Path) -> None:
    node = NodeProcess(tmp_path / "data")
    node.start()
    clients = Clients("test")
    try:
        with dev(str(project), "--data", str(node.data)) as process:
            assert process.stderr is not None
            told(process.stderr, "Watching")
            (project / "app.py").write_text(VERSION % "two")
            told(process.stderr, "reloaded in")
            node.kill9()
            node.start()
            told(process.stderr, "started anew")
            functions = clients.make(node.endpoint, "lambda")
            assert answer(functions) == ["two", 1, None]
            (project / "app.py").write_text(VERSION % "three")
            told(process.stderr, "reloaded in")
            assert answer(functions) == ["three", 1, None]
    finally:
        clients.close()
        node.kill9()


def test_a_folder_without_a_function_is_refused(running: NodeProcess, tmp_path: Path) -> None:
    with dev(str(tmp_path), "--data", str(running.data)) as process:
        assert process.stderr is not None
        told(process.stderr, "No function was found")
        assert process.wait(60) == 1
