"""Builds a runtime's prepared folder: under another name and then renamed, so that it is whole or not there.

A lock keeps two nodes that share the folder from building it twice.
"""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cloudlet.compute.function import RuntimeMissing

MARKER = "prepared.json"


def marker(folder: Path) -> dict[str, Any]:
    """What the folder says of itself; empty for none."""
    try:
        read: dict[str, Any] = json.loads((folder / MARKER).read_text())
    except (OSError, ValueError):
        return {}
    return read


def is_prepared(folder: Path, fingerprint: str) -> bool:
    """True when `folder` was built from what `fingerprint` stands for."""
    return bool(marker(folder).get("fingerprint") == fingerprint)


def build(folder: Path, fingerprint: str, fill: Callable[[Path], dict[str, Any]]) -> None:
    """Make `folder`, unless it is there: `fill` gets an empty folder and returns what its marker shall say besides.

    Raises RuntimeMissing when it cannot be kept, with the command that mends it, and whatever `fill` raises.
    """
    if is_prepared(folder, fingerprint):
        return
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _lock(folder.parent / f".{folder.name}.lock"):
            if not is_prepared(folder, fingerprint):
                _build(folder, fingerprint, fill)
    except OSError as error:
        raise RuntimeMissing(
            f"The runtime {folder.name} could not be prepared in {folder.parent}: {error}. As a user who can write "
            f"there, run: cloudlet runtimes prepare {folder.name}."
        ) from error


def _build(folder: Path, fingerprint: str, fill: Callable[[Path], dict[str, Any]]) -> None:
    building = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        said = fill(building)
        (building / MARKER).write_text(json.dumps({"fingerprint": fingerprint, **said}))
        _open_to_all(building)
        _replace(building, folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _open_to_all(folder: Path) -> None:
    """Every sandbox has a user of its own."""
    for parent, _folders, files in os.walk(folder):
        Path(parent).chmod(0o755)
        for name in files:
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & 0o777 | 0o444)


def _replace(building: Path, folder: Path) -> None:
    """Put the new folder where the old one is. Sandboxes that use the old one keep it until they end."""
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
    try:
        if folder.exists():
            folder.rename(old / folder.name)
        building.rename(folder)
    finally:
        shutil.rmtree(old, ignore_errors=True)


def last_error(text: str) -> str:
    """The line of a program's messages that says most."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")] or lines
    return errors[-1] if errors else "no message"
