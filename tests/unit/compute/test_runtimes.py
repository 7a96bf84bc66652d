import asyncio
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cloudlet.compute.function import RuntimeMissing
from cloudlet.compute.runtimes import Interpreter, Runtimes, discovery, preparation, probes


def interpreter(version: str, executable: str = sys.executable) -> Interpreter:
    name = f"python{version.rpartition('.')[0]}"
    return Interpreter(name, version, Path(executable), "PATH", ("/usr",), ())


KNOWN = {found.name: found for found in (interpreter("3.10.4"), interpreter("3.12.1"))}


def facts(version: str) -> dict[str, Any]:
    """What an interpreter says of itself."""
    return {
        "implementation": "cpython", "version": version, "final": True, "bits": 64, "executable": sys.executable,
        "folders": ["/usr"], "hidden": [],
    }  # fmt: skip


class TestDiscovery:
    def test_this_pythons_own_interpreter_is_found_and_asked(self) -> None:
        found = discovery.discover({"PATH": "", "HOME": "/nonexistent"})
        own = found["python{}.{}".format(*sys.version_info[:2])]
        assert own.version.startswith("{}.{}.".format(*sys.version_info[:2]))
        assert own.executable.is_file()
        assert any(str(own.executable).startswith(folder) for folder in own.folders)
        assert all(folder.endswith(("site-packages", "dist-packages")) for folder in own.hidden)

    def test_scripts_that_stand_for_an_interpreter_are_passed_over(self, tmp_path: Path) -> None:
        shim = tmp_path / "python3.12"
        shim.write_text("#!/bin/sh\nexit 1\n")
        shim.chmod(0o755)
        environ = {"PATH": str(tmp_path), "HOME": "/nonexistent"}
        assert shim not in [path for _found_by, path in discovery.candidates(environ)]

    def test_programs_that_are_no_python_are_passed_over(self, tmp_path: Path) -> None:
        (tmp_path / "python3.12").symlink_to("/bin/true")
        assert discovery.probe(tmp_path / "python3.12", "PATH") is None

    def test_pyenv_is_looked_into(self, tmp_path: Path) -> None:
        folder = tmp_path / ".pyenv" / "versions" / "3.99" / "bin"
        folder.mkdir(parents=True)
        (folder / "python3.12").symlink_to("/bin/true")
        (folder / "python3.12-config").symlink_to("/bin/true")
        (folder / "python2.7").symlink_to("/bin/true")
        found = list(discovery.candidates({"PATH": "", "HOME": str(tmp_path)}))
        assert [entry for entry in found if entry[0] == "pyenv"] == [("pyenv", folder / "python3.12")]

    def test_folders_of_others_are_passed_over(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def closed(self: Path, pattern: str) -> list[Path]:
            raise PermissionError(13, "Permission denied", str(self))

        monkeypatch.setattr(Path, "glob", closed)
        environ = {"PATH": "", "HOME": str(tmp_path), "PYENV_ROOT": "/root/.pyenv"}
        ways = {found_by for found_by, _ in discovery.candidates(environ)}
        assert "this program" in ways
        assert "pyenv" not in ways
        assert "nvm" not in dict(probes.installations(environ, "node", [("nvm", tmp_path, "*/bin")]))

    def test_an_interpreter_is_asked_again_only_when_it_has_changed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        program, memory, asked = tmp_path / "python3.12", tmp_path / "folder" / "memory.json", []

        def ask(path: Path) -> dict[str, Any]:
            asked.append(path)
            return facts("3.12.2")

        program.write_text("1")
        monkeypatch.setattr(discovery, "candidates", lambda environ: [("PATH", program), ("/usr/bin", program)])
        monkeypatch.setattr(discovery, "ask", ask)
        assert discovery.discover({}, memory) == discovery.discover({}, memory)
        assert asked == [program]
        program.write_text("changed")
        discovery.discover({}, memory)
        assert asked == [program, program]
        memory.write_text("{")
        discovery.discover({}, memory)
        assert len(asked) == 3

    def test_the_newest_of_a_version_is_taken(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        paths = [tmp_path / name for name in "abc"]
        for path in paths:
            path.touch()
        versions = dict(zip(paths, ("3.12.2", "3.12.10", "3.9.1"), strict=True))
        monkeypatch.setattr(discovery, "candidates", lambda environ: [("PATH", path) for path in paths])
        monkeypatch.setattr(discovery, "ask", lambda path: facts(versions[path]))
        found = discovery.discover({})
        assert [(name, each.version) for name, each in found.items()] == [
            ("python3.9", "3.9.1"),
            ("python3.12", "3.12.10"),
        ]


class TestResolve:
    def test_a_runtime_that_is_there(self, tmp_path: Path) -> None:
        runtime = Runtimes(tmp_path, interpreters=KNOWN).resolve("python3.12")
        assert runtime.name == "python3.12"
        assert runtime.folder == tmp_path / "python3.12"
        assert runtime.for_launcher()["kind"] == "python"

    @pytest.mark.parametrize("name", ["provided.al2", "provided.al2023"])
    def test_custom_runtimes_need_nothing(self, tmp_path: Path, name: str) -> None:
        runtimes = Runtimes(tmp_path, interpreters={})
        assert runtimes.resolve(name).for_launcher()["kind"] == "provided"
        assert runtimes.is_prepared(name)

    def test_a_python_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(RuntimeMissing) as error:
            Runtimes(tmp_path, interpreters=KNOWN).resolve("python3.13")
        assert str(error.value) == (
            "This machine has no runtime python3.13. It has: python3.10, python3.12, provided.al2023, provided.al2. "
            "To add it, install Python 3.13 (for example: pyenv install 3.13, or uv python install 3.13) and start "
            "the node again; or set nearest_runtime to run such functions on the nearest version; or import it from a "
            "container image: cloudlet runtimes add python3.13 IMAGE."
        )

    def test_another_language(self, tmp_path: Path) -> None:
        with pytest.raises(RuntimeMissing, match=r"^This machine has no runtime java21\. It has: python3\.10, "):
            Runtimes(tmp_path, interpreters=KNOWN, nearest=True).resolve("java21")

    @pytest.mark.parametrize(
        ("asked", "given"), [("python3.9", "python3.10"), ("python3.11", "python3.12"), ("python3.14", "python3.12")]
    )
    def test_the_nearest_version_when_that_is_allowed(self, tmp_path: Path, asked: str, given: str) -> None:
        runtime = Runtimes(tmp_path, interpreters=KNOWN, nearest=True).resolve(asked)
        assert runtime.name == given

    def test_the_version_that_is_there_is_the_nearest(self, tmp_path: Path) -> None:
        assert Runtimes(tmp_path, interpreters=KNOWN, nearest=True).resolve("python3.10").name == "python3.10"


def fake_install(_interpreter: Interpreter, target: Path) -> None:
    for name in ("awslambdaric", "awslambdaric/bootstrap", "awslambdaric/lambda_runtime_client"):
        path = target / (f"{name}/__init__.py" if "/" not in name else f"{name}.py")
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
        path.chmod(0o600)


class TestPreparation:
    @pytest.fixture
    def own(self) -> Interpreter:
        found = discovery.probe(Path(sys.executable).resolve(), "PATH")
        assert found is not None
        return found

    async def test_a_folder_is_made_once(
        self, tmp_path: Path, own: Interpreter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        installed = []

        def install(interpreter: Interpreter, target: Path) -> None:
            installed.append(interpreter.name)
            fake_install(interpreter, target)

        monkeypatch.setattr(preparation, "_install", install)
        said: list[str] = []
        runtimes = Runtimes(tmp_path / "runtimes", interpreters={own.name: own}, progress=said.append)
        assert not runtimes.is_prepared(own.name)

        await asyncio.gather(*[runtimes.prepare(own.name) for _ in range(3)])

        assert installed == [own.name]
        assert runtimes.is_prepared(own.name)
        assert [line.split(":")[0] for line in said] == [
            f"Preparing the runtime {own.name} (Python {own.version})",
            f"The runtime {own.name} is ready",
        ]
        folder = tmp_path / "runtimes" / own.name
        assert os.access(folder / "bootstrap", os.X_OK)
        assert "awslambdaric" in json.loads((folder / "prepared.json").read_text())["modules"]
        assert (folder / "awslambdaric" / "bootstrap.py").stat().st_mode & 0o444 == 0o444
        (folder / "prepared.json").unlink()
        assert (await runtimes.prepare(own.name)).folder == folder  # remembered
        assert list(folder.glob(f"awslambdaric/__pycache__/bootstrap.cpython-3{own.minor}.pyc"))

    async def test_a_folder_of_another_version_is_replaced(
        self, tmp_path: Path, own: Interpreter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(preparation, "_install", fake_install)
        runtimes = Runtimes(tmp_path, interpreters={own.name: own})
        await runtimes.prepare(own.name)
        (tmp_path / own.name / "old").write_text("")
        monkeypatch.setattr(preparation, "requirements", lambda interpreter: ["awslambdaric==99"])
        runtimes = Runtimes(tmp_path, interpreters={own.name: own})
        assert not runtimes.is_prepared(own.name)
        await runtimes.prepare(own.name)
        assert not (tmp_path / own.name / "old").exists()
        assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")] == [own.name]

    async def test_a_preparation_that_fails_leaves_nothing(
        self, tmp_path: Path, own: Interpreter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in list(os.environ):
            if name.startswith("PIP_"):
                monkeypatch.delenv(name)
        monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
        monkeypatch.setenv("PIP_RETRIES", "0")
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        runtimes = Runtimes(tmp_path, interpreters={own.name: own})
        with pytest.raises(RuntimeMissing) as error:
            await runtimes.prepare(own.name)
        assert f"run: cloudlet runtimes prepare {own.name}" in str(error.value)
        assert "awslambdaric==" in str(error.value)
        assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")] == []

    async def test_a_folder_that_cannot_be_written_is_told(self, tmp_path: Path, own: Interpreter) -> None:
        (tmp_path / "file").write_text("")
        runtimes = Runtimes(tmp_path / "file" / "runtimes", interpreters={own.name: own})
        with pytest.raises(RuntimeMissing, match=f"{own.name} could not be prepared in .*Not a directory"):
            await runtimes.prepare(own.name)

    async def test_an_index_that_does_not_answer_in_time_is_told(
        self, tmp_path: Path, own: Interpreter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(preparation, "_PIP_TIMEOUT_S", 0.0)
        with pytest.raises(RuntimeMissing, match="no answer within 0 s"):
            await Runtimes(tmp_path, interpreters={own.name: own}).prepare(own.name)

    def test_every_version_has_pinned_packages(self) -> None:
        for minor in range(9, 15):
            pinned = preparation.requirements(interpreter(f"3.{minor}.0"))
            assert all(line.count("==") == 1 for line in pinned)
            assert {"awslambdaric", "boto3", "botocore"} <= {line.split("==")[0] for line in pinned}

    def test_the_bootstrap_says_where_it_looks(self, tmp_path: Path) -> None:
        (tmp_path / "bootstrap.py").write_text(
            preparation._BOOTSTRAP_PY.replace("bootstrap.run(", "print(sys.path[:4], ")
        )
        package = tmp_path / "awslambdaric"
        package.mkdir()
        for name, content in (
            ("__init__", ""),
            ("bootstrap", ""),
            ("lambda_runtime_client", "LambdaRuntimeClient=str"),
        ):
            (package / f"{name}.py").write_text(content)
        environment = {"_HANDLER": "a.b", "AWS_LAMBDA_RUNTIME_API": "x", "LAMBDA_TASK_ROOT": "/var/task"}
        output = subprocess.run(
            [sys.executable, "-S", str(tmp_path / "bootstrap.py")],
            env=environment, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        version = "python{}.{}".format(*sys.version_info[:2])
        places = ["/var/task", f"/opt/python/lib/{version}/site-packages", "/opt/python", str(tmp_path)]
        assert output == f"{places} a.b x\n"


class TestSnapshots:
    """Whether functions of a runtime can have SnapStart here."""

    def test_python_needs_nothing_where_there_is_code_for_the_machine(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = Runtimes(tmp_path, interpreters=KNOWN)
        monkeypatch.setattr(platform, "machine", lambda: "x86_64")
        assert found.snapshot_obstacle("python3.12") == ""
        monkeypatch.setattr(platform, "machine", lambda: "riscv64")
        assert "riscv64" in found.snapshot_obstacle("python3.12")

    def test_other_languages_have_none(self, tmp_path: Path) -> None:
        java = Interpreter("java21", "21.0.1", Path("/bin/java"), "PATH", (), ())
        found = Runtimes(tmp_path, interpreters={java.name: java})
        assert found.snapshot_obstacle("java21") == "only Python functions can have it yet."
