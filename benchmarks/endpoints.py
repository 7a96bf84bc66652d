"""The programs under measurement: each runs as a user would start it, on a free port, with a folder of its own."""

import configparser
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks import load

ROOT = Path(__file__).resolve().parent.parent
START_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A running program."""

    name: str
    url: str
    process: subprocess.Popen[bytes]
    start_s: float
    """From the start of the process to its first answer."""

    def memory_mb(self) -> float:
        """Proportional set size of the process and all its descendants, in MiB: shared pages count once."""
        return sum(_proportional_kb(pid) for pid in _tree(self.process.pid)) / 1024


@contextlib.contextmanager
def cloudlet() -> Iterator[Endpoint]:
    """This checkout's node, with SQLite on the disk that holds the temporary folder."""
    with tempfile.TemporaryDirectory(prefix="cloudlet-bench-") as folder:
        port = _free_port()
        command = [sys.executable, "-m", "cloudlet", "up", "--port", str(port), "--data", folder]
        runtimes = {"CLOUDLET_RUNTIMES": os.environ.get("CLOUDLET_RUNTIMES", str(ROOT / ".state" / "runtimes"))}
        with _running("cloudlet", command, port, "/_cloudlet/ready", runtimes) as endpoint:
            load.KEYS[endpoint.url] = _root_key(Path(folder) / "credentials")
            yield endpoint


@contextlib.contextmanager
def ministack() -> Iterator[Endpoint]:
    """A peer that runs functions."""
    port = _free_port()
    command = [str(_installed("ministack") / "ministack")]
    with _running("ministack", command, port, "/_ministack/health", {"GATEWAY_PORT": str(port)}) as endpoint:
        yield endpoint


@contextlib.contextmanager
def moto() -> Iterator[Endpoint]:
    """A peer that runs functions in Docker only; here it is measured at what needs none."""
    port = _free_port()
    command = [str(_installed("moto") / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    with _running("moto", command, port, "/moto-api/", {}) as endpoint:
        yield endpoint


def _root_key(file: Path) -> tuple[str, str]:
    """The key pair in an AWS credentials file."""
    parser = configparser.ConfigParser()
    parser.read(file)
    profile = parser[parser.sections()[0]]
    return profile["aws_access_key_id"], profile["aws_secret_access_key"]


def _installed(name: str) -> Path:
    """Where a peer's programs are: from PyPI, in an environment of its own below `.state`."""
    programs = ROOT / ".state" / "peers" / name / "bin"
    if not (programs / ".installed").exists():
        subprocess.run([sys.executable, "-m", "venv", str(programs.parent)], check=True)
        subprocess.run([str(programs / "pip"), "install", "--quiet", _requirement(name)], check=True)
        (programs / ".installed").touch()
    return programs


def peer_version(name: str) -> str:
    """The pinned version of a peer."""
    return _requirement(name).partition("==")[2]


def _requirement(name: str) -> str:
    lines = (ROOT / "requirements" / "peers.txt").read_text().split()
    return next(line for line in lines if line.partition("==")[0].partition("[")[0] == name)


@contextlib.contextmanager
def _running(name: str, command: list[str], port: int, path: str, extra: dict[str, str]) -> Iterator[Endpoint]:
    url = f"http://127.0.0.1:{port}"
    began = time.perf_counter()
    log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
    process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **extra})
    try:
        _wait_for(url + path, process, log)
        yield Endpoint(name, url, process, time.perf_counter() - began)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: IO[bytes]) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.005)
    log.seek(0)
    raise RuntimeError(f"{url} does not answer:\n{log.read().decode(errors='replace')[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _tree(pid: int) -> list[int]:
    """`pid` and its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for known in found:
        found += children.get(known, [])
    return found


def _proportional_kb(pid: int) -> int:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")), 0)
