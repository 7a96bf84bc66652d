"""The commands of the documentation work, and show what they say."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cloudlet.config import Config
from tests.support.console import ROOT, RUNTIMES, alike, run_page, steps
from tests.support.images import program

PAGES = sorted([ROOT / "docs" / "quickstart.md", *(ROOT / "docs" / "how-to").glob("*.md")])

NEEDED = {"container-images": ("go", "umoci", "skopeo")}
"""What else a page's commands use."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
@pytest.mark.timeout(600)  # some twenty commands, each of which starts the AWS CLI
def test_a_page_shows_what_happens(page: Path) -> None:
    for tool in NEEDED.get(page.stem, ()):
        program(tool)
    run_page(page.read_text())


@pytest.mark.timeout(600)
def test_the_demo_works_and_leaves_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "CLOUDLET_RUNTIMES": str(RUNTIMES), "TMPDIR": str(tmp_path)}
    ran = subprocess.run(["scripts/demo"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "All of it worked" in ran.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_session_is_taken_apart() -> None:
    block = "$ one\n$ two \\\n    more\nfirst\nsecond\n"
    assert [tuple(step) for step in steps(block)] == [("one", ""), ("two \\\n    more", "first\nsecond\n")]


def test_only_numbers_ids_and_blanks_may_differ() -> None:
    assert alike("took 12 ms\n", "took   7 ms")
    assert alike("8f1c9f3e-3c0e-4f5c-9d3b-0a7d3f2b1c4d ok", "00000000-0000-0000-0000-000000000000 ok")
    assert not alike("took 12 ms", "took 12 s")


def test_every_setting_is_told() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    names = [field.name for field in dataclasses.fields(Config)]
    assert [name for name in names if f"`{name}`" not in page or f"`CLOUDLET_{name.upper()}`" not in page] == []


def test_every_command_is_told_in_the_readme() -> None:
    told = (ROOT / "README.md").read_text().partition("**Operating it**")[2].partition("\n")[0]
    done = subprocess.run([sys.executable, "-m", "cloudlet", "--help"], capture_output=True, text=True, check=True)
    commands = re.findall(r"^  ([a-z]+) ", done.stdout.partition("Commands:")[2], re.MULTILINE)
    assert "up" in commands
    assert [command for command in commands if f"`{command}`" not in told] == []


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda page: page.stem
)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if not link.startswith(("http://", "https://")):
            assert (page.parent / link).exists(), link
