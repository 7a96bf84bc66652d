"""Functions that are being worked on: their $LATEST runs a copy of a project's folder in place of its package.

That holds on this node until whoever works ends it, the function's code is updated as usual, or the node ends. Nothing
of it is stored: it is a way to see code run, not to deploy it.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Protocol

from cloudlet.compute.function import ComputeError, FunctionVersion
from cloudlet.services.base import Platform
from cloudlet.services.lambda_.changes import Changes
from cloudlet.services.lambda_.errors import InvalidParameterValue
from cloudlet.services.lambda_.names import FunctionRef
from cloudlet.services.lambda_.version import Version, find


class Copies(Protocol):
    """What compute knows of copies: `DevelopmentCode`."""

    def digest_of(self, name: str) -> str:
        """What stands for the copy `name` where a package's digest would. Raises ComputeError when there is none."""

    def give_up(self, digest: str) -> None:
        """No new sandbox will be asked for with this copy."""


@dataclass(frozen=True, slots=True)
class _Work:
    """What is run in place of a package."""

    package: str
    """The digest of the function's package when this was last said: with another one it is over."""
    digest: str


class Development:
    """Knows the functions that are being worked on."""

    def __init__(self, platform: Platform, changes: Changes, copies: Copies) -> None:
        self._store = platform.store
        self._changes = changes
        self._copies = copies
        self._works: dict[str, _Work] = {}
        changes.also_keep = self._environments
        self._running: dict[str, set[str]] = {}

    async def run(self, ref: FunctionRef, name: str) -> None:
        """Have the copy `name` run from the next invocation on. Raises ResourceNotFound, InvalidParameterValue."""
        version = await self._store.read(lambda reader: find(reader, ref.qualified("")))
        if version.configuration.package_type != "Zip":
            raise InvalidParameterValue(f"{ref.name} is a container image: its code is no folder.")
        try:
            digest = self._copies.digest_of(name)
        except ComputeError as error:
            raise InvalidParameterValue(str(error)) from error
        before = self._works.get(ref.key)
        self._works[ref.key] = _Work(version.code_digest, digest)
        self._changed(ref.key, before)

    def end(self, ref: FunctionRef) -> None:
        """Have the function's package run again."""
        before = self._works.pop(ref.key, None)
        self._changed(ref.key, before)

    def reset(self) -> None:
        """There are no functions any more."""
        for key in list(self._works):
            self.end(FunctionRef.from_key(key))

    def apply(self, version: Version, running: FunctionVersion) -> FunctionVersion:
        """What runs for `version`, which is `running` unless somebody works on it."""
        work = self._works.get(version.ref.key) if self._works else None
        if work is None or version.sequence:
            return running
        if work.package != running.code_digest:
            self.end(version.ref)
            return running
        environment_id = f"{running.environment_id}.{work.digest.rpartition(':')[2]}"
        self._running.setdefault(version.ref.key, set()).add(environment_id)
        return replace(running, code_digest=work.digest, environment_id=environment_id)

    def _environments(self, key: str) -> Collection[str]:
        return self._running.get(key, ())

    def _changed(self, key: str, before: _Work | None) -> None:
        self._running.pop(key, None)
        if before is not None:
            self._copies.give_up(before.digest)
        self._changes.touched(key)
