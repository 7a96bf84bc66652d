"""The operations on the configuration of asynchronous invocation."""

from typing import Any

from cloudlet.errors import ServiceError
from cloudlet.iam.principals import Principal, RequestContext
from cloudlet.services import targets
from cloudlet.services.base import Result, operation
from cloudlet.services.lambda_ import event_invoke
from cloudlet.services.lambda_.base import LambdaParts
from cloudlet.services.lambda_.errors import InvalidParameterValue
from cloudlet.services.lambda_.event_invoke import EventInvokeConfig
from cloudlet.services.lambda_.function import changed, check_exists
from cloudlet.services.lambda_.names import LATEST, FunctionRef, resolve
from cloudlet.services.lambda_.paging import next_marker, page_items, read_marker
from cloudlet.services.lambda_.role import SERVICE
from cloudlet.services.lambda_.version import find
from cloudlet.store.base import Reader, Row, Transaction

_DESTINATIONS = ("arn:aws:sqs:", "arn:aws:sns:", "arn:aws:lambda:", "arn:aws:events:", "arn:aws:s3:")


class EventInvokeOperations(LambdaParts):
    """PutFunctionEventInvokeConfig and what follows."""

    @operation("PutFunctionEventInvokeConfig")
    async def put_function_event_invoke_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        return await self._set(context, params, keep=False)

    @operation("UpdateFunctionEventInvokeConfig")
    async def update_function_event_invoke_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        return await self._set(context, params, keep=True)

    async def _set(self, context: RequestContext, params: dict[str, Any], *, keep: bool) -> Result:
        ref = resolve(context, params["FunctionName"], params.get("Qualifier"))
        now_ms, qualifier = self.make.now_ms(), ref.qualifier or LATEST
        given = event_invoke.changed(EventInvokeConfig(qualifier), params, now_ms)
        await self._check(context, ref, given)

        def put(tx: Transaction) -> EventInvokeConfig:
            find(tx, ref)
            before = event_invoke.existing(tx, ref) if keep else EventInvokeConfig(qualifier)
            config = event_invoke.changed(before, params, now_ms)
            event_invoke.put(tx, ref, config)
            changed(tx, ref)
            return config

        return (await self.store.transact(put)).describe(ref)

    async def _check(self, context: RequestContext, ref: FunctionRef, config: EventInvokeConfig) -> None:
        """Raises InvalidParameterValue for a destination that is none, or is not there."""
        for arn in {config.on_success, config.on_failure} - {""}:
            if not arn.startswith(_DESTINATIONS) or arn.endswith(".fifo"):
                shown = event_invoke.shown_destinations(config)
                raise InvalidParameterValue(f"The provided destination config {shown} is invalid.")
            if arn.startswith("arn:aws:s3:") and arn == config.on_success:
                raise InvalidParameterValue("S3 buckets can be destinations of failed events only.")
            await check_target(self, context, ref, arn, "destination")

    @operation("GetFunctionEventInvokeConfig")
    async def get_function_event_invoke_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = resolve(context, params["FunctionName"], params.get("Qualifier"))
        return (await self.store.read(lambda reader: event_invoke.existing(reader, ref))).describe(ref)

    @operation("ListFunctionEventInvokeConfigs")
    async def list_function_event_invoke_configs(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref, items = resolve(context, params["FunctionName"]), page_items(params)
        [after] = read_marker(params, ("",))

        def read(reader: Reader) -> list[Row]:
            check_exists(reader, ref)
            return event_invoke.page(reader, ref, after, items + 1)

        rows = await self.store.read(read)
        shown = [EventInvokeConfig.from_row(row).describe(ref) for row in rows[:items]]
        marker = next_marker(rows, items, 0)
        answer: dict[str, Any] = {"FunctionEventInvokeConfigs": shown}
        return answer | ({"NextMarker": marker} if marker else {})

    @operation("DeleteFunctionEventInvokeConfig")
    async def delete_function_event_invoke_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = resolve(context, params["FunctionName"], params.get("Qualifier"))

        def delete(tx: Transaction) -> None:
            event_invoke.existing(tx, ref)
            event_invoke.delete(tx, ref)
            changed(tx, ref)

        await self.store.transact(delete)
        return {}


async def check_target(parts: LambdaParts, context: RequestContext, ref: FunctionRef, arn: str, what: str) -> None:
    """Raises InvalidParameterValue when nothing can be sent to `arn`."""
    service = RequestContext(
        Principal.service(SERVICE, context.account), context.region, parts.platform.ids.uuid(), source_arn=ref.arn
    )
    try:
        there = await targets.exists(parts.platform, service, arn)
    except targets.TargetMissing as error:
        raise InvalidParameterValue(f"The {what} {arn} cannot be used: {error}") from error
    except ServiceError:
        return  # it is there, and whether the function's role may send is seen when it does
    if not there:
        raise InvalidParameterValue(f"The {what} ARN {arn} is invalid: there is no such resource.")
