"""Makes new and changed versions ready to run, and then says so in their state."""

import asyncio
import logging

from cloudlet.compute.function import ComputeError, FunctionVersion, RuntimeMissing, SandboxFailure
from cloudlet.compute.images import ImageAccessDenied, ImageError, ImageNotFound, InvalidImage
from cloudlet.compute.snap_start import SnapshotFailed
from cloudlet.services.base import Platform
from cloudlet.services.lambda_ import packages, tables
from cloudlet.services.lambda_.changes import Changes
from cloudlet.services.lambda_.engines import Prepare
from cloudlet.services.lambda_.function import changed
from cloudlet.services.lambda_.names import FunctionRef
from cloudlet.services.lambda_.version import Version
from cloudlet.store.base import Row, StoreError, StoreUnavailable, Transaction

logger = logging.getLogger(__name__)

MINIMUM_CHANGE_S = 0.1
"""A version is Pending or InProgress for this long at least, so that a client that updates twice in a row meets the
conflict that it meets on AWS, where it takes a second or so, and not only by chance."""
MAX_AT_ONCE = 8
RETRY_S = 1.0
PAGE = 500


class Activation:
    """Takes versions from Pending to Active and from InProgress to Successful, or to Failed.

    It hears of them from the store, like every node: so a version is made ready even when the node that changed it ends
    before, or whoever asked for the change has gone away. Of several nodes the first to be done says so, and the others
    have the code at hand. What nobody heard of is taken up at the next start.
    """

    def __init__(self, platform: Platform, changes: Changes, prepare: Prepare) -> None:
        self._platform = platform
        self._changes = changes
        self._prepare = prepare
        self._at_once = asyncio.Semaphore(MAX_AT_ONCE)
        self._preparing: dict[str, asyncio.Task[None]] = {}
        self._changing: dict[str, asyncio.Task[None]] = {}
        self._tasks: asyncio.TaskGroup | None = None
        changes.on_change.append(self._heard)

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        """Take up what is unfinished, and from now on what becomes so; the work runs in `tasks`."""
        self._tasks = tasks
        rows = await self._unfinished(("", "", "", -1))
        while rows:
            for row in rows:
                self._begin(Version.from_row(row), tasks)
            rows = await self._unfinished(rows[-1][:4])

    def _heard(self, key: str) -> None:
        if self._tasks is not None:
            self._tasks.create_task(self._look(key, self._tasks), name=f"look at {key}")

    async def _look(self, key: str, tasks: asyncio.TaskGroup) -> None:
        while True:
            try:
                if not key:
                    await self.start(tasks)
                    return
                for row in await self._unfinished_of(FunctionRef.from_key(key)):
                    self._begin(Version.from_row(row), tasks)
                return
            except StoreUnavailable:
                if not self._tasks:
                    return
                logger.warning("a changed function could not be read; will be tried again")
                await asyncio.sleep(RETRY_S)

    def _begin(self, version: Version, tasks: asyncio.TaskGroup) -> None:
        """Make `version` ready in the background."""
        if version.environment_id in self._changing:
            return
        task = tasks.create_task(self._change(version), name=f"activate {version.ref.key}:{version.number}")
        self._changing[version.environment_id] = task
        task.add_done_callback(lambda _: self._changing.pop(version.environment_id, None))

    async def prepared(self, function: FunctionVersion) -> None:
        """Wait until `function` can be launched fast on this node. Raises ComputeError."""
        task = self._preparing.get(function.environment_id)
        if task is None:
            task = asyncio.create_task(self._prepare_one(function))
            self._preparing[function.environment_id] = task
            task.add_done_callback(lambda _: self._preparing.pop(function.environment_id, None))
        # The preparation is shared: one waiter that gives up does not end it for the others.
        await asyncio.shield(task)

    async def close(self) -> None:
        """End what still runs; the next start takes it up."""
        self._tasks = None
        for task in (running := [*self._changing.values(), *self._preparing.values()]):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _unfinished_of(self, ref: FunctionRef) -> list[Row]:
        return await self._platform.store.read(lambda reader: tables.unfinished_of(reader, ref))

    async def _unfinished(self, after: Row) -> list[Row]:
        return await self._platform.store.read(lambda reader: tables.unfinished_versions(reader, after, PAGE))

    async def _prepare_one(self, function: FunctionVersion) -> None:
        async with self._at_once:
            await self._prepare(function)

    async def _change(self, version: Version) -> None:
        loop = asyncio.get_running_loop()
        since = loop.time()
        reason, code = await self._outcome(version)
        await asyncio.sleep(max(0.0, MINIMUM_CHANGE_S - (loop.time() - since)))
        while True:
            try:
                await self._platform.store.transact(lambda tx: self._finish(tx, version, reason, code))
                return
            except StoreError:
                logger.warning("the state of %s could not be stored; will be tried again", version.ref.arn)
                await asyncio.sleep(RETRY_S)

    async def _outcome(self, version: Version) -> tuple[str, str]:
        """Why the version could not be made ready, and AWS's code for it; two empty texts when it could."""
        if version.has_snapshot:
            self._changes.know(version.ref)  # there will be something to drop when the version goes
        try:
            await self.prepared(version.target)
        except SnapshotFailed as error:
            return str(error), error.code
        except RuntimeMissing as error:
            return str(error), "InvalidRuntime"
        except ImageError as error:
            return str(error), _image_code(error)
        except SandboxFailure as error:
            # Nothing is wrong with the function: its first invocation will try again.
            logger.warning("%s could not be prepared: %s", version.ref.arn, error)
            return "", ""
        except ComputeError as error:
            return str(error), "InternalError"
        except Exception:
            logger.exception("%s could not be prepared", version.ref.arn)
            return "An internal error occurred.", "InternalError"
        return "", ""

    def _finish(self, tx: Transaction, version: Version, reason: str, code: str) -> None:
        row = tables.version(tx, version.ref, version.sequence)
        if row is None:
            return
        current = Version.from_row(row)
        if current.environment_id != version.environment_id or not current.is_changing:
            return
        revision_id = self._platform.ids.uuid()
        (current.failed(revision_id, reason, code) if code else current.ready(revision_id)).put(tx)
        packages.release(tx, [current.serving_digest])
        changed(tx, current.ref)


def _image_code(error: ImageError) -> str:
    """AWS's code for what is wrong with a container image."""
    codes = ((ImageAccessDenied, "ImageAccessDenied"), (ImageNotFound, "ImageDeleted"), (InvalidImage, "InvalidImage"))
    return next((code for kind, code in codes if isinstance(error, kind)), "InternalError")
