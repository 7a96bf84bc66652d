"""The walls around functions of every runtime other than Python: each runs the same probe, and sees the same little.

All of it as root and as an ordinary user. What is tried from Python in test_isolation.py is tried there in more ways;
here it is that another interpreter, with a compiler and threads of its own, is behind the same walls.
"""

import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from cloudlet.compute.launcher.client import SandboxLauncher
from cloudlet.compute.runtimes import Interpreter, Runtimes
from tests.support import builds
from tests.support.compute_engine import Engine
from tests.support.sandboxes import EVERYBODYS_PREPARED, PREPARED, everybodys_folder, ordinary_launcher_with

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Prints `name=value` lines. The first argument is a process of the host, the second a file of it.
PROBE = """#!/bin/sh
status() { sed -n "s/^$1:[[:space:]]*//p" /proc/self/status; }
echo "uid=$(id -u) $(id -g)"
echo "capabilities=$(status CapInh)$(status CapPrm)$(status CapEff)$(status CapBnd)$(status CapAmb)"
echo "seccomp=$(status Seccomp) $(status NoNewPrivs)"
echo "first=$(tr '\\0' ' ' </proc/1/cmdline 2>/dev/null)"
echo "strangers=$(ls /proc | grep -c '^[0-9]\\{5,\\}$')"
kill -0 "$1" 2>/dev/null && echo "signalled=yes"
cat "$2" /etc/shadow /root/.bashrc 2>/dev/null && echo "read=yes"
for folder in / /usr /usr/bin /etc /var/task /var/runtime /opt /dev /proc /sys; do
    (: >"$folder/new") 2>/dev/null && echo "written=$folder"
done
(: >/tmp/new) && echo "tmp=yes"
echo "interfaces=$(sed -n 's/^ *\\([a-z0-9]*\\):.*/\\1/p' /proc/net/dev | tr '\\n' ' ')"
unshare -U true 2>/dev/null && echo "unshared=yes"
mount -t tmpfs x /tmp 2>/dev/null && echo "mounted=yes"
chroot / true 2>/dev/null && echo "chrooted=yes"
echo "environment=$(tr '\\0' '\\n' </proc/self/environ | grep -c CLOUDLET_TEST_SECRET)"
echo "name=$(uname -n)"
exit 0
"""
NODE = """
const {execFileSync} = require("child_process")
exports.handler = async (e) => String(execFileSync("/bin/sh", ["/var/task/probe.sh", e.pid, e.file]))
"""
RUBY = """
require 'open3'
def handler(event:, context:) = Open3.capture2('/bin/sh', '/var/task/probe.sh', event['pid'], event['file']).first
"""
JAVA = """
    package example;
    import java.util.Map;
    public class Probe {
        public String run(Map<String, String> event) throws Exception {
            String[] probe = {"/bin/sh", "/var/task/probe.sh", event.get("pid"), event.get("file")};
            return new String(new ProcessBuilder(probe).start().getInputStream().readAllBytes());
        }
    }
"""
GO = """
package main

import (
	"context"
	"os/exec"

	"github.com/aws/aws-lambda-go/lambda"
)

func handle(ctx context.Context, event map[string]string) (string, error) {
	said, err := exec.Command("/bin/sh", "/var/task/probe.sh", event["pid"], event["file"]).Output()
	return string(said), err
}

func main() { lambda.Start(handle) }
"""
Package = Callable[[], Mapping[str, str | bytes]]
PACKAGES: dict[str, tuple[str, Package]] = {
    "nodejs": ("app.handler", lambda: {"app.js": NODE}),
    "ruby": ("app.handler", lambda: {"app.rb": RUBY}),
    "java": ("example.Probe::run", lambda: builds.java({"Probe.java": JAVA})),
    "provided": ("any", lambda: builds.go(GO, "github.com/aws/aws-lambda-go@v1.55.1")),
}


def everybodys(interpreters: Mapping[str, Interpreter]) -> dict[str, Interpreter]:
    """Those that an ordinary user can run."""
    return {name: each for name, each in interpreters.items() if str(each.executable).startswith("/usr/")}


class Probed:
    """An engine for one kind of user."""

    def __init__(self, engine: Engine, runtimes: Runtimes, host_file: Path) -> None:
        self.engine = engine
        self.host_file = host_file
        self._runtimes = runtimes

    async def look(self, language: str) -> dict[str, list[str]]:
        """What the probe says in a function of this language: the values by their names."""
        found = [*self._runtimes.interpreters(language), *(["provided.al2023"] if language == "provided" else [])]
        if not found:
            pytest.skip(f"this machine has no {language} for this user")
        handler, package = PACKAGES[language]
        files = {"probe.sh": PROBE, **package()}
        function = self.engine.function(files, runtime=found[0], handler=handler, memory_mb=512, timeout_s=30)
        event = {"pid": str(os.getpid()), "file": str(self.host_file)}
        result = await self.engine.run(function, orjson.dumps(event))
        assert result.function_error == "", result.payload
        said: dict[str, list[str]] = {}
        for line in orjson.loads(result.payload).splitlines():
            name, _, value = line.partition("=")
            said.setdefault(name, []).append(value.strip())
        return said


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=["root", "ordinary user"])
async def probed(request: pytest.FixtureRequest) -> AsyncIterator[Probed]:
    is_root = request.param == "root"
    if is_root and os.geteuid() != 0:
        pytest.skip("not root")
    with everybodys_folder() as folder:
        machine = Runtimes(PREPARED)
        interpreters = machine.interpreters("nodejs", "ruby", "java")
        runtimes = machine if is_root else Runtimes(EVERYBODYS_PREPARED, interpreters=everybodys(interpreters))
        launcher: Any = SandboxLauncher(runtimes, folder / "state") if is_root else None
        if not is_root:
            launcher = ordinary_launcher_with(runtimes, folder / "state")
        if launcher is None:
            pytest.skip("no Python that an ordinary user can run (Debian: apt-get install python3), or no setpriv")
        if builds.compiling_java():
            await machine.prepare(builds.compiling_java())  # its library is needed to compile
        host_file = folder / f"secret-{secrets.token_hex(4)}"
        host_file.write_text("of the host")
        os.environ["CLOUDLET_TEST_SECRET"] = "of the node"
        try:
            async with Engine(launcher, folder, "provided.al2023") as engine:
                yield Probed(engine, runtimes, host_file)
        finally:
            del os.environ["CLOUDLET_TEST_SECRET"]


@pytest.mark.parametrize("language", PACKAGES)
async def test_the_walls_are_the_same_for_every_runtime(probed: Probed, language: str) -> None:
    said = await probed.look(language)
    assert said["uid"] == ["993 990"]
    assert set(said["capabilities"][0]) == {"0"}
    assert said["seccomp"] == ["2 1"]
    assert said["first"] == ["init"]  # of its own process namespace
    assert said["strangers"] == ["0"]
    assert said["interfaces"] == ["lo"]
    assert said["environment"] == ["0"]
    assert said["name"] == ["sandbox"]
    assert said["tmp"] == ["yes"]
    refused = {"signalled", "read", "written", "unshared", "mounted", "chrooted"}
    assert not refused.intersection(said), said
