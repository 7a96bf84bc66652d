"""The operations on code signing configurations."""

from typing import Any

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.lambda_ import code_signing, code_signing_tables
from cloudlet.services.lambda_.base import LambdaParts
from cloudlet.services.lambda_.code_signing import CodeSigningConfig
from cloudlet.services.lambda_.errors import InvalidParameterValue
from cloudlet.services.lambda_.function import check_exists
from cloudlet.services.lambda_.names import CodeSigningKey, FunctionRef, resolve
from cloudlet.services.lambda_.paging import next_marker, page_items, read_marker
from cloudlet.services.lambda_.version import find
from cloudlet.store.base import Reader, Row, Transaction

ID_CHARACTERS = 17


class CodeSigningOperations(LambdaParts):
    """CreateCodeSigningConfig and what follows."""

    @operation("CreateCodeSigningConfig")
    async def create_code_signing_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        config_id = f"csc-{self.platform.ids.hex(ID_CHARACTERS)}"
        key = CodeSigningKey(context.account, context.region, config_id)
        made = code_signing.new(key, params, self.make.now_ms())
        await self.store.transact(made.put)
        return {"CodeSigningConfig": made.describe()}

    @operation("UpdateCodeSigningConfig")
    async def update_code_signing_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        key, now_ms = CodeSigningKey.of(context, params), self.make.now_ms()

        def update(tx: Transaction) -> CodeSigningConfig:
            changed = code_signing.get(tx, key).changed(params, now_ms)
            changed.put(tx)
            return changed

        return {"CodeSigningConfig": (await self.store.transact(update)).describe()}

    @operation("GetCodeSigningConfig")
    async def get_code_signing_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        key = CodeSigningKey.of(context, params)
        found = await self.store.read(lambda reader: code_signing.get(reader, key))
        return {"CodeSigningConfig": found.describe()}

    @operation("DeleteCodeSigningConfig")
    async def delete_code_signing_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        key = CodeSigningKey.of(context, params)
        await self.store.transact(lambda tx: code_signing.delete(tx, key))
        return {}

    @operation("ListCodeSigningConfigs")
    async def list_code_signing_configs(self, context: RequestContext, params: dict[str, Any]) -> Result:
        items, [after] = page_items(params), read_marker(params, ("",))
        rows = await self.store.read(
            lambda reader: code_signing_tables.page(reader, context.account, context.region, after, items + 1)
        )
        shown = [CodeSigningConfig.from_row(row).describe() for row in rows[:items]]
        return _page("CodeSigningConfigs", shown, next_marker(rows, items, 2))

    @operation("ListFunctionsByCodeSigningConfig")
    async def list_functions_by_code_signing_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        key, items, [after] = CodeSigningKey.of(context, params), page_items(params), read_marker(params, ("",))

        def read(reader: Reader) -> list[Row]:
            code_signing.get(reader, key)
            return code_signing_tables.functions(reader, key, after, items + 1)

        rows = await self.store.read(read)
        shown = [FunctionRef(context.account, context.region, str(name)).arn for (name,) in rows[:items]]
        return _page("FunctionArns", shown, next_marker(rows, items, 0))

    @operation("PutFunctionCodeSigningConfig")
    async def put_function_code_signing_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref, key = resolve(context, params["FunctionName"]), CodeSigningKey.of(context, params)

        def put(tx: Transaction) -> None:
            code_signing.for_function(tx, key)
            check_exists(tx, ref)
            if find(tx, ref.qualified("")).configuration.image is not None:
                raise InvalidParameterValue(code_signing.NOT_FOR_IMAGES)
            code_signing_tables.set_code_signing(tx, ref, key.config_id)

        await self.store.transact(put)
        return {"CodeSigningConfigArn": key.arn, "FunctionName": ref.name}

    @operation("GetFunctionCodeSigningConfig")
    async def get_function_code_signing_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = resolve(context, params["FunctionName"])

        def read(reader: Reader) -> CodeSigningConfig | None:
            check_exists(reader, ref)
            return code_signing.of_function(reader, ref)

        found = await self.store.read(read)
        # AWS names the function only where it has a configuration.
        return {} if found is None else {"CodeSigningConfigArn": found.key.arn, "FunctionName": ref.name}

    @operation("DeleteFunctionCodeSigningConfig")
    async def delete_function_code_signing_config(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = resolve(context, params["FunctionName"])

        def delete(tx: Transaction) -> None:
            check_exists(tx, ref)
            code_signing_tables.set_code_signing(tx, ref, "")

        await self.store.transact(delete)
        return {}


def _page(member: str, shown: list[Any], marker: str | None) -> Result:
    return {member: shown, "NextMarker": marker} if marker else {member: shown}
