from pathlib import Path

import pytest

from cloudlet.cli import settings
from cloudlet.config import ConfigError


def test_a_file_beside_is_read_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings.load(None).port == 4566
    (tmp_path / "cloudlet.toml").write_text("port = 1111")
    assert settings.load(None).port == 1111
    monkeypatch.setenv("CLOUDLET_PORT", "2222")
    assert settings.load(None).port == 2222
    assert settings.load(None, port=3333).port == 3333


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no file"):
        settings.load(tmp_path / "nowhere.toml")


def test_a_file_that_is_no_toml_is_said(tmp_path: Path) -> None:
    file = tmp_path / "broken.toml"
    file.write_text("port = ")
    with pytest.raises(ConfigError, match="broken"):
        settings.load(file)


def test_variables_that_are_nearly_settings_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who writes CLOUDLET_AUHT=enforced thinks that the node is closed. Others may have variables of their own."""
    monkeypatch.setenv("CLOUDLET_AUHT", "enforced")
    monkeypatch.setenv("CLOUDLET_SERVICE_HOST", "10.0.0.1")
    assert settings.misspelt() == ["CLOUDLET_AUHT is no setting; CLOUDLET_AUTH is."]
