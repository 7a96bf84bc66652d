"""Work behind the requests: lifecycle policies applied, layers that no image needs forgotten, idle uploads ended."""

import asyncio
import logging

from cloudlet.clock import Clock, now_ms
from cloudlet.services.ecr import image, lifecycle, tables
from cloudlet.services.ecr.errors import InvalidParameter
from cloudlet.services.ecr.lifecycle import Aged
from cloudlet.services.ecr.repository import Repository
from cloudlet.services.ecr.uploads import Uploads
from cloudlet.services.woken import sweep_for_ever, work_when_woken
from cloudlet.store.base import Reader, Row, Store, Transaction

SWEEP_INTERVAL_S = 3_600.0
LIFECYCLE_INTERVAL_MS = 60 * 60 * 1000
"""How often a repository's policy is applied; AWS promises a day."""
ROWS_PER_STEP = 200

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
        now = now_ms(self._clock)

        def apply(tx: Transaction) -> int:
            row = tables.repository(tx, found.key)
            if row is None:
                return 0
            tables.set_lifecycle_time(tx, found.key, now)
            current = Repository.from_row(row)
            return _expire(tx, current, now) if current.lifecycle else 0

        if count := await self._store.transact(apply):
            logger.info("images have expired", extra={"repository": found.key.name, "count": count})


def _expire(tx: Transaction, found: Repository, now: int) -> int:
    tags: dict[str, list[str]] = {}
    for tag, digest in tables.all_tags(tx, found.key):
        tags.setdefault(digest, []).append(tag)
    images = [
        Aged(digest, tuple(tags.get(digest, ())), pushed, pulled)
        for digest, pushed, pulled in tables.image_times(tx, found.key)
    ]
    try:
        rules = lifecycle.parse(found.lifecycle)
    except InvalidParameter as error:  # it was taken by an earlier version, which read policies less strictly
        logger.warning("a lifecycle policy is not applied: %s", error.message, extra={"repository": found.key.name})
        return 0
    gone = lifecycle.expired(rules, images, now)
    count = 0
    # An index goes first, and lets go of its images: these may be among those that have to go.
    for _ in range(2):
        for digest in gone:
            if tables.image(tx, found.key, digest) is not None and not tables.needs(tx, found.key, digest):
                image.remove(tx, found.key, digest, now)
                count += 1
    return count
