from pathlib import Path

import pytest

from cloudlet.config import Config, ConfigError


def load(toml: str = "", environ: dict[str, str] | None = None, tmp: Path | None = None, **options: object) -> Config:
    file = None
    if tmp is not None:
        file = tmp / "cloudlet.toml"
        file.write_text(toml)
    return Config.load(file, environ or {}, options)


def test_options_win_over_variables_over_the_file(tmp_path: Path) -> None:
    config = load(
        'port = 1\nregion = "a"\naccount = "111111111111"',
        {"CLOUDLET_REGION": "b", "CLOUDLET_ACCOUNT": "222222222222"},
        tmp_path,
        account="333333333333",
        host=None,
    )
    assert (config.port, config.region, config.account) == (1, "b", "333333333333")
    assert config.host == "127.0.0.1"


def test_what_is_idle_is_frozen_unless_somebody_wants_otherwise() -> None:
    """As on AWS: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html"""
    assert load(environ={}).freeze_after_s > 0
    assert load(environ={"CLOUDLET_FREEZE_AFTER_S": "0"}).freeze_after_s == 0


def test_variables_are_converted() -> None:
    environ = {
        "CLOUDLET_PORT": "0",
        "CLOUDLET_DATA": "/data",
        "CLOUDLET_NEAREST_RUNTIME": "true",
        "CLOUDLET_IDLE_TIMEOUT_S": "1.5",
        "CLOUDLET_RUNTIMES": "/runtimes",
    }
    config = load(environ=environ)
    assert (config.port, config.data, config.nearest_runtime) == (0, Path("/data"), True)
    assert (config.idle_timeout_s, config.runtimes) == (1.5, Path("/runtimes"))


@pytest.mark.parametrize(
    ("environ", "text"),
    [
        ({"CLOUDLET_PORT": "many"}, "port"),
        ({"CLOUDLET_PORT": "65536"}, "port"),
        ({"CLOUDLET_AUTH": "none"}, "auth: 'none' is not one of dev, enforced"),
        ({"CLOUDLET_ACCOUNT": "12345678901"}, "twelve digits"),
        ({"CLOUDLET_NEAREST_RUNTIME": "perhaps"}, "neither true nor false"),
    ],
)
def test_impossible_values_are_refused(environ: dict[str, str], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        load(environ=environ)


def test_unknown_names_in_the_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown setting: prot"):
        load("prot = 1", tmp=tmp_path)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("127.9.9.9", True), ("0.0.0.0", False), ("::", False)],
)
def test_a_node_is_open_on_loopback_and_in_dev_mode_only(host: str, expected: bool) -> None:
    assert Config(host=host).is_loopback is expected
    assert Config(host=host).is_open is expected
    assert not Config(host=host, auth="enforced").is_open


@pytest.mark.parametrize(
    "toml",
    [
        "port = true",
        "port = 80.5",
        "port = {a = 1}",
        'data = ""',
        'runtimes = ""',
        "nearest_runtime = 5",
        'account = "१२३४५६७८९०१२"',
        'region = "not a region"',
        'region = ""',
        "concurrency = 0",
        "max_body_bytes = 0",
        "idle_timeout_s = -1",
        "idle_timeout_s = nan",
        "idle_timeout_s = inf",
        "sandbox_memory_mb = -1",
        "auth = [1]",
        "auth = {dev = 1}",
    ],
)
def test_values_that_no_node_could_run_with_are_refused(toml: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=toml.partition(" ")[0]):
        load(toml, tmp=tmp_path)


def test_a_file_that_is_no_text_is_said(tmp_path: Path) -> None:
    file = tmp_path / "cloudlet.toml"
    file.write_bytes(b'region = "\xff"')
    with pytest.raises(ConfigError, match="not UTF-8 at byte 10"):
        Config.load(file, {}, {})
