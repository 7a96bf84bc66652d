import json
from pathlib import Path
from typing import Any

import pytest

from cloudlet.compute.runtimes import Interpreter, Runtimes, folders, node, probes
from cloudlet.compute.runtimes.node import Node


def interpreter(version: str, folder: Path = Path("/opt/node/bin")) -> Interpreter:
    return Interpreter(f"nodejs{version.partition('.')[0]}.x", version, folder / "node", "nvm", ())


KNOWN = {found.name: found for found in (interpreter("20.9.0"), interpreter("22.1.0"))}


def answering(monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    """Let programs be there, and say what they are by the folder they are in."""

    def ask(command: list[str]) -> dict[str, Any] | None:
        version = versions.get(Path(command[0]).parent.parent.name)
        return {"version": version, "libraries": [], "bits": 64} if version else None

    monkeypatch.setattr(probes, "ask", ask)
    monkeypatch.setattr(probes, "is_program", lambda path: path.exists())


def installed(home: Path, *names: str) -> dict[str, str]:
    """A home with Node.js versions by nvm."""
    for name in names:
        program = home / ".nvm" / "versions" / "node" / name / "bin" / "node"
        program.parent.mkdir(parents=True)
        program.write_text(name)
    return {"PATH": "", "HOME": str(home)}


class TestDiscovery:
    def test_version_managers_are_looked_into(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        environ = installed(tmp_path, "v20.9.0", "v20.10.0", "v22.1.0", "v16.20.0", "broken")
        answering(
            monkeypatch, **{"v20.9.0": "20.9.0", "v20.10.0": "20.10.0", "v22.1.0": "22.1.0", "v16.20.0": "16.20.0"}
        )
        found = Node().discover(environ, tmp_path / "memory")
        ours = {name: each.version for name, each in found.items() if each.found_by == "nvm"}
        assert ours == {"nodejs20.x": "20.10.0", "nodejs22.x": "22.1.0"}
        assert found["nodejs20.x"].folders == (str(tmp_path / ".nvm/versions/node/v20.10.0/bin"),)

    def test_what_they_said_is_remembered(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        environ = installed(tmp_path, "v99.1.0")
        answering(monkeypatch, **{"v99.1.0": "99.1.0"})
        first = Node().discover(environ, tmp_path / "memory")
        answering(monkeypatch)
        assert Node().discover(environ, tmp_path / "memory")["nodejs99.x"] == first["nodejs99.x"]


class TestResolve:
    def test_a_version_that_is_there(self, tmp_path: Path) -> None:
        runtime = Runtimes(tmp_path, interpreters=KNOWN).resolve("nodejs22.x")
        assert (runtime.name, runtime.version) == ("nodejs22.x", "22.1.0")
        described = runtime.for_launcher()
        assert described["kind"] == "node"
        assert described["links"]["/var/lang/bin/node"] == "/opt/node/bin/node"
        assert described["settings"] == {"left_out": ["require-module", "detect-module"]}

    @pytest.mark.parametrize(("asked", "given"), [("nodejs18.x", "nodejs20.x"), ("nodejs24.x", "nodejs22.x")])
    def test_the_nearest_when_that_is_allowed(self, tmp_path: Path, asked: str, given: str) -> None:
        assert Runtimes(tmp_path, interpreters=KNOWN, nearest=True).resolve(asked).name == given

    def test_a_version_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(Exception, match=r"^This machine has no runtime nodejs18\.x\. .*nvm install 18"):
            Runtimes(tmp_path, interpreters=KNOWN).resolve("nodejs18.x")


class TestPreparation:
    async def test_without_npm_there_is_no_sdk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "")
        said: list[str] = []
        runtimes = Runtimes(tmp_path, interpreters=KNOWN, progress=said.append)
        await runtimes.prepare("nodejs22.x")
        assert (tmp_path / "nodejs22.x" / "index.mjs").is_file()
        assert runtimes.is_prepared("nodejs22.x")
        assert runtimes.lacks("nodejs22.x").startswith("no AWS SDK: npm is missing")
        assert "no AWS SDK" in said[-1]

    async def test_old_versions_have_no_sdk(self, tmp_path: Path) -> None:
        old = interpreter("18.20.0")
        runtimes = Runtimes(tmp_path, interpreters={old.name: old})
        await runtimes.prepare(old.name)
        assert runtimes.lacks(old.name) == "no AWS SDK: its versions of today need Node.js 20"

    async def test_a_missing_sdk_is_fetched_when_asked_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def no_npm(npm: str, interpreter: Interpreter, folder: Path) -> str | None:
            return "offline"

        def npm(npm: str, interpreter: Interpreter, folder: Path) -> str | None:
            (folder / "node_modules").mkdir()
            return None

        monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/npm")
        monkeypatch.setattr(node, "_npm_failure", no_npm)
        runtimes = Runtimes(tmp_path, interpreters=KNOWN)
        await runtimes.complete("nodejs22.x")
        assert "npm" in runtimes.lacks("nodejs22.x")
        monkeypatch.setattr(node, "_npm_failure", npm)
        await Runtimes(tmp_path, interpreters=KNOWN).prepare("nodejs22.x")
        assert runtimes.lacks("nodejs22.x")
        await runtimes.complete("nodejs22.x")
        assert runtimes.lacks("nodejs22.x") == ""
        assert (tmp_path / "nodejs22.x" / "node_modules").is_dir()

    async def test_an_sdk_that_is_there_is_taken_over(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = tmp_path / "nodejs22.x"
        (folder / "node_modules" / "a").mkdir(parents=True)
        marker = {"fingerprint": "older", "sdk": node._sdk_version(), "no_sdk": ""}
        (folder / folders.MARKER).write_text(json.dumps(marker))
        monkeypatch.setenv("PATH", "")
        runtimes = Runtimes(tmp_path, interpreters=KNOWN)
        await runtimes.prepare("nodejs22.x")
        assert runtimes.lacks("nodejs22.x") == ""
        assert (folder / "node_modules" / "a").is_dir()
        assert (folder / "index.mjs").is_file()

    def test_the_sdk_is_pinned_with_checksums(self) -> None:
        wanted = json.loads((node.SDK / "package.json").read_text())["dependencies"]
        locked = json.loads((node.SDK / "package-lock.json").read_text())["packages"]
        assert all(version[0].isdigit() for version in wanted.values())
        assert all("integrity" in package for name, package in locked.items() if name)
        assert all(locked[f"node_modules/{name}"]["version"] == version for name, version in wanted.items())
