"""The service, put together."""

import asyncio
from collections.abc import Sequence

from cloudlet.arn import Arn
from cloudlet.iam.facts import ResourceFacts
from cloudlet.services.log_entries import LogEntry
from cloudlet.services.logs import kept_tables, tables
from cloudlet.services.logs.ingestion import append_entry, batch_of_platform
from cloudlet.services.logs.kept_tables import find_tags
from cloudlet.services.logs.operations.destinations import DestinationOperations
from cloudlet.services.logs.operations.events import EventOperations
from cloudlet.services.logs.operations.groups import GroupOperations
from cloudlet.services.logs.operations.policies import PolicyOperations
from cloudlet.services.logs.operations.query_definitions import QueryDefinitionOperations
from cloudlet.services.logs.operations.streams import StreamOperations
from cloudlet.services.logs.operations.tags import TagOperations
from cloudlet.services.logs.operations.unmade import UnmadeOperations
from cloudlet.services.logs.tables import Place


class LogsService(
    GroupOperations,
    StreamOperations,
    EventOperations,
    TagOperations,
    PolicyOperations,
    DestinationOperations,
    QueryDefinitionOperations,
    UnmadeOperations,
):
    """CloudWatch Logs without Insights, metric filters, subscriptions, deliveries and encryption by customers' keys."""

    migrations = (*tables.MIGRATIONS, *kept_tables.MIGRATIONS)

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        self.upkeep.start(tasks)

    async def facts(self, resource: Arn) -> ResourceFacts | None:
        """The tags of a log group, or of whatever else has tags."""
        group, _, _ = str(resource).partition(":log-stream:")
        place = Place(resource.account, resource.region)
        return ResourceFacts(tags=await self.platform.store.read(lambda reader: find_tags(reader, place, group)))

    async def append(self, entries: Sequence[LogEntry]) -> list[str]:
        """Store what parts of the platform log, in one transaction; when this returns, it is on disk.

        Groups and streams that are not there are made. Nothing is refused but what an entry has no right to: events are
        sorted, empty ones left out, ones that are too long stored in pieces. The answer has for each entry the action
        that was not allowed, or nothing. Raises StoreError, and then nothing was stored.
        """
        batches = [batch_of_platform(entry.events) for entry in entries]
        if not any(batches):
            return [""] * len(entries)
        now_ms, ids = self.now_ms(), self.platform.ids
        return await self.platform.store.transact(
            lambda tx: [
                append_entry(tx, ids, entry, batch, now_ms) if batch is not None else ""
                for entry, batch in zip(entries, batches, strict=True)
            ]
        )
