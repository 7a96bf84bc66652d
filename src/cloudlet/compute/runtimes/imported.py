"""Runtimes that come from container images, such as AWS's own (public.ecr.aws/lambda/python): `cloudlet runtimes add`.

Each is a folder below `images` in the folder of prepared runtimes:

    images/<name>/imported.json   what it is and how it is started
    images/<name>/root/           the unpacked image: the root of its sandboxes, in place of this machine's files

The name is any that a function may ask for; an imported runtime goes before one that this machine has.
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from cloudlet.compute.function import RuntimeMissing

FOLDER: Final = "images"
ROOT: Final = "root"
_DESCRIPTION = "imported.json"
_NAME = re.compile(r"[a-z][a-z0-9.]{1,39}")
_BOOTSTRAP = "/var/runtime/bootstrap"
"""What AWS's images for functions start their runtime client with."""
_OURS = ("PATH", "LD_LIBRARY_PATH", "HOME", "HOSTNAME")


@dataclass(frozen=True, slots=True)
class ImportedRuntime:
    """One of them."""

    name: str
    image: str
    """Where it came from: a reference or a path, for people."""
    digest: str
    """The image's; empty where it has none."""
    command: tuple[str, ...]
    """What is run in the sandbox; `{handler}` stands for the function's handler."""
    environment: Mapping[str, str]
    """Variables of the image, where a function has none of the name."""

    def for_launcher(self, folder: Path) -> dict[str, Any]:
        """What the launcher is told. `folder` is that of prepared runtimes."""
        return {
            "name": f"{self.name}@{self.digest or 'image'}",
            "kind": "image",
            "has_telemetry": True,
            "root": str(folder / FOLDER / self.name / ROOT),
            "settings": {"command": list(self.command), "environment": dict(self.environment)},
        }


def find(folder: Path, name: str) -> ImportedRuntime | None:
    """The imported runtime `name`, if there is one."""
    if not _NAME.fullmatch(name):
        return None
    try:
        described = json.loads((folder / FOLDER / name / _DESCRIPTION).read_text())
    except (OSError, ValueError):
        return None
    return ImportedRuntime(**{**described, "command": tuple(described["command"])})


def every(folder: Path) -> list[ImportedRuntime]:
    """All of them, by name."""
    try:
        names = sorted(entry.name for entry in (folder / FOLDER).iterdir())
    except OSError:
        return []
    return [found for name in names if (found := find(folder, name)) is not None]


def add(
    folder: Path,
    name: str,
    root: Path,
    *,
    image: str,
    digest: str = "",
    entry_point: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> ImportedRuntime:
    """Take the unpacked image at `root`, which is moved, as the runtime `name`; one of that name is replaced.

    `entry_point` and `environment` are the image's own. Raises RuntimeMissing when nothing in it would run a function.
    """
    if not _NAME.fullmatch(name):
        raise RuntimeMissing(
            f"{name} cannot be a runtime's name: lower-case letters, digits and dots, as in python3.12."
        )
    started_by = _command(root, image, entry_point)
    kept = {key: value for key, value in (environment or {}).items() if key not in _OURS}
    made = ImportedRuntime(name, image, digest, started_by, kept)
    place = folder / FOLDER / name
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=place.parent))
        try:
            shutil.move(root, building / ROOT)
            (building / _DESCRIPTION).write_text(json.dumps(asdict(made)))
            building.chmod(0o755)
            (building / ROOT).chmod(0o755)
            remove(folder, name)
            building.rename(place)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    except OSError as error:
        raise RuntimeMissing(f"The runtime {name} could not be kept in {place}: {error}.") from error
    return made


def remove(folder: Path, name: str) -> bool:
    """Forget the imported runtime. Sandboxes that use it keep it until they end. Returns whether there was one."""
    place = folder / FOLDER / name
    if not _NAME.fullmatch(name) or not place.is_dir():
        return False
    old = Path(tempfile.mkdtemp(prefix=f".{name}-old-", dir=place.parent))
    place.rename(old / name)
    shutil.rmtree(old, ignore_errors=True)
    return True


def _command(root: Path, image: str, entry_point: Sequence[str]) -> tuple[str, ...]:
    if _is_program(root, _BOOTSTRAP):
        return (_BOOTSTRAP,)
    if entry_point:
        return (*entry_point, "{handler}")
    raise RuntimeMissing(
        f"{image} is no image of a runtime: it has neither {_BOOTSTRAP}, as AWS's images have, nor an entry point."
    )


def _is_program(root: Path, path: str) -> bool:
    """True for an executable file at `path` inside; the image's links are not followed out of it."""
    current = root
    for part in path.strip("/").split("/"):
        current = current / part
        if current.is_symlink():
            return False
    return current.is_file() and os.access(current, os.X_OK)
