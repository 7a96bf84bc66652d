"""Rules for all that runs outside the node."""

import ast
import sys
from pathlib import Path

import pytest

from cloudlet.compute.launcher import agent

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
