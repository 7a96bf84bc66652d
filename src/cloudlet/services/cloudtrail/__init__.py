"""AWS CloudTrail: each call leaves an event, which LookupEvents finds for ninety days.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events.html
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Platform, Result, Service, operation
from cloudlet.services.cloudtrail import lookup, tables
from cloudlet.services.cloudtrail.queue import CallQueue
from cloudlet.services.cloudtrail.recorder import Recorder

__all__ = ["CallQueue", "CloudTrailService"]


class CloudTrailService(Service):
    """The CloudTrail service. `queue` observes the dispatcher."""

    name = "cloudtrail"
    migrations = tables.MIGRATIONS

    def __init__(self, platform: Platform, queue: CallQueue) -> None:
        super().__init__(platform)
        self._queue = queue
        self._recorder = Recorder(platform.config, platform.store, platform.clock, platform.ids, queue)

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        """Write events beside the requests."""
        tasks.create_task(self._recorder.write_forever(), name="cloudtrail: write events")
        tasks.create_task(self._recorder.sweep_forever(), name="cloudtrail: remove old events")

    async def stop(self) -> None:
        """Write what waits."""
        await self._recorder.flush()

    async def reset(self) -> None:
        """Forget what waits. The audit file stays: it is the operator's."""
        self._queue.clear()

    @operation("LookupEvents")
    async def lookup_events(self, context: RequestContext, params: Mapping[str, Any]) -> Result:
        limit = params.get("MaxResults", lookup.MAX_RESULTS)
        wanted = lookup.wanted(params, context.account, context.region, self.platform.clock.now())
        before = lookup.before(params)
        if params.get("EventCategory") == "insight":
            return {"Events": []}  # There are no unusual-activity events: nothing here makes any.
        # Whoever asks finds every call that was answered before.
        await self._recorder.flush()
        found = await self.platform.store.read(lambda reader: tables.find(reader, wanted, before, limit + 1))
        answer: dict[str, object] = {"Events": [lookup.shown(event) for event in found[:limit]]}
        if len(found) > limit:
            answer["NextToken"] = lookup.token(params, found[limit - 1])
        return answer
