"""Zip packages of functions: looked into before they are accepted, and unpacked so that nothing gets out of its folder.

A package comes from anybody, so nothing in it is believed: sizes are measured while unpacking, names and links may not
leave the folder, and what a function cannot need (devices, set-user-id bits, encryption) is refused or dropped.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-function-zip.html
"""

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

from cloudlet.compute.function import ComputeError

MAX_UNPACKED_BYTES: Final = 262_144_000
"""A package with its layers: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
MAX_ENTRIES: Final = 100_000
MAX_DIRECTORY_BYTES: Final = 16 * 1024 * 1024
"""Of the zip's central directory, which is read as a whole."""
MAX_LINK_BYTES: Final = 4095
MAX_LINKS_FOLLOWED: Final = 40
MAX_NAME_BYTES: Final = 255
MAX_PATH_BYTES: Final = 3072
CHUNK_BYTES: Final = 256 * 1024

_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED: Final = 0x1
_END_BYTES: Final = 22
_EXTENDED_TIME: Final = 0x5455


class PackageError(ComputeError):
    """A package that cannot be accepted. The text is AWS's; `reason` says more, for the node's own log."""

    text = "Could not unzip uploaded file. Please check your file, then try to upload again."

    def __init__(self, reason: str) -> None:
        super().__init__(self.text)
        self.reason = reason


class NotAZip(PackageError):
    """The bytes are not a zip, or a damaged or encrypted one."""


class UnsafePackage(PackageError):
    """An entry would leave the folder, is a device, or is there twice."""


class TooManyEntries(PackageError):
    """The package has more entries than any function needs."""


class PackageTooLarge(PackageError):
    """The unpacked package is over the limit, whatever the zip says of its size."""

    text = f"Unzipped size must be smaller than {MAX_UNPACKED_BYTES} bytes"


class EmptyPackage(PackageError):
    """The package has no file."""

    text = "Uploaded file must be a non-empty zip"


@dataclass(frozen=True, slots=True)
class PackageInfo:
    """What a package holds."""

    code_size: int
    """The bytes of the zip."""
    unpacked_size: int
    entries: int


@dataclass(frozen=True, slots=True)
class _Entry:
    """One file, folder or link, with a name that is safe on its own."""

    info: zipfile.ZipInfo
    parts: tuple[str, ...]
    kind: int
    """`stat.S_IFREG`, `S_IFDIR` or `S_IFLNK`."""
    target: str = ""

    @property
    def path(self) -> str:
        """Relative to the package's folder."""
        return "/".join(self.parts)


def inspect(file: IO[bytes]) -> PackageInfo:
    """Read a whole package as `unpack` would, and write nothing. Takes a while: call it in a thread.

    Raises NotAZip, UnsafePackage, TooManyEntries, PackageTooLarge, EmptyPackage.
    """
    code_size = file.seek(0, os.SEEK_END)
    with _opened(file) as archive:
        entries, _ = _checked(archive)
        size = 0
        for entry in entries:
            for chunk in _content(archive, entry, size):
                size += len(chunk)
    return PackageInfo(code_size, size, len(entries))


def unpack(file: IO[bytes], folder: Path) -> PackageInfo:
    """Write a package into `folder`, which must be there and empty. Takes a while: call it in a thread.

    Files are read-only for all, and executable for all when they were for anyone. Their times are those of the zip, so
    that compiled Python in it stays valid. Raises as `inspect`, and OSError; `folder` is then of no use.
    """
    code_size = file.seek(0, os.SEEK_END)
    size = 0
    with _opened(file) as archive:
        entries, folders = _checked(archive)
        for path in folders:
            (folder / path).mkdir()
            (folder / path).chmod(0o755)  # whatever the umask
        for entry in entries:
            if entry.kind == stat.S_IFREG:
                size += _write(archive, entry, folder.joinpath(*entry.parts), size)
        # Links come last: nothing is ever written through one.
        for entry in entries:
            if entry.kind == stat.S_IFLNK:
                folder.joinpath(*entry.parts).symlink_to(entry.target)
    return PackageInfo(code_size, size, len(entries))


def _write(archive: zipfile.ZipFile, entry: _Entry, place: Path, before: int) -> int:
    """Write one file; its size."""
    is_executable = (entry.info.external_attr >> 16) & 0o111
    size = 0
    with place.open("xb") as out:
        for chunk in _content(archive, entry, before):
            out.write(chunk)
            size += len(chunk)
        out.flush()
        os.fchmod(out.fileno(), 0o555 if is_executable else 0o444)
        moment = _modified(entry.info)
        os.utime(out.fileno(), (moment, moment))
    return size


def _content(archive: zipfile.ZipFile, entry: _Entry, before: int) -> Iterator[bytes]:
    """The bytes of a file, after `before` bytes of others: never more than the zip declares, or than the limit."""
    if entry.kind != stat.S_IFREG:
        return
    for chunk in _chunks(archive, entry.info):
        before += len(chunk)
        if before >= MAX_UNPACKED_BYTES:
            raise PackageTooLarge(f"at {entry.path!r}")
        yield chunk


def _chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """The bytes of an entry, whose size and checksum have to be those that the zip declares."""
    size = 0
    try:
        # zipfile itself reads no more than the declared size, and compares the checksum at the end.
        with archive.open(info) as content:
            while chunk := content.read(CHUNK_BYTES):
                size += len(chunk)
                yield chunk
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error) as error:
        raise NotAZip(f"{info.filename!r}: {error}") from error
    if size != info.file_size:
        raise NotAZip(f"{info.filename!r} has {size} bytes, not {info.file_size}")


def _opened(file: IO[bytes]) -> zipfile.ZipFile:
    _check_directory(file)
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, struct.error) as error:
        raise NotAZip(str(error)) from error


def _check_directory(file: IO[bytes]) -> None:
    """Limit the central directory before `zipfile` makes an object of each of its entries."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END_BYTES - 65535))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END_BYTES:
        raise NotAZip("no end record")
    count, directory_bytes = struct.unpack_from("<HI", tail, at + 10)
    wide = tail.rfind(b"PK\x06\x06", 0, at)
    if wide >= 0 and at - wide >= 56:
        count, directory_bytes = struct.unpack_from("<QQ", tail, wide + 32)
    if directory_bytes > MAX_DIRECTORY_BYTES or count > MAX_ENTRIES:
        raise TooManyEntries(f"{count} entries in {directory_bytes} bytes")


def _checked(archive: zipfile.ZipFile) -> tuple[list[_Entry], list[str]]:
    """The entries, when each is safe on its own and together with all others; and all folders, parents first."""
    infos = archive.infolist()
    if len(infos) > MAX_ENTRIES:
        raise TooManyEntries(f"{len(infos)} entries")
    if sum(info.file_size for info in infos) >= MAX_UNPACKED_BYTES:
        raise PackageTooLarge("by its own account")
    entries = [entry for info in infos if (entry := _entry(archive, info)) is not None]
    if all(entry.kind == stat.S_IFDIR for entry in entries):
        raise EmptyPackage("no file")
    tree: dict[str, int] = {}
    for entry in entries:
        _plant(tree, entry)
    links = {entry.parts: entry.target for entry in entries if entry.kind == stat.S_IFLNK}
    for link in links:
        _follow(link, links)
    return entries, sorted(path for path, kind in tree.items() if kind == stat.S_IFDIR)


def _entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Entry | None:
    """The entry that `info` describes; None for the package's own folder."""
    name = info.orig_filename
    if info.flag_bits & _ENCRYPTED:
        raise NotAZip(f"{name!r} is encrypted")
    if info.compress_type not in _METHODS:
        raise NotAZip(f"{name!r} is compressed by method {info.compress_type}")
    if "\0" in name or name.startswith("/"):
        raise UnsafePackage(f"{name!r} is no relative path")
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts:
        raise UnsafePackage(f"{name!r} leaves the folder")
    if len(os.fsencode(name)) > MAX_PATH_BYTES or any(len(os.fsencode(part)) > MAX_NAME_BYTES for part in parts):
        raise UnsafePackage(f"{name[:100]!r}... is too long")
    if not parts:
        return None
    kind = stat.S_IFMT(info.external_attr >> 16)
    if name.endswith("/") and kind in (0, stat.S_IFDIR):
        return _Entry(info, parts, stat.S_IFDIR)
    if kind == stat.S_IFLNK:
        return _Entry(info, parts, kind, _link_target(archive, info))
    if kind in (0, stat.S_IFREG):
        return _Entry(info, parts, stat.S_IFREG)
    raise UnsafePackage(f"{name!r} is neither a file nor a folder nor a link")


def _link_target(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    if not 0 < info.file_size <= MAX_LINK_BYTES:
        raise UnsafePackage(f"the link {info.filename!r} has no sensible target")
    target = os.fsdecode(b"".join(_chunks(archive, info)))
    if "\0" in target or target.startswith("/"):
        raise UnsafePackage(f"the link {info.filename!r} is not relative")
    return target


def _plant(tree: dict[str, int], entry: _Entry) -> None:
    """Add an entry to the kinds by path, and its parents, which have to be folders."""
    for length in range(1, len(entry.parts)):
        if tree.setdefault("/".join(entry.parts[:length]), stat.S_IFDIR) != stat.S_IFDIR:
            raise UnsafePackage(f"{entry.path!r} lies in what is no folder")
    if tree.get(entry.path, stat.S_IFDIR) != stat.S_IFDIR or (entry.path in tree and entry.kind != stat.S_IFDIR):
        raise UnsafePackage(f"{entry.path!r} is there twice")
    tree[entry.path] = entry.kind


def _follow(link: tuple[str, ...], links: Mapping[tuple[str, ...], str]) -> None:
    """Go where a link leads, as the kernel would, through other links too. Raises UnsafePackage if it is outside."""
    here = list(link[:-1])
    ahead = links[link].split("/")[::-1]
    followed = 1
    while ahead:
        part = ahead.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not here:
                raise UnsafePackage(f"the link {'/'.join(link)!r} leaves the folder")
            here.pop()
            continue
        here.append(part)
        target = links.get(tuple(here))
        if target is not None:
            followed += 1
            if followed > MAX_LINKS_FOLLOWED:
                raise UnsafePackage(f"the link {'/'.join(link)!r} leads nowhere")
            here.pop()
            ahead.extend(target.split("/")[::-1])


def _modified(info: zipfile.ZipInfo) -> float:
    """When the file was last changed: to the second where the zip has Info-ZIP's time, else the DOS time as UTC."""
    extra = info.extra
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        if kind == _EXTENDED_TIME and size >= 5 and len(extra) >= 9 and extra[4] & 1:
            return float(struct.unpack_from("<i", extra, 5)[0])
        extra = extra[4 + size :]
    try:
        return datetime(*info.date_time, tzinfo=UTC).timestamp()
    except ValueError:
        return 315532800.0  # 1980, when DOS begins: the zip's own date is none
