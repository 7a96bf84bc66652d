"""The operations on provisioned concurrency."""

from typing import Any

from cloudlet.clock import now_ms
from cloudlet.compute.provisioning import Allocation
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.lambda_ import provisioned, provisioned_tables
from cloudlet.services.lambda_.base import LambdaParts
from cloudlet.services.lambda_.function import check_exists
from cloudlet.services.lambda_.names import FunctionRef, resolve
from cloudlet.services.lambda_.paging import next_marker, page_items, read_marker
from cloudlet.services.lambda_.version import Version
from cloudlet.store.base import Reader, Row


class ProvisionedOperations(LambdaParts):
    """PutProvisionedConcurrencyConfig and its like."""

    @operation("PutProvisionedConcurrencyConfig")
    async def put_provisioned_concurrency_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        provisioned.check_published(params["Qualifier"])
        ref = resolve(context, params["FunctionName"], params["Qualifier"])
        await self.settled(ref.qualified(""), updates=True)
        requested, now = params["ProvisionedConcurrentExecutions"], now_ms(self.platform.clock)
        limit = self.platform.config.concurrency
        made = await self.store.transact(lambda tx: provisioned.put(tx, ref, requested, limit, now))
        await self._apply(ref)
        _, version = await self.store.read(lambda reader: provisioned.get(reader, ref))
        return made.describe(self._allocation(ref, version), provisioned.IN_PROGRESS)

    @operation("GetProvisionedConcurrencyConfig")
    async def get_provisioned_concurrency_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        provisioned.check_named(params["Qualifier"])
        ref = resolve(context, params["FunctionName"], params["Qualifier"])
        found, version = await self.store.read(lambda reader: provisioned.get(reader, ref))
        return found.describe(self._allocation(ref, version))

    @operation("DeleteProvisionedConcurrencyConfig")
    async def delete_provisioned_concurrency_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        provisioned.check_named(params["Qualifier"])
        ref = resolve(context, params["FunctionName"], params["Qualifier"])
        await self.store.transact(lambda tx: provisioned.delete(tx, ref))
        await self._apply(ref)
        return {}

    @operation("ListProvisionedConcurrencyConfigs")
    async def list_provisioned_concurrency_configs(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref, items = resolve(context, params["FunctionName"]).qualified(""), page_items(params)
        [after] = read_marker(params, ("",))

        def read(reader: Reader) -> tuple[list[Row], dict[str, Version]]:
            check_exists(reader, ref)
            rows = provisioned_tables.page(reader, ref, after, items + 1)
            return rows, {row[0]: provisioned.target(reader, ref.qualified(row[0])) for row in rows[:items]}

        rows, versions = await self.store.read(read)
        shown = [
            {
                "FunctionArn": ref.qualified(row[0]).qualified_arn,
                **provisioned.Provisioned(*row).describe(self._allocation(ref, versions[row[0]])),
            }
            for row in rows[:items]
        ]
        marker = next_marker(rows, items, 0)
        return {"ProvisionedConcurrencyConfigs": shown} | ({"NextMarker": marker} if marker else {})

    async def _apply(self, ref: FunctionRef) -> None:
        """Here at once, elsewhere soon."""
        await self.changes.configure(ref.account, ref.region)
        await self.provisioning.reconcile(ref)

    def _allocation(self, ref: FunctionRef, version: Version) -> Allocation:
        """How far this node is. What it has not begun yet is on its way."""
        if version.state == "Failed":
            return Allocation(1, 0, version.state_reason or "The function could not be created.")
        found = self.provisioning.allocations(ref).get(version.environment_id)
        return found or Allocation(1, 0)
