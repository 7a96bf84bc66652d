"""Code of functions that are being worked on: folders in the node's own data folder, run as they are.

`cloudlet dev` puts a copy of a project here at each change - unchanged files are links, so that it costs nothing - and
names it; no package is made, sent, stored or unpacked. A copy never changes once it is named, and goes when the next
one is in use and no sandbox has it mounted any more.
"""

import asyncio
import logging
import re
import shutil
from pathlib import Path

from cloudlet.compute.function import CodeSource, ComputeError

FOLDER = "development"
"""In the data folder."""
_PREFIX = "development:"
_NAME = re.compile(r"[0-9a-f]{32}")

logger = logging.getLogger(__name__)


class CopyMissing(ComputeError):
    """There is no such copy of a project."""


class DevelopmentCode:
    """A `CodeSource` of such copies, and of all packages of `packages`."""

    def __init__(self, folder: Path, packages: CodeSource) -> None:
        self._folder = folder
        self._packages = packages
        self._users: dict[str, int] = {}
        self._given_up: set[str] = set()
        self._deletions: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Make the folder, empty: what an earlier process had runs no more."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700)

    async def close(self) -> None:
        """Finish what is under way."""
        await asyncio.gather(*self._deletions, return_exceptions=True)

    def digest_of(self, name: str) -> str:
        """What stands for a package's digest in a `FunctionVersion` that runs the copy `name`. Raises CopyMissing."""
        if _NAME.fullmatch(name) is None or not (self._folder / name).is_dir() or (self._folder / name).is_symlink():
            raise CopyMissing(f"There is no copy {name!r} in {self._folder}.")
        return _PREFIX + name

    def give_up(self, digest: str) -> None:
        """No new sandbox will be asked for with this copy."""
        self._given_up.add(digest)
        self._delete_if_unused(digest)

    async def folder(self, digest: str) -> Path:
        if not digest.startswith(_PREFIX):
            return await self._packages.folder(digest)
        path = self._folder / digest.removeprefix(_PREFIX)
        if not path.is_dir():
            raise CopyMissing(f"The copy {path} of the code is gone.")
        self._users[digest] = self._users.get(digest, 0) + 1
        return path

    def release(self, digest: str) -> None:
        if not digest.startswith(_PREFIX):
            self._packages.release(digest)
            return
        self._users[digest] -= 1
        if not self._users[digest]:
            del self._users[digest]
            self._delete_if_unused(digest)

    def _delete_if_unused(self, digest: str) -> None:
        if digest in self._given_up and digest not in self._users:
            self._given_up.discard(digest)
            path = self._folder / digest.removeprefix(_PREFIX)
            task = asyncio.create_task(asyncio.to_thread(shutil.rmtree, path, ignore_errors=True))
            self._deletions.add(task)
            task.add_done_callback(self._deletions.discard)
