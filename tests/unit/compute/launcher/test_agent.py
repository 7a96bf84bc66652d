"""Rules for all that runs outside the node."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from cloudlet.compute.launcher import agent
from cloudlet.compute.launcher.agent import messages

MODULES = sorted(Path(agent.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_the_oldest_zygote_understands_it(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 9))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_it_needs_nothing_but_the_standard_library(path: Path) -> None:
    known = {*sys.stdlib_module_names, "awslambdaric", "boto3", "botocore"}
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        assert {name.partition(".")[0] for name in names} <= known


@pytest.mark.parametrize("isolation", ["namespaces", "process"])
def test_a_launcher_whose_node_was_killed_meanwhile_ends_without_a_word(tmp_path: Path, isolation: str) -> None:
    """What it writes would stand in the node's log, or on the terminal of whoever killed it."""
    ours, theirs = messages.pair()
    ours.close()
    folder = Path(agent.__file__).parent.parent
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); from agent.main import main; main()"
    with theirs:
        command = [sys.executable, "-I", "-S", "-c", code, str(theirs.fileno()), str(tmp_path), isolation]
        done = subprocess.run(command, pass_fds=[theirs.fileno()], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
