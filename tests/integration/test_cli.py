"""The command line as a person uses it: processes, their output and exit codes."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudlet import __version__
from cloudlet.cli import node_commands
from cloudlet.cli.output import CommandError
from cloudlet.store.folder import FolderLock
from tests.support.functions import create_function
from tests.support.images import Layout, tar
from tests.support.nodes import RUNTIMES, Clients, NodeProcess

SOURCE = """
def handler(event, context):
    print("doing", event["what"])
    if event["what"] == "fail":
        raise ValueError("as asked")
    return {"done": event["what"]}
"""

BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


def cloudlet(*arguments: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command and wait for its end."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CLOUDLET_"))}
    return subprocess.run(
        [sys.executable, "-m", "cloudlet", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env=inherited | {"CLOUDLET_RUNTIMES": str(RUNTIMES)} | environ,
    )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node with a function, for the commands that look at one."""
    node = NodeProcess(tmp_path_factory.mktemp("cli") / "data")
    node.start()
    clients = Clients("test")
    create_function(clients.make(node.endpoint, "lambda"), "worker", SOURCE)
    clients.close()
    yield node
    node.kill9()


def test_help_names_every_command() -> None:
    done = cloudlet("--help")
    assert done.returncode == 0
    for command in [
        "up",
        "down",
        "status",
        "doctor",
        "invoke",
        "logs",
        "credentials",
        "clock",
        "reset",
        "runtimes",
        "deliveries",
        "dev",
    ]:
        assert re.search(rf"\b{command}\b", done.stdout)


@pytest.mark.parametrize("group", ["", "access", "clock", "deliveries", "runtimes"], ids=lambda group: group or "all")
def test_what_a_command_does_can_be_read_to_the_end(group: str) -> None:
    listed = cloudlet(*group.split(), "--help").stdout.partition("Commands:")[2]
    assert listed.strip()
    assert "..." not in listed


def test_the_version_is_an_option_and_a_command() -> None:
    assert cloudlet("--version").stdout == cloudlet("version").stdout == f"{__version__}\n"


def test_status_shows_what_runs(running: NodeProcess) -> None:
    done = cloudlet("status", "--data", str(running.data))
    assert done.returncode == 0
    assert running.endpoint in done.stdout
    assert "\x1b" not in done.stdout
    assert re.search(r"^sandboxes +\d+ idle, \d+ busy, \d+ provisioned", done.stdout, re.MULTILINE)
    assert re.search(r"^deliveries +none waiting, running or dead$", done.stdout, re.MULTILINE)
    values = json.loads(cloudlet("status", "--json", "--endpoint", running.endpoint).stdout)
    assert values["pid"] == running.pid


def test_invoke_shows_answer_and_log(running: NodeProcess) -> None:
    done = cloudlet("invoke", "worker", "--payload", '{"what": "work"}', "--data", str(running.data))
    assert (done.returncode, json.loads(done.stdout)) == (0, {"done": "work"})
    assert "doing work" in done.stderr
    assert "REPORT RequestId" in done.stderr


def test_invoke_takes_its_payload_from_the_input_or_a_file(running: NodeProcess, tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text('{"what": "file"}')
    data = ("--data", str(running.data), "--no-log")
    assert (
        json.loads(cloudlet("invoke", "worker", "-p", "-", *data, stdin='{"what": "input"}').stdout)["done"] == "input"
    )
    done = cloudlet("invoke", "worker", "-p", f"@{tmp_path}/event.json", *data)
    assert (json.loads(done.stdout)["done"], done.stderr) == ("file", "")


def test_a_function_that_fails_fails_the_command(running: NodeProcess) -> None:
    done = cloudlet("invoke", "worker", "-p", '{"what": "fail"}', "--data", str(running.data))
    assert done.returncode == 1
    assert json.loads(done.stdout)["errorMessage"] == "as asked"
    assert "The function failed (Unhandled)." in done.stderr


def test_a_function_that_is_not_there_is_said(running: NodeProcess) -> None:
    done = cloudlet("invoke", "nobody", "--data", str(running.data))
    assert (done.returncode, done.stdout) == (1, "")
    assert "Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody" in done.stderr
    assert "Traceback" not in done.stderr


def test_logs_can_be_followed(running: NodeProcess) -> None:
    command = [sys.executable, "-m", "cloudlet", "logs", "worker", "--follow", "--data", str(running.data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        cloudlet("invoke", "worker", "-p", '{"what": "something to follow"}', "--data", str(running.data))
        assert any("doing something to follow" in line for line in following.stdout)
        following.send_signal(signal.SIGINT)
    assert following.returncode == 130
    assert "doing something to follow" in cloudlet("logs", "worker", "--data", str(running.data)).stdout


def test_logs_of_nobody_are_said(running: NodeProcess) -> None:
    done = cloudlet("logs", "nobody", "--data", str(running.data))
    assert (done.returncode, "no log yet" in done.stderr) == (1, True)


def test_a_log_group_of_choice_is_shown(running: NodeProcess) -> None:
    clients = Clients("test")
    functions = clients.make(running.endpoint, "lambda")
    create_function(functions, "elsewhere", SOURCE, LoggingConfig={"LogGroup": "/my/logs"})
    assert cloudlet("invoke", "elsewhere", "-p", '{"what": "x"}', "--data", str(running.data)).returncode == 0
    assert "doing x" in cloudlet("logs", "elsewhere", "--data", str(running.data)).stdout
    clients.close()


def test_a_role_that_may_not_write_logs_is_said(running: NodeProcess) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    clients = Clients("test")
    role = clients.make(running.endpoint, "iam").create_role(
        RoleName="mute", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust})
    )
    create_function(clients.make(running.endpoint, "lambda"), "mute", SOURCE, Role=role["Role"]["Arn"])
    assert cloudlet("invoke", "mute", "-p", '{"what": "x"}', "--data", str(running.data)).returncode == 0
    done = cloudlet("logs", "mute", "--data", str(running.data))
    assert (done.returncode, "no log yet" in done.stderr) == (1, True)
    assert "role mute may not logs:CreateLogGroup, logs:CreateLogStream, logs:PutLogEvents" in done.stderr
    assert f"aws iam attach-role-policy --role-name mute --policy-arn {BASIC}" in done.stderr
    clients.make(running.endpoint, "iam").attach_role_policy(RoleName="mute", PolicyArn=BASIC)
    done = cloudlet("logs", "mute", "--data", str(running.data))
    assert done.stderr.count("\n") == 1
    clients.close()


def test_credentials_make_the_aws_cli_work(running: NodeProcess) -> None:
    for option in ((), ("--root",)):
        lines = cloudlet("credentials", "--export", *option, "--data", str(running.data)).stdout
        variables = dict(line.removeprefix("export ").split("=", 1) for line in lines.splitlines())
        assert variables["AWS_ENDPOINT_URL"] == running.endpoint
        aws = Path(sys.executable).parent / "aws"
        done = subprocess.run(
            [aws, "sts", "get-caller-identity"], capture_output=True, text=True, check=True, env=os.environ | variables
        )
        assert json.loads(done.stdout)["Account"] == "000000000000"


def test_credentials_are_those_that_the_running_node_takes(tmp_path: Path) -> None:
    node = NodeProcess(tmp_path / "data", "", "--auth", "enforced")
    node.start()
    lines = cloudlet("credentials", "--export", "--data", str(node.data)).stdout
    assert "AWS_ACCESS_KEY_ID=AKIA" in lines
    node.kill9()


def test_the_clock_moves(running: NodeProcess) -> None:
    data = ("--data", str(running.data))
    before = cloudlet("clock", *data).stdout
    assert cloudlet("clock", "advance", "30d", *data).returncode == 0
    after = cloudlet("clock", *data).stdout
    assert "ahead of the host" in after
    assert after > before
    assert cloudlet("clock", "set", "2030-01-01T00:00:00Z", *data).stdout.startswith("2030-01-01T00:00:00")
    back = cloudlet("clock", "set", "2000-01-01T00:00:00Z", *data)
    assert (back.returncode, "forward only" in back.stderr) == (1, True)
    assert cloudlet("clock", "advance", "soon", *data).returncode == 2


def test_a_runtime_is_imported_from_an_image(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    digest = layout.image("8", [tar([("var/runtime/bootstrap!", "#!/bin/sh\n"), ("usr/x", "1")])], Env=["A=b"])
    place = {"CLOUDLET_RUNTIMES": str(tmp_path / "runtimes")}
    near = os.path.relpath(layout.folder)
    done = cloudlet("runtimes", "add", "dotnet8", f"oci:{near}:8", **place)
    assert done.returncode == 0, done.stderr
    described = json.loads((tmp_path / "runtimes" / "images" / "dotnet8" / "imported.json").read_text())
    assert (described["digest"], described["environment"]) == (digest, {"A": "b"})
    assert described["command"] == ["/var/runtime/bootstrap"]
    assert (tmp_path / "runtimes" / "images" / "dotnet8" / "root" / "usr" / "x").read_text() == "1"
    missing = cloudlet("runtimes", "add", "dotnet8", layout.reference("9"), **place)
    assert missing.returncode == 1
    assert "has no image with the tag 9" in missing.stderr


def test_runtimes_are_listed() -> None:
    done = cloudlet("runtimes", "list")
    assert done.returncode == 0
    assert "provided.al2023" in done.stdout


def test_the_doctor_looks_at_node_and_machine(running: NodeProcess) -> None:
    done = cloudlet("doctor", "--data", str(running.data))
    assert f"runs at {running.endpoint}" in done.stdout
    assert "A sandbox" in done.stdout
    findings = json.loads(cloudlet("doctor", "--json", "--data", str(running.data)).stdout)
    assert done.returncode == any(finding["state"] == "missing" for finding in findings)


@pytest.mark.parametrize("command", ["status", "clock", "down"])
def test_a_node_that_does_not_run_is_said(command: str, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        done = cloudlet(command, "--data", str(tmp_path), CLOUDLET_PORT=str(free.getsockname()[1]))
    assert (done.returncode, done.stdout) == (1, "")
    assert "No node" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_said(running: NodeProcess, tmp_path: Path) -> None:
    done = cloudlet("up", "--port", running.endpoint.rpartition(":")[2], "--data", str(tmp_path / "other"))
    assert done.returncode == 1
    assert "is in use" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_in_use_is_said(running: NodeProcess) -> None:
    done = cloudlet("up", "--port", "0", "--data", str(running.data))
    assert done.returncode == 1
    assert f"A node runs on {running.data} already: {running.endpoint} (process {running.pid})." in done.stderr
    assert "cloudlet down" in done.stderr


@pytest.mark.parametrize("detach", [[], ["--detach"]], ids=["in front", "in the background"])
def test_a_folder_that_is_locked_before_its_node_serves_is_said(tmp_path: Path, detach: list[str]) -> None:
    with FolderLock(tmp_path):
        done = cloudlet("up", *detach, "--port", "0", "--data", str(tmp_path))
    assert done.returncode == 1
    assert f"Error: {tmp_path} is in use by another node (process {os.getpid()}).\n" in done.stderr
    assert "--data" in done.stderr
    assert done.stderr.count("Error:") == 1


@pytest.mark.parametrize("detach", [[], ["--detach"]], ids=["in front", "in the background"])
def test_a_data_folder_that_cannot_be_one_is_said(tmp_path: Path, detach: list[str]) -> None:
    (tmp_path / "file").touch()
    done = cloudlet("up", *detach, "--port", "0", "--data", str(tmp_path / "file"))
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: The data folder cannot be used: {tmp_path / 'file'}: File exists.\n")
    assert "--data" in done.stderr


@pytest.mark.parametrize(
    "endpoint", ["node", "https://127.0.0.1:1", "http://", "http://127.0.0.1:99999", "http://127.0.0.1:x"]
)
def test_an_endpoint_that_is_none_is_said(endpoint: str) -> None:
    done = cloudlet("status", "--endpoint", endpoint)
    assert (done.returncode, "is not the address of a node" in done.stderr) == (2, True)


def test_wrong_settings_are_said(tmp_path: Path) -> None:
    assert cloudlet("up", "--auth", "none").returncode == 2
    done = cloudlet("up", "--data", str(tmp_path), CLOUDLET_PORT="many")
    assert (done.returncode, "port: 'many' is not a whole number" in done.stderr) == (2, True)


def test_a_node_in_the_background_is_started_emptied_and_stopped(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "data"))
    started = cloudlet("up", "--detach", "--port", "0", *data)
    try:
        assert started.returncode == 0, started.stderr
        assert "http://127.0.0.1:" in started.stdout
        refused = cloudlet("reset", *data)
        assert (refused.returncode, "--yes" in refused.stderr) == (2, True)
        assert cloudlet("reset", "--yes", *data).returncode == 0
    finally:
        stopped = cloudlet("down", *data)
    assert (stopped.returncode, stopped.stdout) == (0, "Stopped.\n")
    assert cloudlet("down", *data).returncode == 1


def test_a_background_start_that_fails_says_why(running: NodeProcess) -> None:
    done = cloudlet("up", "-d", "--port", "0", "--data", str(running.data))
    assert (done.returncode, "A node runs on" in done.stderr) == (1, True)


def test_logs_are_followed_over_a_restart(tmp_path: Path) -> None:
    """The node comes back on another port: it is found by its data folder."""
    node = NodeProcess(tmp_path / "data")
    node.start()
    clients = Clients("test")
    create_function(clients.make(node.endpoint, "lambda"), "worker", SOURCE)
    command = [sys.executable, "-m", "cloudlet", "logs", "worker", "--follow", "--data", str(node.data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert following.stderr is not None
        invoke = ("invoke", "worker", "--data", str(node.data), "-p")
        cloudlet(*invoke, '{"what": "one"}')
        assert any("doing one" in line for line in following.stdout)
        node.stop(signal.SIGTERM)
        assert "Waiting for it." in following.stderr.readline()
        node.start()
        cloudlet(*invoke, '{"what": "two"}')
        assert any("doing two" in line for line in following.stdout)
        following.send_signal(signal.SIGINT)
    clients.close()
    node.stop(signal.SIGTERM)


def test_text_that_a_terminal_cannot_show_is_no_error(running: NodeProcess) -> None:
    cloudlet("invoke", "worker", "-p", '{"what": "€"}', "--data", str(running.data))
    done = cloudlet("logs", "worker", "--data", str(running.data), PYTHONIOENCODING="ascii")
    assert (done.returncode, "doing ?" in done.stdout) == (0, True)


def test_a_background_node_logs_nothing_but_json(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path))
    assert cloudlet("up", "-d", "--port", "0", "--log-format", "json", *data).returncode == 0
    assert cloudlet("down", *data).returncode == 0
    lines = [json.loads(line) for line in (tmp_path / "node.log").read_text().splitlines()]
    assert [line["message"] for line in lines] == ["node serves", "node stops"]


def test_a_database_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "cloudlet.db").write_bytes(b"something else" * 1000)
    done = cloudlet("up", "--port", "0", "--data", str(tmp_path))
    assert (done.returncode, done.stderr) == (1, f"Error: {tmp_path}: the database failed: file is not a database.\n")


def test_a_node_that_dies_without_a_word_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk, where its log takes nothing."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    monkeypatch.setattr(sys, "argv", ["cloudlet", "up", "-d"])
    log = tmp_path / "node.log"
    with pytest.raises(CommandError, match=f"The node did not start.\n{log} does not say why."):
        node_commands.up(data=tmp_path, detach=True)
    monkeypatch.setattr(node_commands, "LEAST_FREE_BYTES", 1 << 62)
    with pytest.raises(CommandError, match=f"^There is no room left on the disk of {tmp_path}."):
        node_commands.up(data=tmp_path, detach=True)


def test_a_host_that_is_none_is_named(tmp_path: Path) -> None:
    done = cloudlet("up", "--port", "0", "--data", str(tmp_path), "--host", "nowhere.invalid")
    assert (done.returncode, "'nowhere.invalid' is no address" in done.stderr) == (1, True)


@pytest.mark.parametrize("output", ["closed", "full", "gone"])
def test_a_node_whose_output_nobody_takes_serves_on(tmp_path: Path, output: str) -> None:
    command = f"{sys.executable} -m cloudlet up --port 0 --data {tmp_path}"
    command += {"closed": " >&-", "full": " >/dev/full", "gone": " | true"}[output]
    with subprocess.Popen(["bash", "-c", f"set -o pipefail; {command}"], stderr=subprocess.PIPE, text=True) as up:
        assert up.stderr is not None
        assert "node serves" in up.stderr.readline()
        assert cloudlet("status", "--data", str(tmp_path)).returncode == 0
        assert cloudlet("down", "--data", str(tmp_path)).returncode == 0
        rest = up.stderr.read()
    assert up.returncode == 0, rest
    assert "Error" not in rest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["asked", "hung up"])
def test_a_signal_ends_a_node_clean(tmp_path: Path, number: signal.Signals) -> None:
    node = NodeProcess(tmp_path / "data")
    node.start()
    assert node.stop(number) == 0
    assert "Traceback" not in node.log
    assert not (node.data / "node.json").exists()
