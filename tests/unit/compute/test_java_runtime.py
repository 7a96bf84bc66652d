import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from cloudlet.compute.function import RuntimeMissing
from cloudlet.compute.runtimes import Interpreter, Runtimes, java, java_archive, probes
from cloudlet.compute.runtimes.java import Jar, Java


def interpreter(version: str) -> Interpreter:
    return Interpreter(f"java{version.partition('.')[0]}", version, Path("/opt/jdk/bin/java"), "/opt", ())


KNOWN = {found.name: found for found in (interpreter("17.0.15"), interpreter("25.0.3"))}


def installed(folder: Path, version: str) -> Path:
    """A folder that looks like a Java."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "java").write_text("")
    (folder / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\nOS_ARCH="x86_64"\n')
    return folder


class TestDiscovery:
    @pytest.fixture(autouse=True)
    def any_file_is_a_program(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(probes, "is_program", lambda path: path.is_file() and "/usr/" not in str(path))

    def test_java_home_and_version_managers_are_looked_into(self, tmp_path: Path) -> None:
        home = installed(tmp_path / "jdk", "21.0.2")
        installed(tmp_path / ".sdkman/candidates/java/11.0.9", "11.0.9")
        installed(tmp_path / ".sdkman/candidates/java/8", "1.8.0_402")
        (tmp_path / ".sdkman/candidates/java/broken/bin").mkdir(parents=True)
        (tmp_path / ".sdkman/candidates/java/broken/bin/java").write_text("")
        environ = {"JAVA_HOME": str(home), "HOME": str(tmp_path), "PATH": str(home / "bin")}
        found = {name: (each.version, each.found_by) for name, each in Java().discover(environ, tmp_path).items()}
        assert found == {"java11": ("11.0.9", "sdkman"), "java21": ("21.0.2", "JAVA_HOME")}

    def test_settings_that_are_kept_elsewhere_belong_to_it(self, tmp_path: Path) -> None:
        home = installed(tmp_path / "jdk", "17.0.1")
        settings = tmp_path / "settings" / "security"
        settings.mkdir(parents=True)
        (settings / "java.security").write_text("")
        (home / "conf").mkdir()
        (home / "conf" / "java.security").symlink_to(settings / "java.security")
        found = Java().discover({"JAVA_HOME": str(home), "HOME": str(tmp_path)}, tmp_path)["java17"]
        assert set(found.folders) == {str(home), str(settings)}


class TestResolve:
    @pytest.mark.parametrize(
        ("asked", "given"),
        [("java8.al2", "java17"), ("java11", "java17"), ("java17", "java17"), ("java21", "java25")],
    )
    def test_an_older_java_never_runs_what_is_newer_when_there_is_a_newer_one(
        self, tmp_path: Path, asked: str, given: str
    ) -> None:
        assert Runtimes(tmp_path, interpreters=KNOWN, nearest=True).resolve(asked).name == given

    def test_a_version_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(
            RuntimeMissing, match=r"install Java 21 \(Debian: apt-get install openjdk-21-jre-headless\)"
        ):
            Runtimes(tmp_path, interpreters=KNOWN).resolve("java21")


class TestPreparation:
    def test_jars_are_taken_from_the_repository_that_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        jar = Jar(hashlib.sha256(b"content").hexdigest(), "org/example/a.jar")
        asked = []

        def urlopen(address: str, timeout: float) -> io.BytesIO:
            asked.append(address)
            return io.BytesIO(b"content")

        monkeypatch.setattr("urllib.request.urlopen", urlopen)
        assert java._fetch(jar, "java17") == b"content"
        monkeypatch.setenv(java.REPOSITORY_VARIABLE, "https://mirror.example/maven/")
        assert java._fetch(jar, "java17") == b"content"
        assert asked == [
            "https://repo.maven.apache.org/maven2/org/example/a.jar", "https://mirror.example/maven/org/example/a.jar",
        ]  # fmt: skip
        with pytest.raises(RuntimeMissing, match="its checksum is another"):
            java._fetch(jar._replace(sha256="0" * 64), "java17")
        monkeypatch.setenv(java.REPOSITORY_VARIABLE, "file:///etc")
        with pytest.raises(RuntimeMissing, match="must be the address"):
            java._fetch(jar, "java17")

    def test_a_local_repository_is_used_when_its_file_is_the_right_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv(java.REPOSITORY_VARIABLE, "http://127.0.0.1:9")
        local = tmp_path / ".m2/repository/org/example/a.jar"
        local.parent.mkdir(parents=True)
        local.write_bytes(b"content")
        assert java._fetch(Jar(hashlib.sha256(b"content").hexdigest(), "org/example/a.jar"), "java17") == b"content"
        with pytest.raises(RuntimeMissing, match="run: cloudlet runtimes prepare java17"):
            java._fetch(Jar("0" * 64, "org/example/a.jar"), "java17")

    def test_the_main_jar_names_the_others(self, tmp_path: Path) -> None:
        java._write_main_jar(tmp_path)
        with zipfile.ZipFile(tmp_path / java_archive.MAIN_JAR) as archive:
            manifest = archive.read("META-INF/MANIFEST.MF").decode()
        assert all(len(line.encode()) <= 72 for line in manifest.splitlines())
        assert manifest.endswith("\n")
        whole = manifest.replace("\n ", "")
        assert f"Class-Path: {' '.join(f'lib/{jar.name}' for jar in java.jars())}\n" in whole
        assert "Add-Opens: java.base/java.io\n" in whole

    def test_all_jars_are_pinned(self) -> None:
        assert all(len(jar.sha256) == 64 and jar.path.endswith(".jar") for jar in java.jars())
        assert {"aws-lambda-java-core", "aws-lambda-java-serialization"} <= {
            jar.path.split("/")[-3] for jar in java.jars()
        }

    def test_without_a_java_that_runs_there_is_no_archive(self, tmp_path: Path) -> None:
        broken = Interpreter("java17", "17.0.1", Path("/bin/false"), "PATH", ())
        assert java_archive.make(broken, tmp_path) is False
