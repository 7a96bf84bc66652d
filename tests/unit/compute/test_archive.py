"""Packages are looked into and unpacked, and nothing in them gets out."""

import io
import os
import stat
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.compute import archive
from cloudlet.compute.archive import (
    EmptyPackage,
    NotAZip,
    PackageError,
    PackageTooLarge,
    TooManyEntries,
    UnsafePackage,
    inspect,
    unpack,
)

UNZIP_TEXT = "Could not unzip uploaded file. Please check your file, then try to upload again."
Content = Mapping[str, bytes | tuple[int, bytes]]


def package(content: Content) -> io.BytesIO:
    """A zip; a value may be a Unix mode and the bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, value in content.items():
            mode, data = value if isinstance(value, tuple) else (stat.S_IFREG | 0o644, value)
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(info, data)
    return file


def link(target: str) -> tuple[int, bytes]:
    return stat.S_IFLNK | 0o777, target.encode()


def unpacked(content: Content, folder: Path) -> dict[str, bytes]:
    """What a zip becomes on disk: every file by its path."""
    unpack(package(content), folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_package_is_described() -> None:
    file = package({"app.py": b"x" * 1000, "lib/": (stat.S_IFDIR | 0o755, b""), "lib/util.py": b"y" * 24})
    info = inspect(file)
    assert (info.code_size, info.unpacked_size, info.entries) == (len(file.getvalue()), 1024, 3)


def test_a_package_is_unpacked(tmp_path: Path) -> None:
    content = {"app.py": b"import lib", "lib/__init__.py": b"", "./lib/deep/data.bin": bytes(range(256)) * 1000}
    files = unpacked(content, tmp_path)
    assert files == {"app.py": b"import lib", "lib/__init__.py": b"", "lib/deep/data.bin": bytes(range(256)) * 1000}


def test_files_are_read_only_and_keep_the_executable_bit(tmp_path: Path) -> None:
    content = {
        "app.py": (stat.S_IFREG | 0o600, b""),
        "bootstrap": (stat.S_IFREG | 0o700, b""),
        "root": (stat.S_IFREG | 0o4755, b""),
    }
    before = os.umask(0o077)
    try:
        unpacked({**content, "folder/x": b""}, tmp_path)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"app.py": 0o444, "bootstrap": 0o555, "root": 0o555, "folder": 0o755}


def test_a_zip_made_without_unix_modes_is_taken(tmp_path: Path) -> None:
    assert unpacked({"app.py": (0, b"x"), "folder/": (0, b""), "folder/y": (0, b"y")}, tmp_path) == {
        "app.py": b"x",
        "folder/y": b"y",
    }


def test_files_have_the_times_of_the_zip(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        info = zipfile.ZipInfo("dos.py", (2024, 3, 4, 17, 22, 38))
        made.writestr(info, b"")
        info = zipfile.ZipInfo("unix.py", (2024, 3, 4, 17, 22, 38))
        info.extra = struct.pack("<HHBi", 0x5455, 5, 1, 1709572957)
        made.writestr(info, b"")
    unpack(file, tmp_path)
    assert (tmp_path / "dos.py").stat().st_mtime == 1709572958
    assert (tmp_path / "unix.py").stat().st_mtime == 1709572957


def test_a_time_that_is_none_is_no_error(tmp_path: Path) -> None:
    data = bytearray(package({"app.py": b""}).getvalue())
    at = data.index(b"PK\x01\x02")
    data[at + 14 : at + 16] = b"\0\0"  # month 0, day 0
    unpack(io.BytesIO(data), tmp_path)


def test_links_inside_are_kept(tmp_path: Path) -> None:
    content: Content = {
        "lib/libz.so.1.2": b"elf",
        "lib/libz.so.1": link("libz.so.1.2"),
        "current": link("lib"),
        "me": link("."),
    }
    unpack(package(content), tmp_path)
    assert (tmp_path / "lib/libz.so.1").read_bytes() == b"elf"
    assert (tmp_path / "current/libz.so.1").resolve() == (tmp_path / "lib/libz.so.1.2").resolve()


@pytest.mark.parametrize(
    "content",
    [
        {"x": link("../outside")},
        {"x": link("/etc/passwd")},
        {"a/b/x": link("../../../etc")},
        {"a/b/up": link("../.."), "x": link("a/b/up/..")},
        {"loop": link("loop")},
        {"one": link("two"), "two": link("one")},
        {"x": link("")},
        {"x": link("y" * 5000)},
        {"x": link("a\0b")},
    ],
)
def test_links_that_leave_the_folder_or_lead_nowhere_are_refused(content: Content) -> None:
    with pytest.raises(UnsafePackage):
        inspect(package(content))


def test_a_link_to_what_is_not_there_is_kept(tmp_path: Path) -> None:
    unpack(package({"x": link("not-there")}), tmp_path)
    assert (tmp_path / "x").is_symlink()


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "a/../../evil", "a/..", "..", "x" * 256, "/".join(["folder"] * 600), "//evil"]
)
def test_names_that_leave_the_folder_or_are_too_long_are_refused(name: str) -> None:
    with pytest.raises(UnsafePackage) as refused:
        inspect(package({"app.py": b"", name: b"evil"}))
    assert str(refused.value) == UNZIP_TEXT


@pytest.mark.parametrize("kind", [stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_devices_are_refused(kind: int) -> None:
    with pytest.raises(UnsafePackage):
        inspect(package({"device": (kind | 0o666, b"")}))


@pytest.mark.parametrize(
    "names",
    [
        ("app.py", "app.py"),
        ("app.py", "./app.py"),
        ("lib", "lib/util.py"),
        ("lib/util.py", "lib"),
        ("lib/", "lib"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_is_there_once(names: tuple[str, str]) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name in names:
            made.writestr(name, b"")
    with pytest.raises(UnsafePackage):
        inspect(file)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_folder_may_be_named_twice(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name in ("lib/", "lib/", "lib/x"):
            made.writestr(name, b"")
    assert inspect(file).entries == 3
    unpack(file, tmp_path)


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    content: Content = {"folder": link("."), "folder/file": b"x"}
    with pytest.raises(UnsafePackage):
        unpack(package(content), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("data", [b"", b"not a zip", b"PK\x03\x04", b"PK\x05\x06" + bytes(10), os.urandom(5000)])
def test_what_is_no_zip_is_refused(data: bytes) -> None:
    with pytest.raises(NotAZip) as refused:
        inspect(io.BytesIO(data))
    assert str(refused.value) == UNZIP_TEXT
    assert refused.value.reason


@pytest.mark.parametrize("content", [{}, {"folder/": (stat.S_IFDIR | 0o755, b"")}])
def test_a_package_without_a_file_is_refused(content: Content) -> None:
    with pytest.raises(EmptyPackage) as refused:
        inspect(package(content))
    assert str(refused.value) == "Uploaded file must be a non-empty zip"


def test_an_encrypted_package_is_refused() -> None:
    data = bytearray(package({"app.py": b"x"}).getvalue())
    for marker, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(marker) + offset] |= 1
    with pytest.raises(NotAZip, match="Could not unzip"):
        inspect(io.BytesIO(data))


def test_a_compression_that_aws_does_not_take_is_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as made:
        made.writestr("app.py", b"x" * 100)
    with pytest.raises(NotAZip):
        inspect(file)


def test_damaged_content_is_refused(tmp_path: Path) -> None:
    data = bytearray(package({"app.py": os.urandom(1000)}).getvalue())
    data[200] ^= 0xFF
    with pytest.raises(NotAZip):
        inspect(io.BytesIO(data))
    with pytest.raises(NotAZip):
        unpack(io.BytesIO(data), tmp_path)


def test_a_package_at_the_limit_is_refused_and_one_below_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 1000)
    assert inspect(package({"a": b"x" * 500, "b": b"y" * 499})).unpacked_size == 999
    with pytest.raises(PackageTooLarge) as refused:
        inspect(package({"a": b"x" * 500, "b": b"y" * 500}))
    assert str(refused.value) == "Unzipped size must be smaller than 262144000 bytes"


@pytest.mark.parametrize("claimed", [10, 0])
def test_a_bomb_that_lies_about_its_size_is_found(claimed: int, tmp_path: Path) -> None:
    data = bytearray(package({"bomb": bytes(50_000_000)}).getvalue())
    for marker, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(marker) + offset
        data[at : at + 4] = struct.pack("<I", claimed)
    with pytest.raises(NotAZip):
        inspect(io.BytesIO(data))
    with pytest.raises(NotAZip):
        unpack(io.BytesIO(data), tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= claimed


def test_overlapping_files_are_counted_by_what_they_unpack_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 100_000)
    with pytest.raises(PackageTooLarge):
        inspect(package({f"f{number}": bytes(1000) for number in range(100)}))


def test_too_many_entries_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_ENTRIES", 5)
    inspect(package({f"f{number}": b"" for number in range(5)}))
    with pytest.raises(TooManyEntries):
        inspect(package({f"f{number}": b"" for number in range(6)}))


def test_a_huge_directory_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(package({"app.py": b""}).getvalue())
    at = data.rindex(b"PK\x05\x06")
    data[at + 12 : at + 16] = struct.pack("<I", archive.MAX_DIRECTORY_BYTES + 1)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    with pytest.raises(TooManyEntries):
        inspect(io.BytesIO(data))


def test_a_zip64_package_is_taken(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made, made.open("app.py", "w", force_zip64=True) as entry:
        entry.write(b"x")
    assert inspect(file).unpacked_size == 1
    unpack(file, tmp_path)


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(noise: bytes) -> None:
    data = package({"app.py": b"import os\n", "lib/x": link("../app.py")}).getvalue()
    for mixed in (noise, data + noise, noise + data, data[: len(noise)] + noise + data[len(noise) :]):
        try:
            inspect(io.BytesIO(mixed))
        except PackageError:
            continue
