"""Pages of the documentation, run: their `console` blocks are sessions of a shell, with the output that they show.

`python -m tests.support.console PAGE ...` runs pages and writes the output of today into them.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
RUNTIMES = ROOT / ".state" / "runtimes"
READS = ("cloudlet logs", "aws logs get", "aws logs filter", "aws logs describe")
"""Commands that may be asked again: what they read is written behind the answer of the command before."""
ATTEMPTS = 30
END = "-- end of the command, exit code "
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_CHANGING = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,}|\d+|[A-Z0-9]{16,}|\s+|/\S*")


class Step(NamedTuple):
    """A command, as it is in the page, and its output."""

    command: str
    output: str


def steps(block: str) -> list[Step]:
    """The commands of a block: `$ ` begins one, a backslash at the end of its line continues it."""
    found: list[Step] = []
    continues = False
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(Step(line[2:], ""))
        elif continues:
            found[-1] = Step(f"{found[-1].command}\n{line}", "")
        else:
            found[-1] = Step(found[-1].command, f"{found[-1].output}{line}\n")
            continue
        continues = line.endswith("\\")
    return found


def alike(output: str, shown: str) -> bool:
    """True when two outputs differ only in numbers, ids, paths and blanks."""
    return _CHANGING.sub(" ", output).split() == _CHANGING.sub(" ", shown).split()


class Shell:
    """A bash that runs one command after the other, in an empty folder that has `examples` in it."""

    def __init__(self, folder: Path) -> None:
        (folder / "examples").symlink_to(ROOT / "examples")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CLOUDLET_"))}
        environment |= {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_PAGER": "",
            "CLOUDLET_PORT": "0",
            "CLOUDLET_RUNTIMES": str(RUNTIMES),
            "COLUMNS": "120",
        }
        self._process = subprocess.Popen(
            ["bash"], cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def run(self, command: str) -> str:
        """The output of a command. Raises AssertionError when it fails."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        command = command.replace("python3.11", f"python3.{sys.version_info.minor}")
        self._process.stdin.write(f"{command}\ncode=$?; echo; echo '{END}'$code\n")
        self._process.stdin.flush()
        output = ""
        for line in self._process.stdout:
            if line.startswith(END):
                assert line == f"{END}0\n", f"$ {command}\n{output}"
                return output.strip("\n") + "\n" if output.strip() else ""
            output += line
        raise AssertionError(f"the shell has ended at $ {command}\n{output}")

    def close(self) -> None:
        """End the shell."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextmanager
def shell(with_node: bool) -> Iterator[Shell]:
    """A shell; with a node in its folder, to which the AWS CLI is pointed, or without."""
    with tempfile.TemporaryDirectory(prefix="cloudlet-docs-") as name:
        opened = Shell(Path(name))
        try:
            if with_node:
                opened.run("cloudlet up --detach")
                opened.run("eval $(cloudlet credentials --export)")
            yield opened
        finally:
            record = Path(name) / ".cloudlet" / "node.json"
            if record.exists() and Path(f"/proc/{json.loads(record.read_text())['pid']}").exists():
                opened.run("cloudlet down --timeout 5")
            opened.close()


def run_page(text: str, check: bool = True) -> str:
    """Run a page's commands; the page with today's output. Raises AssertionError for another one than is shown."""
    with shell(with_node="$ cloudlet up" not in text) as opened:

        def replay(block: re.Match[str]) -> str:
            replayed = ""
            for step in steps(block[1]):
                output = _run_step(opened, step, check)
                replayed += f"$ {step.command}\n{output}"
            return f"```console\n{replayed}```"

        return _BLOCK.sub(replay, text)


def _run_step(opened: Shell, step: Step, check: bool) -> str:
    output = opened.run(step.command)
    attempts = ATTEMPTS if step.command.startswith(READS) else 1
    while not alike(output, step.output) and (attempts := attempts - 1):
        output = opened.run(step.command)
    assert not check or alike(output, step.output), f"$ {step.command}\n{output}--- instead of\n{step.output}"
    return output


def main() -> None:
    """Write today's output into the pages that are named."""
    for name in sys.argv[1:]:
        page = Path(name)
        text = run_page(page.read_text(), check=False)
        page.write_text(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:4566", text))
        sys.stdout.write(f"{shlex.quote(name)}\n")


if __name__ == "__main__":
    main()
