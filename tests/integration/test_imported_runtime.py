"""A runtime from a container image: its files in place of this machine's, as root and as an ordinary user."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from cloudlet.compute.function import RuntimeMissing
from cloudlet.compute.launcher.client import SandboxLauncher
from cloudlet.compute.runtimes import Runtimes, imported
from tests.support import builds
from tests.support.compute_engine import Engine
from tests.support.compute_world import error_of
from tests.support.sandboxes import everybodys_folder, ordinary_launcher_with, write_files

pytestmark = pytest.mark.asyncio(loop_scope="module")
NAME = "dotnet8"
# A runtime of its own: the handler is a file of the package, which says what shall be looked at.
SOURCE = """
package main

import (
	"context"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
)

type Seen struct {
	Code        string   `json:"code"`
	Root        []string `json:"root"`
	Usr         []string `json:"usr"`
	Passwd      string   `json:"passwd"`
	Setting     string   `json:"setting"`
	Environment string   `json:"environment"`
	User        int      `json:"user"`
	Writable    []string `json:"writable"`
}

func names(folder string) []string {
	found := []string{}
	entries, _ := os.ReadDir(folder)
	for _, entry := range entries {
		found = append(found, entry.Name())
	}
	return found
}

func text(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(content)
}

func handle(ctx context.Context) (Seen, error) {
	writable := []string{}
	for _, folder := range []string{"/", "/usr", "/etc", "/var/runtime", "/var/task", "/tmp"} {
		if os.WriteFile(folder+"/new", nil, 0o600) == nil {
			writable = append(writable, folder)
		}
	}
	return Seen{
		text("/var/task/" + os.Getenv("_HANDLER")), names("/"), names("/usr"),
		text("/etc/passwd"), text("/etc/setting"),
		os.Getenv("OF_THE_IMAGE") + os.Getenv("OF_BOTH"), os.Getuid(), writable,
	}, nil
}

func main() { lambda.Start(handle) }
"""


def unpacked_image(folder: Path) -> Path:
    """The files of an image, some of them meant to lead astray."""
    bootstrap = builds.go(SOURCE, "github.com/aws/aws-lambda-go@v1.55.1")["bootstrap"]
    root = write_files(
        folder,
        {
            "var/runtime/bootstrap": bootstrap, "usr/of-the-image": "", "usr/bin/tool": "#!x", "etc/passwd": "theirs",
            "etc/setting": "of the image", "home/file": "", "dev/sda": "", "proc/fake": "",
            "lambda-entrypoint.sh": "#!",
        },
    )  # fmt: skip
    (root / "bin").symlink_to("usr/bin")
    (root / "host").symlink_to("/etc")
    (root / "etc" / "shadow").symlink_to("/etc/shadow")
    (root / "var" / "log").symlink_to("/var/log")
    return root


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=["root", "ordinary user"])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    if os.geteuid() != 0 and request.param == "root":
        pytest.skip("not root")
    with everybodys_folder() as folder:
        runtimes = Runtimes(folder / "runtimes", interpreters={})
        image = unpacked_image(folder / "image")
        environment = {"OF_THE_IMAGE": "image", "OF_BOTH": " theirs", "PATH": "/theirs"}
        imported.add(runtimes.folder, NAME, image, image="example/dotnet:8", environment=environment)
        runtimes.folder.chmod(0o755)
        (runtimes.folder / imported.FOLDER).chmod(0o755)
        made: Any = (
            SandboxLauncher(runtimes, folder / "state")
            if request.param == "root"
            else ordinary_launcher_with(runtimes, folder / "state")
        )
        if made is None:
            pytest.skip("no Python that an ordinary user can run (Debian: apt-get install python3), or no setpriv")
        async with Engine(made, folder, NAME) as engine:
            await made.prepare(NAME)
            yield engine


async def test_its_files_are_those_of_the_image(engine: Engine) -> None:
    function = engine.function({"app.txt": "the code"}, handler="app.txt", environment={"OF_BOTH": " ours"})
    result = await engine.run(function)
    assert result.function_error == "", result.payload
    seen = orjson.loads(result.payload)
    assert seen["code"] == "the code"
    assert seen["usr"] == ["bin", "of-the-image"]
    assert {"bin", "host", "home", "lambda-entrypoint.sh", "var", "tmp", "opt", "dev", "proc"} <= set(seen["root"])
    assert not {"boot", "nix", "srv"}.intersection(seen["root"])
    assert seen["setting"] == "of the image"
    assert [line.split(":")[0] for line in seen["passwd"].splitlines()] == ["root", "sbx_user1051", "nobody"]
    assert seen["environment"] == "image ours"
    assert seen["user"] == 993
    assert seen["writable"] == ["/tmp"]


async def test_its_links_lead_nowhere_outside(engine: Engine) -> None:
    for target in ("../../host/hostname", "../../etc/shadow", "../../var/log/dpkg.log", "../../dev/sda"):
        function = engine.function({"app.txt": "x"}, handler=target)
        result = await engine.run(function)
        assert orjson.loads(result.payload)["code"].startswith("open /var/task/../..")  # and why it cannot


async def test_it_goes_before_what_this_machine_has(tmp_path: Path) -> None:
    write_files(tmp_path / "image", {"var/runtime/bootstrap": "#!/bin/sh\n"})
    imported.add(tmp_path, "python3.12", tmp_path / "image", image="python", digest="sha256:1")
    described = Runtimes(tmp_path).resolve("python3.12").for_launcher()
    assert (described["name"], described["kind"]) == ("python3.12@sha256:1", "image")
    assert imported.remove(tmp_path, "python3.12")
    assert not imported.remove(tmp_path, "python3.12")
    assert [path.name for path in (tmp_path / imported.FOLDER).iterdir()] == []


async def test_an_image_that_is_no_runtime_is_refused(tmp_path: Path) -> None:
    empty = write_files(tmp_path / "image", {"etc/passwd": ""})
    with pytest.raises(RuntimeMissing, match="neither /var/runtime/bootstrap"):
        imported.add(tmp_path / "runtimes", "mine1", empty, image="empty")
    (empty / "var").mkdir()
    (empty / "var" / "runtime").symlink_to("/bin")
    with pytest.raises(RuntimeMissing, match="neither /var/runtime/bootstrap"):
        imported.add(tmp_path / "runtimes", "mine1", empty, image="empty")
    with pytest.raises(RuntimeMissing, match="cannot be a runtime's name"):
        imported.add(tmp_path / "runtimes", "../mine", empty, image="empty")
    made = imported.add(tmp_path / "runtimes", "mine1", empty, image="empty", entry_point=["/start", "-x"])
    assert made.command == ("/start", "-x", "{handler}")
    assert imported.every(tmp_path / "runtimes") == [made]
    shutil.rmtree(tmp_path / "runtimes" / imported.FOLDER / "mine1" / "root")


async def test_a_bootstrap_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    with everybodys_folder() as folder:
        image = write_files(folder / "image", {"var/runtime/bootstrap": "#!/no/such/shell\n"})
        runtimes = Runtimes(folder / "runtimes", interpreters={})
        imported.add(runtimes.folder, "mine1", image, image="broken")
        launcher = SandboxLauncher(runtimes, folder / "state")
        async with Engine(launcher, folder, "mine1") as engine:
            error = error_of(await engine.run(engine.function({"app.txt": ""}, handler="app.txt")))
            assert error["errorType"] == "Runtime.ExitError"
