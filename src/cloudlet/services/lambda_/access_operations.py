"""The operations on aliases, permissions, tags and concurrency."""

from typing import Any

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.lambda_ import alias, code_signing, concurrency, permission, role, tables, tagging, url_config
from cloudlet.services.lambda_.base import LambdaParts
from cloudlet.services.lambda_.errors import InvalidParameterValue
from cloudlet.services.lambda_.event_sources import tags as mapping_tags
from cloudlet.services.lambda_.function import check_exists
from cloudlet.services.lambda_.names import (
    CodeSigningKey,
    EventSourceKey,
    FunctionRef,
    only_function,
    resolve,
    resolve_resource,
)
from cloudlet.services.lambda_.paging import next_marker, page_items, read_marker
from cloudlet.services.lambda_.version import sequence_of
from cloudlet.store.base import Reader, Row, Transaction


class AccessOperations(LambdaParts):
    """CreateAlias, AddPermission, TagResource, PutFunctionConcurrency and their like."""

    # Aliases

    @operation("CreateAlias")
    async def create_alias(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = resolve(context, params["FunctionName"]).qualified("")
        made = await self.store.transact(lambda tx: alias.create(tx, ref, params, self.platform.ids.uuid()))
        return made.describe(ref)

    @operation("UpdateAlias")
    async def update_alias(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = resolve(context, params["FunctionName"]).qualified("")
        changed = await self.store.transact(lambda tx: alias.update(tx, ref, params, self.platform.ids.uuid()))
        return changed.describe(ref)

    @operation("GetAlias")
    async def get_alias(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = resolve(context, params["FunctionName"]).qualified("")
        found = await self.store.read(lambda reader: alias.get(reader, ref, params["Name"]))
        return found.describe(ref)

    @operation("ListAliases")
    async def list_aliases(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref, items = resolve(context, params["FunctionName"]).qualified(""), page_items(params)
        [after] = read_marker(params, ("",))
        number = params.get("FunctionVersion")

        def read(reader: Reader) -> list[Row]:
            check_exists(reader, ref)
            if number:
                return tables.aliases_of_version(reader, ref, sequence_of(number), after, items + 1)
            return tables.aliases(reader, ref, after, items + 1)

        rows = await self.store.read(read)
        shown = [alias.Alias.from_row(row).describe(ref) for row in rows[:items]]
        marker = next_marker(rows, items, 0)
        return {"Aliases": shown, "NextMarker": marker} if marker else {"Aliases": shown}

    @operation("DeleteAlias")
    async def delete_alias(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = resolve(context, params["FunctionName"]).qualified("")

        def delete(tx: Transaction) -> None:
            alias.delete(tx, ref, params["Name"])
            url_config.delete(tx, ref.qualified(params["Name"]))

        await self.store.transact(delete)
        return {}

    # Resource-based policies

    @operation("AddPermission")
    async def add_permission(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = resolve(context, params["FunctionName"], params.get("Qualifier"))
        if not await role.is_known(self.platform, context, params["Principal"]):
            raise InvalidParameterValue(permission.NO_PRINCIPAL)
        statement = await self.store.transact(lambda tx: permission.add(tx, ref, params, self.platform.ids.uuid()))
        return {"Statement": statement}

    @operation("RemovePermission")
    async def remove_permission(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = resolve(context, params["FunctionName"], params.get("Qualifier"))
        sid, revision_id = params["StatementId"], params.get("RevisionId")
        await self.store.transact(lambda tx: permission.remove(tx, ref, sid, revision_id, self.platform.ids.uuid()))
        return {}

    @operation("GetPolicy")
    async def get_policy(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = resolve(context, params["FunctionName"], params.get("Qualifier"))
        document, revision_id = await self.store.read(lambda reader: permission.policy(reader, ref))
        return {"Policy": document, "RevisionId": revision_id}

    # Tags

    @operation("TagResource")
    async def tag_resource(self, context: RequestContext, params: dict[str, Any]) -> Result:
        resource = resolve_resource(context, params["Resource"])
        if not params["Tags"]:
            raise InvalidParameterValue("An error occurred and the request cannot be processed.")
        await self._change_tags(resource, params["Tags"], [])
        return {}

    @operation("UntagResource")
    async def untag_resource(self, context: RequestContext, params: dict[str, Any]) -> Result:
        await self._change_tags(resolve_resource(context, params["Resource"]), {}, params["TagKeys"])
        return {}

    async def _change_tags(
        self, resource: FunctionRef | EventSourceKey | CodeSigningKey, add: dict[str, str], remove: list[str]
    ) -> None:
        if isinstance(resource, FunctionRef):
            await self.store.transact(lambda tx: tagging.change(tx, resource, add, remove, self.platform.ids.uuid()))
        elif isinstance(resource, EventSourceKey):
            await self.store.transact(lambda tx: mapping_tags.change(tx, resource, add, remove))
        else:
            await self.store.transact(lambda tx: code_signing.change_tags(tx, resource, add, remove))

    @operation("ListTags")
    async def list_tags(self, context: RequestContext, params: dict[str, Any]) -> Result:
        resource = resolve_resource(context, params["Resource"])
        if isinstance(resource, FunctionRef):
            return {"Tags": await self.store.read(lambda reader: tagging.read(reader, resource))}
        if isinstance(resource, EventSourceKey):
            return {"Tags": await self.store.read(lambda reader: mapping_tags.read(reader, resource))}
        return {"Tags": await self.store.read(lambda reader: code_signing.read_tags(reader, resource))}

    # Concurrency

    @operation("PutFunctionConcurrency")
    async def put_function_concurrency(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = only_function(resolve(context, params["FunctionName"]))
        amount, limit = params["ReservedConcurrentExecutions"], self.platform.config.concurrency
        await self.store.transact(lambda tx: concurrency.put(tx, ref, amount, limit))
        await self.changes.configure(ref.account, ref.region)  # here at once, elsewhere soon
        return {"ReservedConcurrentExecutions": amount}

    @operation("GetFunctionConcurrency")
    async def get_function_concurrency(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = resolve(context, params["FunctionName"]).qualified("")
        reserved = await self.store.read(lambda reader: concurrency.reserved(reader, ref))
        return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}

    @operation("DeleteFunctionConcurrency")
    async def delete_function_concurrency(self, context: RequestContext, params: dict[str, Any]) -> Result:
        ref = only_function(resolve(context, params["FunctionName"]))
        await self.store.transact(lambda tx: concurrency.delete(tx, ref))
        await self.changes.configure(ref.account, ref.region)
        return {}

    @operation("GetAccountSettings")
    async def get_account_settings(self, context: RequestContext, _params: dict[str, Any]) -> Result:
        account, region, limit = context.account, context.region, self.platform.config.concurrency
        return await self.store.read(lambda reader: concurrency.account_settings(reader, account, region, limit))
