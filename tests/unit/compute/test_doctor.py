import os
from pathlib import Path

import pytest

from cloudlet.compute import doctor
from cloudlet.compute.runtimes import Interpreter, Runtimes


def test_every_probe_has_an_answer_and_a_way_out() -> None:
    for probe in doctor.PROBES:
        finding = probe()
        assert finding.name
        assert finding.detail
        assert finding.state == "ok" or finding.remedy or "none yet" in finding.detail


@pytest.mark.parametrize(
    ("says", "detail"),
    [("Version: 4.1\nGitID: v4.1", "4.1; there is none yet"), ("?", "of an unknown version; there is none")],
)
def test_criu_is_named_with_its_version_and_what_it_is_good_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, detail: str
) -> None:
    program = tmp_path / "criu"
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = doctor.criu()
    assert found.state == "limited"
    assert detail in found.detail


async def test_a_sandbox_is_really_made() -> None:
    finding = await doctor.sandbox()
    if doctor.namespaces().state == "ok":
        assert finding.state == "ok"
        assert finding.detail.startswith("made, run and removed in ")
    else:
        assert finding.state == "missing"


def test_layers_are_really_mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    if doctor.namespaces().state == "ok":
        assert doctor.images().state == "ok"
    monkeypatch.setattr(doctor, "_IMAGES_PROBE", "raise OSError(22, 'Invalid argument')")
    finding = doctor.images()
    assert finding.state == "limited"
    assert finding.detail.endswith("OSError: [Errno 22] Invalid argument")


@pytest.mark.parametrize(
    ("setting", "value", "remedy"),
    [
        ("user.max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=15000"),
        ("kernel.unprivileged_userns_clone", "0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
        (
            "kernel.apparmor_restrict_unprivileged_userns",
            "1",
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    ],
)
def test_blocked_namespaces_are_unblocked_by(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: str, remedy: str
) -> None:
    monkeypatch.setattr(doctor, "_sysctl", {setting: value}.get)
    assert doctor._namespaces_remedy() == remedy


def test_a_container_has_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_sysctl", {}.get)
    monkeypatch.setattr(doctor, "_is_container", lambda: True)
    assert "--security-opt seccomp=unconfined" in doctor._namespaces_remedy()


def test_runtimes_are_listed_with_what_they_lack(tmp_path: Path) -> None:
    found = Interpreter("python3.12", "3.12.1", Path("/x/python3.12"), "pyenv", (), ())
    findings = list(doctor.runtimes(Runtimes(tmp_path, interpreters={found.name: found})))
    assert findings[0] == doctor.Finding(
        "python3.12",
        "ok",
        "3.12.1, /x/python3.12 (pyenv); prepared at first use, or by: cloudlet runtimes prepare python3.12",
    )
    assert findings[-1].name == "provided.al2023, provided.al2"


def test_a_machine_without_python_is_told(tmp_path: Path) -> None:
    findings = list(doctor.runtimes(Runtimes(tmp_path, interpreters={})))
    assert (findings[0].state, findings[0].remedy) == ("missing", "pyenv install 3.13")
