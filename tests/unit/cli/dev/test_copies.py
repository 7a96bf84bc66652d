"""Copies of projects."""

import io
import zipfile
from pathlib import Path

import pytest

from cloudlet.cli.dev.copies import Copies, Copy, package


class World:
    def __init__(self, folder: Path) -> None:
        self.project, self.place = folder / "project", folder / "copies"
        self.private = self.project / ".data"
        for each in (self.project, self.place, self.private):
            each.mkdir()
        self.copies = Copies(self.project, self.place, self.private)

    def write(self, name: str, text: str) -> None:
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def read(self, copy: Copy) -> dict[str, str]:
        folder = self.place / copy.name
        return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_copy_has_all_files_and_the_next_one_what_has_changed(world: World) -> None:
    world.write("app.py", "one")
    world.write("package/part.py", "part")
    first = world.copies.take()
    assert world.read(first) == {"app.py": "one", "package/part.py": "part"}
    assert first.changed == ["app.py", "package/part.py"]
    world.write("app.py", "changed")
    second = world.copies.take()
    assert second.changed == ["app.py"]
    assert world.read(second) == {"app.py": "changed", "package/part.py": "part"}
    assert world.read(first)["app.py"] == "one"


def test_what_has_not_changed_is_the_same_file(world: World) -> None:
    world.write("same.py", "same")
    world.write("other.py", "one")
    first = world.copies.take()
    world.write("other.py", "another")
    second = world.copies.take()
    names = [world.place / copy.name / "same.py" for copy in (first, second)]
    assert names[0].stat().st_ino == names[1].stat().st_ino
    assert names[0].stat().st_ino != (world.project / "same.py").stat().st_ino


def test_what_is_gone_is_gone_in_the_copy(world: World) -> None:
    world.write("app.py", "one")
    world.write("old.py", "two")
    world.copies.take()
    (world.project / "old.py").unlink()
    copy = world.copies.take()
    assert (copy.changed, world.read(copy)) == (["old.py"], {"app.py": "one"})


def test_nothing_changed_is_said(world: World) -> None:
    world.write("app.py", "one")
    world.copies.take()
    assert world.copies.take().changed == []


def test_a_copy_is_whole_also_when_the_one_before_was_deleted(world: World) -> None:
    world.write("app.py", "one")
    first = world.copies.take()
    (world.place / first.name / "app.py").unlink()
    assert world.read(world.copies.take()) == {"app.py": "one"}


@pytest.mark.parametrize("name", [".git/config", "venv/bin/python", "a/__pycache__/x.py", "app.pyc", ".app.py.swp", ".data/credentials"])  # fmt: skip # noqa: E501
def test_what_is_no_part_of_the_function_is_left_out(world: World, name: str) -> None:
    world.write(name, "no")
    world.write("app.py", "yes")
    assert world.read(world.copies.take()) == {"app.py": "yes"}
    with zipfile.ZipFile(io.BytesIO(package(world.project, world.private))) as archive:
        assert archive.namelist() == ["app.py"]


def test_links_are_followed_inside_the_project_only(world: World, tmp_path: Path) -> None:
    world.write("lib/real.py", "real")
    (tmp_path / "secret").write_text("secret")
    (world.project / "link.py").symlink_to("lib/real.py")
    (world.project / "outside.py").symlink_to(tmp_path / "secret")
    (world.project / "loop").symlink_to(world.project)
    (world.project / "again").symlink_to("lib")
    (world.project / "data.py").symlink_to(world.private / "credentials")
    (world.private / "credentials").write_text("key")
    copy = world.read(world.copies.take())
    assert copy["link.py"] == "real"
    assert sorted(copy) == ["again/real.py", "lib/real.py", "link.py"]


def test_what_can_be_executed_stays_so(world: World) -> None:
    world.write("bootstrap", "#!/bin/sh")
    (world.project / "bootstrap").chmod(0o700)
    copied = world.place / world.copies.take().name / "bootstrap"
    assert copied.stat().st_mode & 0o777 == 0o755
    with zipfile.ZipFile(io.BytesIO(package(world.project, world.private))) as archive:
        assert archive.getinfo("bootstrap").external_attr >> 16 == 0o755
