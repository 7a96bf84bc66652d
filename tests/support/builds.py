"""What tests build or fetch with other languages' tools: once, and kept under .state by what goes into it.

Each gives the files of a function's package. Where a tool is missing, or what it fetches cannot be reached, the test
is skipped with a message that says so.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from cloudlet.compute.runtimes import Runtimes
from tests.support.sandboxes import PREPARED, REPOSITORY

BUILDS = REPOSITORY / ".state" / "builds"
Files = dict[str, bytes]


def _kept(name: str, ingredients: object, build: Callable[[Path], None]) -> Files:
    """The files of a folder that `build` fills, once for these ingredients."""
    digest = hashlib.sha256(json.dumps(ingredients, sort_keys=True).encode()).hexdigest()[:24]
    folder = BUILDS / f"{name}-{digest}"
    BUILDS.mkdir(parents=True, exist_ok=True)
    with (BUILDS / f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=BUILDS, prefix=".") as building:
                made = Path(building, "files")
                made.mkdir()
                build(made)
                made.rename(folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _run(command: Sequence[str | Path], folder: Path, why: str, **environment: str) -> None:
    """Run a tool; the test is skipped when it fails, as it does without a network."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.skip(f"{why}: {' '.join(done.stderr.split())[-300:]}")


def _tool(name: str, remedy: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} ({remedy})")
    return found


def compiling_java() -> str:
    """The runtime of the oldest Java with a compiler, so that all others run what it makes; empty for none."""
    for name, found in Runtimes(PREPARED).interpreters("java").items():
        if found.executable.with_name("javac").exists():
            return name
    return ""


def java(sources: Mapping[str, str], release: int = 11, jars: Sequence[Path] = ()) -> Files:
    """The classes of these sources, which may use the official core library and `jars`."""
    runtimes = Runtimes(PREPARED)
    compiler = runtimes.interpreters("java")[compiling_java()].executable.with_name("javac")
    core = sorted((PREPARED / compiling_java() / "lib").glob("aws-lambda-java-core-*.jar"))

    def build(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as place:
            for name, source in sources.items():
                Path(place, name).write_text(source)
            path = os.pathsep.join(str(jar) for jar in (*core, *jars))
            options = ["--release", str(release), "-cp", path, "-d", str(folder), *(str(name) for name in sources)]
            done = subprocess.run([str(compiler), *options], cwd=place, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr

    return _kept("java", [dict(sources), release, [jar.name for jar in (*core, *jars)]], build)


def maven(path: str, sha256: str) -> Path:
    """A jar of Maven Central, by its path and its checksum."""
    from cloudlet.compute.function import RuntimeMissing
    from cloudlet.compute.runtimes.java import Jar, _fetch

    jar = Jar(sha256, path)

    def build(folder: Path) -> None:
        try:
            (folder / jar.name).write_bytes(_fetch(jar, "of a test"))
        except RuntimeMissing as error:
            pytest.skip(str(error))

    _kept("maven", [path, sha256], build)
    digest = hashlib.sha256(json.dumps([path, sha256], sort_keys=True).encode()).hexdigest()[:24]
    return BUILDS / f"maven-{digest}" / jar.name


def npm(package: str) -> Files:
    """An npm package (`uuid@14.0.3`) with all that it needs, below node_modules."""
    program = _tool("npm", "Debian: apt-get install npm")

    def build(folder: Path) -> None:
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--prefix", str(folder)]
        _run([program, "install", *options, package], folder, f"npm cannot fetch {package}")

    return _kept("npm", package, build)


def pip(requirement: str, minor: int) -> Files:
    """A Python package (`numpy==2.2.6`) for Python 3.`minor`, as it would lie beside a function."""

    def build(folder: Path) -> None:
        options = ["--only-binary=:all:", "--implementation=cp", f"--python-version=3.{minor}", "--target", str(folder)]
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-compile",
            *options,
            requirement,
        ]
        _run(command, folder, f"pip cannot fetch {requirement}")

    return _kept("pip", [requirement, minor], build)


def go(source: str, *modules: str) -> Files:
    """A `bootstrap` from one Go file, with the modules that it needs (`github.com/aws/aws-lambda-go@v1.50.0`)."""
    program = _tool("go", "https://go.dev/dl, Debian: apt-get install golang")

    def build(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as place:
            Path(place, "main.go").write_text(source)
            _run([program, "mod", "init", "example.com/function"], Path(place), "go mod init")
            if modules:
                _run([program, "get", *modules], Path(place), "the Go modules cannot be fetched")
            options = ["build", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", str(folder / "bootstrap")]
            _run([program, *options, "."], Path(place), "go build", CGO_ENABLED="0")

    return _kept("go", [source, modules], build)


def rust(source: str, **crates: str) -> Files:
    """A `bootstrap` from one Rust file, with the crates that it needs and their versions or tables."""
    program = _tool("cargo", "https://rustup.rs")

    def build(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as place:
            Path(place, "src").mkdir()
            Path(place, "src", "main.rs").write_text(source)
            manifest = ["[package]", 'name = "bootstrap"', 'version = "0.1.0"', 'edition = "2021"', "[dependencies]"]
            manifest += [f"{name.replace('_', '-') if '-' in name else name} = {what}" for name, what in crates.items()]
            manifest += ["[profile.release]", "strip = true", "debug = false", "opt-level = 1"]
            Path(place, "Cargo.toml").write_text("\n".join(manifest))
            _run([program, "build", "--release", "--quiet"], Path(place), "the crates cannot be fetched or built")
            shutil.copy(Path(place, "target", "release", "bootstrap"), folder / "bootstrap")

    return _kept("rust", [source, crates], build)
