"""Layers are unpacked as they are meant, and nothing in one gets out of its folder."""

import gzip
import io
import os
import stat
import tarfile
from pathlib import Path

import pytest
import zstandard

from cloudlet.compute.images import layer_folder
from cloudlet.compute.images.errors import ImageTooLarge, InvalidImage
from cloudlet.compute.images.layer import Unpacked, unpack
from cloudlet.compute.images.layer_folder import OPAQUE_ATTRIBUTE
from cloudlet.compute.images.overlay import MergedLayers
from cloudlet.compute.images.whiteouts import Flat, Overlay
from tests.support.images import Entry, digest, tar, unpacked_layers


def unpacked(folder: Path, *entries: Entry | tarfile.TarInfo, flat: bool = False) -> Unpacked:
    folder.mkdir(exist_ok=True)
    return unpack(io.BytesIO(tar(entries)), folder, "", Flat() if flat else Overlay())


def info(name: str, kind: bytes, **fields: int | str) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    for field, value in fields.items():
        setattr(made, field, value)
    return made


def is_whiteout(path: Path) -> bool:
    status = path.lstat()
    if stat.S_ISREG(status.st_mode):  # the tests' own files may lie on an overlay
        return "user.overlay.whiteout" in os.listxattr(path)
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def is_opaque(path: Path) -> bool:
    return OPAQUE_ATTRIBUTE in os.listxattr(path)


def test_files_folders_and_links_are_there(tmp_path: Path) -> None:
    root = tmp_path / "root"
    done = unpacked(
        root, ("bin", None), ("bin/tool!", "x"), ("etc/a", "deep"), ("bin/link", "-> /etc/a"), ("hard", "=> bin/tool")
    )
    assert (root / "etc/a").read_text() == "deep"
    assert (root / "bin/link").readlink() == Path("/etc/a")
    assert (root / "hard").samefile(root / "bin/tool")
    assert os.access(root / "bin/tool", os.X_OK)
    assert done.entries == 5
    assert done.size == 5


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_packed_layer_has_the_digest_of_what_is_in_it(tmp_path: Path, compression: str) -> None:
    content = tar([("a", "a" * 10_000)])
    packed = gzip.compress(content) if compression == "gzip" else zstandard.ZstdCompressor().compress(content)
    done = unpack(io.BytesIO(packed), tmp_path, compression, Overlay())
    assert done.diff_id == digest(content)
    assert (tmp_path / "a").read_text() == "a" * 10_000


def test_what_follows_the_archives_end_belongs_to_its_digest(tmp_path: Path) -> None:
    content = tar([("a", "a")]) + b"\0" * 100_000
    assert unpack(io.BytesIO(content), tmp_path, "", Overlay()).diff_id == digest(content)


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/../out", "//out"])
def test_a_name_leads_to_nothing_outside(tmp_path: Path, name: str) -> None:
    unpacked(tmp_path / "root", (name, "x"))
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "root/out").read_text() == "x"


@pytest.mark.parametrize("target", ["{outside}", "../outside", "../../../../../../../../{outside}"])
def test_a_link_leads_to_nothing_outside(tmp_path: Path, target: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    unpacked(tmp_path / "root", ("door", "-> " + target.format(outside=outside)), ("door/file", "x"))
    assert list(outside.iterdir()) == []


def test_a_file_is_not_written_through_a_link_of_its_name(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    unpacked(tmp_path / "root", ("file", f"-> {victim}"), ("file", "x"))
    assert victim.read_text() == "untouched"
    assert (tmp_path / "root/file").read_text() == "x"


def test_a_hard_link_to_what_is_outside_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(InvalidImage):
        unpacked(tmp_path / "root", ("stolen", "=> ../secret"))
    with pytest.raises(InvalidImage):
        unpacked(tmp_path / "other", ("door", f"-> {tmp_path}"), ("stolen", "=> door/secret"))


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidImage):
        unpacked(tmp_path / "root", ("a", "-> b"), ("b", "-> a"), ("a/file", "x"))


def test_a_path_through_a_link_of_the_layer_is_where_the_link_leads(tmp_path: Path) -> None:
    unpacked(tmp_path / "root", ("usr/lib", None), ("lib", "-> /usr/lib"), ("lib/file", "x"))
    assert (tmp_path / "root/usr/lib/file").read_text() == "x"


def test_devices_and_pipes_are_left_out_and_rights_to_be_others_too(tmp_path: Path) -> None:
    root = tmp_path / "root"
    unpacked(
        root,
        info("disk", tarfile.BLKTYPE, devmajor=8),
        info("console", tarfile.CHRTYPE, devmajor=5, devminor=1),
        info("pipe", tarfile.FIFOTYPE),
        info("sudo", tarfile.REGTYPE, mode=0o6755),
    )
    assert [path.name for path in root.iterdir()] == ["sudo"]
    assert (root / "sudo").stat().st_mode & 0o7777 == 0o755


def test_a_folder_that_is_only_named_is_open_to_all_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        unpack(io.BytesIO(tar([("usr/bin/tool!", "")])), tmp_path, "", Overlay())
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("usr", "usr/bin", "usr/bin/tool")] == [0o755] * 3


def test_a_closed_folder_is_filled_and_can_be_deleted(tmp_path: Path) -> None:
    root = tmp_path / "root"
    unpacked(root, info("shut", tarfile.DIRTYPE, mode=0o000), ("shut/file", "x"))
    assert (root / "shut").stat().st_mode & 0o777 == 0o700


def test_what_is_gone_below_is_said_so_that_overlayfs_understands(tmp_path: Path) -> None:
    root = tmp_path / "root"
    unpacked(root, ("etc/.wh.motd", ""), ("var/.wh..wh..opq", ""), ("var/new", "x"))
    assert is_whiteout(root / "etc/motd")
    assert is_opaque(root / "var")
    assert (root / "var/new").read_text() == "x"


@pytest.mark.parametrize("entries", [((".wh.dir", ""), ("dir/new", "x")), (("dir/new", "x"), (".wh.dir", ""))])
def test_a_folder_that_is_gone_and_there_again_shows_nothing_of_before(
    tmp_path: Path, entries: tuple[Entry, ...]
) -> None:
    unpacked(tmp_path / "root", *entries)
    assert is_opaque(tmp_path / "root/dir")
    assert (tmp_path / "root/dir/new").read_text() == "x"


def test_bookkeeping_of_storage_drivers_is_left_out(tmp_path: Path) -> None:
    unpacked(tmp_path / "root", (".wh..wh.plnk", None), ("a/.wh.", ""), ("a/.wh...", ""))
    assert [path.name for path in (tmp_path / "root").rglob("*")] == ["a"]


def test_layers_upon_each_other_leave_what_the_last_one_shows(tmp_path: Path) -> None:
    root = tmp_path / "root"
    unpacked(root, ("a", "1"), ("dir/old", "1"), ("dir/kept", "1"), ("all/x", "1"), ("turn", "1"), flat=True)
    unpacked(
        root, (".wh.a", ""), ("dir/.wh.old", ""), ("all/new", "2"), ("all/.wh..wh..opq", ""), ("turn/f", "2"), flat=True
    )
    found = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert found == {"dir/kept", "all/new", "turn/f"}


def test_bytes_are_counted_whatever_the_archive_says(tmp_path: Path) -> None:
    bomb = gzip.compress(tar([("zeros", b"\0" * 1_000_000)]))
    with pytest.raises(ImageTooLarge):
        unpack(io.BytesIO(bomb), tmp_path, "gzip", Overlay(), limit=500_000)


def test_a_sparse_file_counts_with_all_that_it_shows(tmp_path: Path) -> None:
    header = bytearray(info("sparse", tarfile.GNUTYPE_SPARSE).tobuf(tarfile.GNU_FORMAT))
    header[386:398] = b"%011o\0" % (1 << 30)
    header[483:495] = b"%011o\0" % (1 << 30)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    with pytest.raises(ImageTooLarge):
        unpack(io.BytesIO(bytes(header) + b"\0" * 1024), tmp_path, "", Overlay(), limit=1 << 20)


def test_a_record_is_not_read_whatever_its_size(tmp_path: Path) -> None:
    record = info("././@PaxHeader", tarfile.XHDTYPE, size=1 << 40).tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(ImageTooLarge):
        unpack(io.BytesIO(record + b"\0" * 1024), tmp_path, "", Overlay())


@pytest.mark.parametrize("content", [b"", b"no archive at all" * 100, tar([("a", b"x" * 5000)])[:3000]])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InvalidImage):
        unpack(io.BytesIO(content), tmp_path, "", Overlay())


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_what_is_not_packed_as_it_says_is_refused(tmp_path: Path, compression: str) -> None:
    with pytest.raises(InvalidImage):
        unpack(io.BytesIO(b"\0" * 10240), tmp_path, compression, Overlay())


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidImage):
        unpacked(tmp_path / "root", ("x" * 256, ""))


def test_an_archive_may_end_with_its_last_file(tmp_path: Path) -> None:
    content, end = tar([("a", "first"), ("b", "x" * 700)]), 3 * 512 + 700

    def cut(length: int) -> Unpacked:
        folder = tmp_path / str(length)
        folder.mkdir()
        return unpack(io.BytesIO(content[:length]), folder, "", Overlay())

    assert cut(end).diff_id == digest(content[:end])
    assert (tmp_path / str(end) / "b").read_text() == "x" * 700
    for length in (end - 1, 1100, 514):
        with pytest.raises(InvalidImage):
            cut(length)


@pytest.fixture
def _no_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a file system that is an overlay itself."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "mknod", refuse)


@pytest.mark.usefixtures("_no_devices")
def test_what_is_gone_is_marked_where_there_are_no_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_folder, "KNOW_MARKS", (0, 0))
    root = tmp_path / "root"
    unpacked(root, ("a/.wh.gone", ""), ("a/kept", "1"), ("b/.wh.again", ""), ("b/again/x", "1"))
    assert os.listxattr(root / "a/gone") == ["user.overlay.whiteout"]
    assert [os.getxattr(root / name, OPAQUE_ATTRIBUTE) for name in (".", "a")] == [b"x", b"x"]
    assert os.getxattr(root / "b/again", OPAQUE_ATTRIBUTE) == b"y"
    merged = MergedLayers([*unpacked_layers(tmp_path, [("a/gone", "1"), ("b/again/y", "1")]), root])
    assert merged.files("/a") == ["kept"]
    assert merged.files("/b/again") == ["x"]
    with pytest.raises(InvalidImage, match="what is not there"):
        unpacked(tmp_path / "linked", (".wh.a", ""), ("b", "=> a"))
    opaque = tmp_path / "opaque"
    unpacked(opaque, ("a/.wh.gone", ""), ("a/.wh..wh..opq", ""))
    assert list((opaque / "a").iterdir()) == []


@pytest.mark.usefixtures("_no_devices")
def test_a_file_system_that_cannot_say_that_something_is_gone_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layer_folder, "KNOW_MARKS", (1000, 0))
    with pytest.raises(OSError, match="put it on another"):
        unpacked(tmp_path / "root", ("a/.wh.gone", ""))


@pytest.mark.parametrize(
    ("release", "known"),
    [("6.8.0-generic", True), ("6.18.44-fc", True), ("7.0", True), ("6.7.9", False), ("5.15", False)],
)
def test_kernels_that_know_marked_files(release: str, known: bool) -> None:
    assert layer_folder.knows_marks(release) is known
