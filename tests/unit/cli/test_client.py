import socket
from pathlib import Path

import pytest

from cloudlet.cli.client import Answer, Client, _failure, read_payload
from cloudlet.cli.output import CommandError
from cloudlet.config import Config

HERE = "http://127.0.0.1:1234"


@pytest.fixture(autouse=True)
def no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)


def test_it_signs_with_the_root_key_where_it_can(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = AKIA1\naws_secret_access_key = sec%ret\n")
    client = Client.connect(Config(data=tmp_path), HERE)
    assert client._keys == ("AKIA1", "sec%ret")
    assert Client.connect(Config(data=tmp_path), HERE, account="111111111111")._keys == ("111111111111", "test")
    assert Client.connect(Config(data=tmp_path / "elsewhere"), HERE)._keys == ("test", "test")


def test_a_folder_that_is_named_is_not_taken_for_what_is_at_the_usual_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else `reset --data` of a folder without a node would empty another's."""
    monkeypatch.chdir(tmp_path)
    assert Client.connect(Config(port=1234)).endpoint == "http://127.0.0.1:1234"
    for data in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(CommandError, match=f"No node runs on {data}."):
            Client.connect(Config(data=data, port=1234))


def test_the_region_is_the_options_then_the_environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = Config(region="eu-west-1")
    assert Client.connect(config).region == "eu-west-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-2")
    assert Client.connect(config).region == "eu-west-2"
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    assert Client.connect(config).region == "eu-west-3"
    assert Client.connect(config, region="us-west-2").region == "us-west-2"


def test_a_node_that_does_not_run_is_said_with_what_to_do() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        client = Client(f"http://127.0.0.1:{sock.getsockname()[1]}", "test", "test", "us-east-1")
        with pytest.raises(CommandError, match="No node answers") as raised:
            client.control("GET", "status")
    assert "cloudlet up" in raised.value.hint


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({"x-amzn-errortype": "NotFound:http://x"}, b'{"Message":"no"}', "no (NotFound)"),
        ({}, b'{"__type":"a.b#NotFound","message":"no"}', "no (NotFound)"),
        ({}, b"<html>", "HTTP 404"),
        ({}, b"[]", "HTTP 404"),
    ],
)
def test_errors_are_read_from_headers_and_bodies(headers: dict[str, str], body: bytes, expected: str) -> None:
    assert str(_failure(Answer(404, headers, body))) == expected


def test_payloads_come_as_text_or_from_files(tmp_path: Path) -> None:
    (tmp_path / "event.json").write_bytes(b'{"a": 1}')
    assert read_payload('{"b": 2}') == b'{"b": 2}'
    for prefix in ("@", "file://", "fileb://"):
        assert read_payload(f"{prefix}{tmp_path}/event.json") == b'{"a": 1}'
    with pytest.raises(CommandError, match="No such file"):
        read_payload("@/nowhere")
