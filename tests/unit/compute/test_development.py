"""Copies of projects as the code of functions."""

from pathlib import Path

import pytest

from cloudlet.compute.development import CopyMissing, DevelopmentCode
from tests.support.compute_world import FolderCode

NAME = "0123456789abcdef" * 2


@pytest.fixture
def code(tmp_path: Path) -> DevelopmentCode:
    made = DevelopmentCode(tmp_path / "development", FolderCode(tmp_path / "packages"))
    made.open()
    return made


def copy(tmp_path: Path, name: str = NAME) -> Path:
    path = tmp_path / "development" / name
    path.mkdir()
    (path / "app.py").write_text("")
    return path


async def test_a_copy_stands_for_a_package(code: DevelopmentCode, tmp_path: Path) -> None:
    path = copy(tmp_path)
    digest = code.digest_of(NAME)
    assert await code.folder(digest) == path
    assert await code.folder("a" * 64) == tmp_path / "packages"


async def test_a_copy_goes_when_it_is_given_up_and_nobody_has_it(code: DevelopmentCode, tmp_path: Path) -> None:
    path = copy(tmp_path)
    digest = code.digest_of(NAME)
    await code.folder(digest)
    await code.folder(digest)
    code.give_up(digest)
    code.release(digest)
    await code.close()
    assert path.exists()
    code.release(digest)
    await code.close()
    assert not path.exists()
    with pytest.raises(CopyMissing):
        await code.folder(digest)


async def test_a_copy_that_nobody_ever_had_goes_at_once(code: DevelopmentCode, tmp_path: Path) -> None:
    path = copy(tmp_path)
    code.give_up(code.digest_of(NAME))
    await code.close()
    assert not path.exists()


@pytest.mark.parametrize("name", ["", "../credentials", NAME, NAME.upper(), f"{NAME}/x"])
def test_only_copies_that_are_there_have_names(code: DevelopmentCode, name: str) -> None:
    with pytest.raises(CopyMissing):
        code.digest_of(name)


def test_a_link_is_no_copy(code: DevelopmentCode, tmp_path: Path) -> None:
    (tmp_path / "development" / NAME).symlink_to(tmp_path)
    with pytest.raises(CopyMissing):
        code.digest_of(NAME)


def test_what_an_earlier_node_had_is_gone(tmp_path: Path) -> None:
    code = DevelopmentCode(tmp_path / "development", FolderCode())
    code.open()
    copy(tmp_path)
    code.open()
    assert list((tmp_path / "development").iterdir()) == []
