"""The operations on how functions are invoked asynchronously."""

from typing import Any

from cloudlet.clock import now_ms
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.lambda_ import event_invoke_config as configs
from cloudlet.services.lambda_.base import LambdaParts
from cloudlet.services.lambda_.names import FunctionRef, resolve
from cloudlet.services.lambda_.paging import next_marker, page_items, read_marker


class EventInvokeOperations(LambdaParts):
    """PutFunctionEventInvokeConfig and its like."""

    @operation("PutFunctionEventInvokeConfig")
    async def put_function_event_invoke_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref, now = await self._checked(context, params), now_ms(self.platform.clock)
        config = await self.store.transact(lambda tx: configs.put(tx, ref, params, now))
        return config.describe(ref)

    @operation("UpdateFunctionEventInvokeConfig")
    async def update_function_event_invoke_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref, now = await self._checked(context, params), now_ms(self.platform.clock)
        config = await self.store.transact(lambda tx: configs.update(tx, ref, params, now))
        return config.describe(ref)

    @operation("GetFunctionEventInvokeConfig")
    async def get_function_event_invoke_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = resolve(context, params["FunctionName"], params.get("Qualifier"))
        config = await self.store.read(lambda reader: configs.get(reader, ref))
        return config.describe(ref)

    @operation("ListFunctionEventInvokeConfigs")
    async def list_function_event_invoke_configs(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref, items = resolve(context, params["FunctionName"]), page_items(params)
        [after] = read_marker(params, ("",))
        rows = await self.store.read(lambda reader: configs.page(reader, ref, after, items + 1))
        shown = [configs.EventInvokeConfig.from_row(row).describe(ref) for row in rows[:items]]
        marker = next_marker(rows, items, 0)
        return {"FunctionEventInvokeConfigs": shown} | ({"NextMarker": marker} if marker else {})

    @operation("DeleteFunctionEventInvokeConfig")
    async def delete_function_event_invoke_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = resolve(context, params["FunctionName"], params.get("Qualifier"))
        await self.store.transact(lambda tx: configs.delete(tx, ref))
        return {}

    async def _checked(self, context: RequestContext, params: dict[str, Any]) -> FunctionRef:
        """The function of a request whose settings are good. Raises InvalidParameterValue, ResourceNotFound."""
        configs.check_given(params)
        ref = resolve(context, params["FunctionName"], params.get("Qualifier"))
        version = await self.store.read(lambda reader: configs.target(reader, ref))
        await self.destinations.check(ref, version.configuration.role, *configs.destinations(params))
        return ref
