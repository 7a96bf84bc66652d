"""A worker: the place where environments are made, with its launcher, its code and what they need to start."""

import asyncio
import resource
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

from cloudlet.compute import extension_files, reports
from cloudlet.compute.environment import Environment, EnvironmentOwner
from cloudlet.compute.function import (
    SNAP_START,
    CodeSource,
    CredentialSource,
    FunctionImage,
    FunctionVersion,
    SandboxFailure,
    TemporaryCredentials,
)
from cloudlet.compute.host import Host, Preparation
from cloudlet.compute.images import Images, Reference
from cloudlet.compute.images.container import EXTENSIONS, container
from cloudlet.compute.programs import HEAD_BYTES, exec_error
from cloudlet.compute.reports import Failure
from cloudlet.compute.snapshots import DEFAULT_IDLE_S, Held, Reserve, Snapshots
from cloudlet.compute.taking import TakingEnvironment
from cloudlet.compute.variables import language

BOOTSTRAPS: Final = "[/var/task/bootstrap /opt/bootstrap]"


class Owner(EnvironmentOwner, Protocol):
    """Who has the environments, and the room."""

    def reserve(self, function: FunctionVersion) -> Held:
        """Room for what is about to start. Raises TooManyRequests."""


class Worker:
    """Makes the environments of one machine. A machine has one; placement may know many."""

    def __init__(
        self,
        host: Host,
        code: CodeSource,
        credentials: CredentialSource,
        runtime_version: Callable[[str], str],
        images: Images | None = None,
        snapshot_idle_s: float = DEFAULT_IDLE_S,
    ) -> None:
        """`runtime_version` says which version of a runtime (`python3.12`) really runs (`3.12.1`).

        `snapshot_idle_s`: how long SnapStart's snapshots are kept while no environment is made from them.
        """
        self._images = images
        self._containers: dict[str, int] = {}
        """How many environments there are of each image that has any."""
        self._host = host
        self._code = code
        self._credentials = credentials
        self._runtime_version = runtime_version
        self.snapshots = Snapshots(host.launcher, host.clock, self._to_be_copied, snapshot_idle_s)

    async def start(self) -> None:
        """Be ready. Raises SandboxFailure when this machine cannot isolate as configured."""
        _raise_descriptor_limit()
        await self._host.launcher.start()

    async def close(self) -> None:
        """Kill all that is left, and end the launcher."""
        await self.snapshots.close()
        await self._host.launcher.close()

    def retire(self, function_arn: str, keep: Collection[str]) -> None:
        """Keep nothing of the function but what is of the environment ids in `keep`."""
        self.snapshots.retire(function_arn, keep)

    async def prepare(self, function: FunctionVersion, reserve: Reserve) -> None:
        """Make the first launch of `function` fast: packages unpacked, runtime there, with SnapStart its snapshot.

        Raises ComputeError.
        """
        if function.image is None:
            await self._host.launcher.prepare(function.runtime)
        elif function.image.reference:
            await self._require_images().pull(Reference.parse(function.image.reference), function.code_digest)
        await self.ready(function, reserve)

    def _require_images(self) -> Images:
        if self._images is None:
            raise SandboxFailure("This worker runs no container images.")
        return self._images

    async def ready(self, function: FunctionVersion, reserve: Reserve) -> None:
        """Have what environments of `function` start from: packages or the image's layers unpacked, with SnapStart its
        snapshot, which takes room of its own. Raises ComputeError."""
        if function.image is not None:
            (await self._require_images().prepare(function.code_digest)).release()
        else:
            for digest in (function.code_digest, *function.layers):
                await self._code.folder(digest)
                self._code.release(digest)
        if function.initialization_type == SNAP_START:
            await self.snapshots.get(function, reserve)

    async def create(self, function: FunctionVersion, owner: Owner) -> Environment:
        """A new environment of `function`, with its code and credentials at hand. Raises ComputeError."""
        if function.initialization_type == SNAP_START:
            return await self._restored(function, owner)
        return Environment(function, await self._preparation(function, ""), self._host, owner)

    async def _restored(self, function: FunctionVersion, owner: Owner) -> Environment:
        snapshot = await self.snapshots.get(function, owner.reserve)
        snapshot.users += 1
        try:
            preparation = await self._preparation(function, snapshot.name)
        except BaseException:
            snapshot.users -= 1
            raise

        def release() -> None:
            snapshot.users -= 1
            preparation.release()

        return Environment(function, replace(preparation, release=release), self._host, owner)

    def make_room(self) -> bool:
        """Give up something that could be made again; false when there is nothing."""
        return self.snapshots.drop_oldest()

    async def _to_be_copied(self, function: FunctionVersion) -> TakingEnvironment:
        return TakingEnvironment(function, await self._preparation(function, ""), self._host)

    async def _preparation(self, function: FunctionVersion, snapshot: str) -> Preparation:
        credentials = asyncio.ensure_future(self._credentials.credentials(function))
        if function.image is not None:
            try:
                return await self._of_image(function, function.image, credentials)
            except BaseException:
                credentials.cancel()
                raise
        digests = (function.code_digest, *function.layers)
        held: list[str] = []
        try:
            folders: list[Path] = []
            for digest in digests:
                folders.append(await self._code.folder(digest))
                held.append(digest)
            extensions = extension_files.external_extensions(folders[1:])
            return Preparation(
                code=folders[0],
                layers=tuple(folders[1:]),
                credentials=await credentials,
                runtime_version=self._full_version(function.runtime),
                release=lambda: self._release(held),
                extensions=extensions,
                snapshot=snapshot,
                obstacle=extension_files.obstacle(extensions) or _obstacle(function, folders),
            )
        except BaseException:
            credentials.cancel()
            self._release(held)
            raise

    async def _of_image(
        self, function: FunctionVersion, wanted: FunctionImage, credentials: Awaitable[TemporaryCredentials]
    ) -> Preparation:
        image = await self._require_images().prepare(function.code_digest)
        try:
            path = function.environment.get("PATH", "")
            made, obstacle = await asyncio.to_thread(container, function.code_digest, image, wanted, path)
            extensions = tuple(await asyncio.to_thread(image.merged.files, EXTENSIONS))
            given = await credentials
        except BaseException:
            image.release()
            raise
        self._containers[made.name] = self._containers.get(made.name, 0) + 1

        def release() -> None:
            self._containers[made.name] -= 1
            if not self._containers[made.name]:
                del self._containers[made.name]
                self._host.launcher.retire(made)
            image.release()

        return Preparation(
            code=None,
            layers=(),
            credentials=given,
            runtime_version="",
            release=release,
            extensions=extensions,
            container=made,
            image_environment=image.config.environment,
            obstacle=extension_files.obstacle(extensions) or obstacle,
        )

    def _release(self, digests: list[str]) -> None:
        for digest in digests:
            self._code.release(digest)

    def _full_version(self, runtime: str) -> str:
        version = self._runtime_version(runtime)
        return f"{language(runtime)}:{version}" if version else runtime.replace(".", ":", 1)


def _obstacle(function: FunctionVersion, folders: list[Path]) -> Failure | None:
    """Why a custom runtime cannot start, as AWS says it."""
    if language(function.runtime) != "provided":
        return None
    for folder, mounted in zip(folders, ("/var/task", *("/opt" for _ in function.layers)), strict=True):
        bootstrap = folder / "bootstrap"
        if bootstrap.is_file():
            error = "permission denied"
            if bootstrap.stat().st_mode & 0o111:
                with bootstrap.open("rb") as file:
                    error = exec_error(file.read(HEAD_BYTES))
            return _invalid(f"fork/exec {mounted}/bootstrap: {error}") if error else None
    return _invalid(f"Couldn't find valid bootstrap(s): {BOOTSTRAPS}")


def _invalid(message: str) -> Failure:
    return Failure("error", reports.INVALID_ENTRYPOINT, message)


def _raise_descriptor_limit() -> None:
    """A sandbox holds about eight descriptors: use what the machine allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
