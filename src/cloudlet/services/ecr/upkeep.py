"""Work behind the requests: lifecycle policies applied, layers that no image needs forgotten, idle uploads ended."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from cloudlet.clock import Clock, now_ms
from cloudlet.services.ecr import image, lifecycle, tables
from cloudlet.services.ecr.errors import InvalidParameter
from cloudlet.services.ecr.lifecycle import Aged
from cloudlet.services.ecr.repository import Repository
from cloudlet.services.ecr.tables import Key
from cloudlet.services.ecr.uploads import Uploads
from cloudlet.services.woken import sweep_for_ever, work_when_woken
from cloudlet.store.base import Reader, Row, Store, Transaction

SWEEP_INTERVAL_S = 3_600.0
LIFECYCLE_INTERVAL_MS = 60 * 60 * 1000
"""How often a repository's policy is applied; AWS promises a day."""
ROWS_PER_STEP = 200
IMAGES_PER_STEP = 50
"""Images that one transaction removes."""

logger = logging.getLogger(__name__)


class Upkeep:
    """The service's background loops."""

    def __init__(self, store: Store, clock: Clock, uploads: Uploads) -> None:
        self._store = store
        self._clock = clock
        self._uploads = uploads
        self._changed = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Run until `stop`, or until `tasks` ends."""
        complaint = "lifecycle policies could not be applied"
        applying = work_when_woken(self._changed, self.apply_policies, logger, complaint)
        complaint = "repositories could not be swept"
        sweeping = sweep_for_ever(self._clock, SWEEP_INTERVAL_S, self.sweep, logger, complaint)
        self._loops = [
            tasks.create_task(sweeping, name="ecr: sweep"),
            tasks.create_task(applying, name="ecr: new lifecycle policies"),
        ]

    async def stop(self) -> None:
        """End the loops."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)

    def wake(self) -> None:
        """There is a new lifecycle policy."""
        self._changed.set()

    async def sweep(self) -> None:
        """Do all that is due."""
        self._uploads.sweep()
        await self.apply_policies()
        while await self._store.read(lambda reader: tables.expired_layers(reader, now_ms(self._clock), 1)):
            await self._store.transact(lambda tx: image.forget_expired_layers(tx, now_ms(self._clock), ROWS_PER_STEP))

    async def apply_policies(self) -> None:
        """Apply the lifecycle policies that have not been applied for a while."""
        while True:
            rows = await self._store.read(self._due)
            for row in rows:
                await self._apply(Repository.from_row(row))
            if not rows:
                return

    def _due(self, reader: Reader) -> list[Row]:
        return tables.with_lifecycle(reader, now_ms(self._clock) - LIFECYCLE_INTERVAL_MS, ROWS_PER_STEP)

    async def _apply(self, found: Repository) -> None:
        """In steps: a repository may have a hundred thousand images, and others wait for the store."""
        now, key = now_ms(self._clock), found.key

        def begin(tx: Transaction) -> str:
            row = tables.repository(tx, key)
            tables.set_lifecycle_time(tx, key, now)
            return Repository.from_row(row).lifecycle if row is not None else ""

        policy = await self._store.transact(begin)
        try:
            rules = lifecycle.parse(policy) if policy else []
        except InvalidParameter as error:  # it was taken by an earlier version, which read policies less strictly
            logger.warning("a lifecycle policy is not applied: %s", error.message, extra={"repository": key.name})
            return
        if not rules:
            return
        images = await self._store.read(lambda reader: _aged(reader, key))
        gone = set(await asyncio.to_thread(lifecycle.expired, rules, images, now))
        left = [image for image in images if image.digest in gone]
        # An index goes first, and lets go of its images: these may be among those that have to go.
        for _ in range(2):
            removed: set[str] = set()
            for start in range(0, len(left), IMAGES_PER_STEP):
                step = _Step(key, policy, left[start : start + IMAGES_PER_STEP], now)
                removed |= await self._store.transact(step.remove)
            left = [image for image in left if image.digest not in removed]
            if removed:
                logger.info("images have expired", extra={"repository": key.name, "count": len(removed)})


def _aged(reader: Reader, key: Key) -> list[Aged]:
    tags: dict[str, list[str]] = {}
    for tag, digest in tables.all_tags(reader, key):
        tags.setdefault(digest, []).append(tag)
    return [
        Aged(digest, tuple(tags.get(digest, ())), pushed, pulled)
        for digest, pushed, pulled in tables.image_times(reader, key)
    ]


@dataclass(frozen=True, slots=True)
class _Step:
    """Images that a policy lets expire, as they were when it was applied."""

    key: Key
    policy: str
    images: Sequence[Aged]
    now_ms: int

    def remove(self, tx: Transaction) -> set[str]:
        """Remove those that are still as they were, and that no index needs; their digests."""
        row = tables.repository(tx, self.key)
        if row is None or Repository.from_row(row).lifecycle != self.policy:
            return set()
        removed = set()
        for one in self.images:
            is_same = (
                tables.times(tx, self.key, one.digest) == (one.pushed_ms, one.pulled_ms)
                and tuple(tables.tags_of(tx, self.key, one.digest)) == one.tags
            )
            if is_same and not tables.is_needed(tx, self.key, one.digest):
                image.remove(tx, self.key, one.digest, self.now_ms)
                removed.add(one.digest)
        return removed
