"""Node.js runtimes: a Node.js of this machine, our own runtime client, and the AWS SDK for JavaScript from npm.

The client needs nothing from outside. The SDK does: without npm, functions run without it.
"""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from cloudlet.config import MIB

from . import folders, probes
from .interpreter import Interpreter, Progress

CLIENT: Final = Path(__file__).parent / "clients" / "node"
SDK: Final = CLIENT / "sdk"
"""Pinned packages with their checksums: a package.json and its lock file."""
OLDEST: Final = 18
_FIRST_WITH_SDK: Final = 20
"""The AWS SDK for JavaScript needs it: https://github.com/aws/aws-sdk-js-v3#supported-environments"""
_NAME = re.compile(r"nodejs(\d+)\.x")
_NPM_TIMEOUT_S = 300.0
_RESERVED_BYTES: Final = 1024 * MIB
"""Without a control group, a process is limited in what it may map: V8 and its threads map far more than they use."""
_LEFT_OUT: Final = ("require-module", "detect-module")
"""Before Node.js 24: https://docs.aws.amazon.com/lambda/latest/dg/lambda-nodejs.html"""
_PROBE = (
    "JSON.stringify({version: process.versions.node, libraries: process.report.getReport().sharedObjects, "
    "bits: process.arch.endsWith('64') ? 64 : 32})"
)
"""Its own libraries may lie elsewhere than it does."""


class Node:
    """See `Language`."""

    name = "nodejs"
    runs_older = False

    def discover(self, environ: Mapping[str, str], memory: Path) -> dict[str, Interpreter]:
        answers = probes.Answers(memory / "nodejs.json", _PROBE)
        found = list(_installed(environ, answers))
        answers.keep()
        return probes.newest(found)

    def release(self, name: str) -> float | None:
        found = _NAME.fullmatch(name)
        return float(found[1]) if found else None

    def remedy(self, name: str) -> str:
        major = name.removeprefix(self.name).removesuffix(".x")
        return f"install Node.js {major} (for example: nvm install {major}, or from https://nodejs.org)"

    def is_prepared(self, interpreter: Interpreter, folder: Path) -> bool:
        return folders.is_prepared(folder, _fingerprint(interpreter))

    def prepare(self, interpreter: Interpreter, folder: Path, progress: Progress) -> None:
        def fill(building: Path) -> dict[str, Any]:
            progress(f"Preparing the runtime {folder.name} (Node.js {interpreter.version}): client and AWS SDK")
            shutil.copytree(CLIENT, building, dirs_exist_ok=True, ignore=shutil.ignore_patterns("sdk*"))
            reason = "" if _reuse_sdk(folder, building) else _install_sdk(interpreter, building)
            return {"node": interpreter.version, "no_sdk": reason, "sdk": _sdk_version()}

        if self.is_prepared(interpreter, folder):
            return
        folders.build(folder, _fingerprint(interpreter), fill)
        missing = self.lacks(interpreter, folder)
        progress(f"The runtime {folder.name} is ready{f', but has {missing}' if missing else ''}")

    def lacks(self, interpreter: Interpreter, folder: Path) -> str:  # noqa: ARG002 - of the interface
        reason = folders.marker(folder).get("no_sdk", "")
        return f"no AWS SDK: {reason}" if reason else ""

    def for_launcher(self, interpreter: Interpreter, folder: Path) -> dict[str, Any]:
        executable = str(interpreter.executable)
        return {
            "kind": "node",
            "has_telemetry": True,
            "executable": executable,
            "settings": {"left_out": _left_out(interpreter)},
            "reserved_bytes": _RESERVED_BYTES,
            "links": {
                "/var/lang/bin/node": executable,
                # Where ES modules of /var/task look for packages: the layers' before the runtime's.
                "/var/node_modules": "/opt/nodejs/node_modules",
                "/node_modules": "/var/runtime/node_modules",
            },
            "folders": list(interpreter.folders),
            "hidden": [],
            "folder": str(folder),
        }


def _installed(environ: Mapping[str, str], answers: probes.Answers) -> Iterator[Interpreter]:
    home = probes.home(environ)
    managers = (
        ("nvm", Path(environ.get("NVM_DIR", home / ".nvm")) / "versions" / "node", "*/bin"),
        ("fnm", Path(environ.get("FNM_DIR", home / ".local/share/fnm")) / "node-versions", "*/installation/bin"),
        ("volta", Path(environ.get("VOLTA_HOME", home / ".volta")) / "tools" / "image" / "node", "*/bin"),
        ("mise", home / ".local/share/mise/installs/node", "*/bin"),
        ("asdf", home / ".asdf/installs/nodejs", "*/bin"),
        ("n", Path("/usr/local/n/versions/node"), "*/bin"),
        ("/opt", Path("/opt"), "node*/bin"),
    )
    for found_by, path in probes.installations(environ, "node", managers):
        real = path.resolve()
        state = answers.state(real)
        if not answers.is_new(state):
            continue
        is_known, said = answers.recall(state)
        facts = said if is_known else probes.ask([str(real), "-p", _PROBE])
        answers.add(state, facts)
        if facts is not None and facts["bits"] == 64 and int(facts["version"].split(".")[0]) >= OLDEST:
            yield _understood(facts, real, found_by)


def _understood(facts: probes.Facts, executable: Path, found_by: str) -> Interpreter:
    major = facts["version"].split(".")[0]
    libraries = [str(Path(each).parent) for each in facts["libraries"] if each.startswith("/")]
    return Interpreter(
        name=f"nodejs{major}.x",
        version=facts["version"],
        executable=executable,
        found_by=found_by,
        folders=probes.outside_usr([str(executable.parent), *libraries]),
    )


def _left_out(interpreter: Interpreter) -> list[str]:
    """Features that this Node.js has switched on and AWS's has not."""
    version = probes.version_key(interpreter.version)
    return list(_LEFT_OUT) if (20, 17) <= version < (24,) else []


def _fingerprint(interpreter: Interpreter) -> str:
    """Changes when a folder that was made before would no longer fit."""
    digest = hashlib.sha256(interpreter.version.encode())
    for path in sorted(CLIENT.rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _sdk_version() -> str:
    return hashlib.sha256((SDK / "package-lock.json").read_bytes()).hexdigest()


def _reuse_sdk(old: Path, new: Path) -> bool:
    """Take over the packages of a folder that was prepared before, when they are the same."""
    said = folders.marker(old)
    if said.get("sdk") != _sdk_version() or said.get("no_sdk") != "":
        return False
    shutil.copytree(old / "node_modules", new / "node_modules", symlinks=True, copy_function=os.link)
    return True


def _install_sdk(interpreter: Interpreter, folder: Path) -> str:
    """Put the SDK beside the client. Returns why there is none; empty when there is."""
    if int(interpreter.version.split(".")[0]) < _FIRST_WITH_SDK:
        return f"its versions of today need Node.js {_FIRST_WITH_SDK}"
    beside = interpreter.executable.parent / "npm"
    npm = str(beside) if beside.exists() else shutil.which("npm")
    if npm is None:
        return f"npm is missing (Debian: apt-get install npm); then run cloudlet runtimes prepare {interpreter.name}"
    with_lock = folder / "sdk"
    shutil.copytree(SDK, with_lock)
    try:
        failure = _npm_failure(npm, interpreter, with_lock)
        if failure is None:
            (with_lock / "node_modules").rename(folder / "node_modules")
            return ""
    finally:
        shutil.rmtree(with_lock)
    return f"npm could not fetch it ({failure}); with access to npm, run cloudlet runtimes prepare {interpreter.name}"


def _npm_failure(npm: str, interpreter: Interpreter, folder: Path) -> str | None:
    options = ["--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
    options += ["--fetch-retries=1", "--fetch-retry-mintimeout=1000"]
    # npm is itself a script for Node.js: let it run on this one, whatever else is on the path.
    command = [str(interpreter.executable), str(Path(npm).resolve()), "ci", *options]
    try:
        result = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_NPM_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {_NPM_TIMEOUT_S:.0f} s"
    except OSError as error:
        return str(error)
    return None if result.returncode == 0 else folders.last_error(result.stderr)
