"""The operations on function URLs."""

from typing import Any

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.lambda_ import alias, tables, url_config
from cloudlet.services.lambda_.base import LambdaParts
from cloudlet.services.lambda_.errors import ResourceConflict, ResourceNotFound
from cloudlet.services.lambda_.function import changed
from cloudlet.services.lambda_.names import LATEST, FunctionRef, resolve
from cloudlet.services.lambda_.paging import next_marker, page_items, read_marker
from cloudlet.services.lambda_.url_config import BUFFERED, UrlConfig
from cloudlet.store.base import Reader, Row, Transaction


class UrlOperations(LambdaParts):
    """CreateFunctionUrlConfig and what follows."""

    @operation("CreateFunctionUrlConfig")
    async def create_function_url_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = resolve(context, params["FunctionName"], params.get("Qualifier"))
        now_ms = self.make.now_ms()
        empty = UrlConfig(
            ref.account,
            ref.region,
            ref.name,
            ref.qualifier or LATEST,
            self.platform.ids.hex(32),
            params["AuthType"],
            "{}",
            BUFFERED,
            now_ms,
            now_ms,
        )
        config = url_config.changed(empty, params, now_ms)

        def create(tx: Transaction) -> None:
            _check(tx, ref)
            if not url_config.add(tx, config):
                raise ResourceConflict(
                    f"Failed to create function url config for [functionArn = {ref.qualified_arn}]. "
                    "Error message:  FunctionUrlConfig exists for this Lambda function"
                )
            changed(tx, ref)

        await self.store.transact(create)
        shown = config.describe(context.endpoint, with_mode="InvokeMode" in params)
        return {name: value for name, value in shown.items() if name != "LastModifiedTime"}  # as its shape has it

    @operation("GetFunctionUrlConfig")
    async def get_function_url_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = resolve(context, params["FunctionName"], params.get("Qualifier"))
        return (await self.store.read(lambda reader: _existing(reader, ref))).describe(context.endpoint)

    @operation("UpdateFunctionUrlConfig")
    async def update_function_url_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref, now_ms = resolve(context, params["FunctionName"], params.get("Qualifier")), self.make.now_ms()

        def update(tx: Transaction) -> UrlConfig:
            config = url_config.changed(_existing(tx, ref), params, now_ms)
            url_config.put(tx, config)
            changed(tx, ref)
            return config

        config = await self.store.transact(update)
        return config.describe(context.endpoint, with_mode="InvokeMode" in params)

    @operation("DeleteFunctionUrlConfig")
    async def delete_function_url_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = resolve(context, params["FunctionName"], params.get("Qualifier"))

        def delete(tx: Transaction) -> None:
            _existing(tx, ref)
            url_config.delete(tx, ref)
            changed(tx, ref)

        await self.store.transact(delete)
        return {}

    @operation("ListFunctionUrlConfigs")
    async def list_function_url_configs(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref, items = resolve(context, params["FunctionName"]), page_items(params)
        [after] = read_marker(params, ("",))

        def read(reader: Reader) -> list[Row]:
            if tables.function(reader, ref) is None:
                raise ResourceNotFound("Function does not exist")
            return url_config.page(reader, ref, after, items + 1)

        rows = await self.store.read(read)
        shown = [UrlConfig.from_row(row).describe(context.endpoint) for row in rows[:items]]
        marker = next_marker(rows, items, 3)
        answer: dict[str, Any] = {"FunctionUrlConfigs": shown}
        return answer | ({"NextMarker": marker} if marker else {})


def _check(reader: Reader, ref: FunctionRef) -> None:
    """Raises ResourceNotFound where there is no such function or alias."""
    if tables.function(reader, ref) is None:
        raise ResourceNotFound("Function does not exist")
    if ref.qualifier and ref.qualifier != LATEST:
        alias.get(reader, ref, ref.qualifier)


def _existing(reader: Reader, ref: FunctionRef) -> UrlConfig:
    found = url_config.find(reader, ref)
    if found is None:
        raise ResourceNotFound("The resource you requested does not exist.")
    return found
