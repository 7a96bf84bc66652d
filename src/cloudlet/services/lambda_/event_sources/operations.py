"""The operations on event source mappings."""

from dataclasses import replace
from typing import Any

import orjson

from cloudlet.arn import Arn
from cloudlet.errors import ServiceError
from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.lambda_ import tagging
from cloudlet.services.lambda_.base import SETTLE_S, LambdaParts
from cloudlet.services.lambda_.errors import InvalidParameterValue, ResourceConflict, ResourceInUse, ResourceNotFound
from cloudlet.services.lambda_.event_sources import mapping as mappings
from cloudlet.services.lambda_.event_sources import settings
from cloudlet.services.lambda_.event_sources.mapping import Mapping
from cloudlet.services.lambda_.names import EventSourceKey, FunctionRef, resolve
from cloudlet.services.lambda_.paging import page_items, read_marker, write_marker
from cloudlet.services.lambda_.version import Version, find
from cloudlet.store.base import Reader, Transaction

_ACTIONS = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")


class EventSourceOperations(LambdaParts):
    """CreateEventSourceMapping and what follows."""

    @operation("CreateEventSourceMapping")
    async def create_event_source_mapping(self, context: RequestContext, params: dict[str, Any]) -> Result:
        source = settings.source(params)
        chosen = {"BatchSize": settings.QUEUE_BATCH, **settings.of_queue(params, source, {})}
        tags = params.get("Tags") or {}
        tagging.check(tags)
        ref = resolve(context, params["FunctionName"])
        is_enabled = params.get("Enabled") is not False
        mapping = Mapping(
            ref.account,
            ref.region,
            self.platform.ids.uuid(),
            ref.name,
            ref.qualifier,
            str(source),
            mappings.CREATING if is_enabled else mappings.DISABLED,
            int(is_enabled),
            "{}",
            orjson.dumps(tags).decode(),
            "",
            self.make.now_ms(),
        ).changed(chosen, self.make.now_ms())
        await self._check_queue(mapping, await self._version(ref))

        def create(tx: Transaction) -> None:
            if (same := mappings.find_same(tx, mapping)) is not None:
                raise ResourceConflict(
                    f'An event source mapping with SQS arn (" {source} ") and function (" {ref.name} ") already exists.'
                    f" Please update or delete the existing mapping with UUID {same.uuid}"
                )
            mappings.put(tx, mapping)

        await self.store.transact(create)
        return mapping.describe()

    @operation("GetEventSourceMapping")
    async def get_event_source_mapping(self, context: RequestContext, params: dict[str, Any]) -> Result:
        key = _key(context, params)
        return (await self.store.read(lambda reader: mappings.get(reader, key))).describe()

    @operation("UpdateEventSourceMapping")
    async def update_event_source_mapping(self, context: RequestContext, params: dict[str, Any]) -> Result:
        key = _key(context, params)
        before = await self._settled(key)
        source = before.source
        chosen = settings.of_queue(params, source, orjson.loads(before.settings))
        ref = resolve(context, params["FunctionName"]) if params.get("FunctionName") else before.ref
        is_enabled = before.is_enabled if params.get("Enabled") is None else int(params["Enabled"])
        after = replace(
            before.changed(chosen, self.make.now_ms()),
            name=ref.name,
            qualifier=ref.qualifier,
            is_enabled=is_enabled,
            state=_state_of_change(before, is_enabled),
        )
        if is_enabled or params.get("FunctionName"):  # what is gone can still be disabled
            await self._check_queue(after, await self._version(ref))

        def update(tx: Transaction) -> None:
            if mappings.get(tx, key).state not in mappings.SETTLED:
                raise _in_use("update")
            if mappings.find_same(tx, after) is not None:
                raise ResourceConflict("An event source mapping of this source and function already exists.")
            mappings.put(tx, after)

        await self.store.transact(update)
        return after.describe()

    @operation("DeleteEventSourceMapping")
    async def delete_event_source_mapping(self, context: RequestContext, params: dict[str, Any]) -> Result:
        key, now_ms = _key(context, params), self.make.now_ms()
        await self._settled(key)

        def delete(tx: Transaction) -> Mapping:
            found = mappings.get(tx, key)
            if found.state not in mappings.SETTLED:
                raise _in_use("delete")
            deleted = replace(found, state=mappings.DELETING, modified_ms=now_ms)
            mappings.put(tx, deleted)
            return deleted

        return (await self.store.transact(delete)).describe()

    @operation("ListEventSourceMappings")
    async def list_event_source_mappings(self, context: RequestContext, params: dict[str, Any]) -> Result:
        items = page_items(params)
        [after] = read_marker(params, ("",))
        ref = resolve(context, params["FunctionName"]) if params.get("FunctionName") else None
        found = await self.store.read(
            lambda reader: mappings.page(
                reader, context.account, context.region, params.get("EventSourceArn"), ref, after, items + 1
            )
        )
        answer: dict[str, Any] = {"EventSourceMappings": [each.describe() for each in found[:items]]}
        return answer | ({"NextMarker": write_marker([found[items - 1].uuid])} if len(found) > items else {})

    # -- what is checked

    async def _version(self, ref: FunctionRef) -> Version:
        """What the mapping would run. Raises InvalidParameterValue."""
        try:
            return await self.store.read(lambda reader: find(reader, ref))
        except ResourceNotFound as error:
            raise InvalidParameterValue("Function does not exist") from error

    async def _settled(self, key: EventSourceKey) -> Mapping:
        """The mapping, when a change that is under way is done; AWS would refuse what comes next meanwhile."""

        def is_settled(reader: Reader) -> bool:
            found = mappings.find(reader, key)
            return found is None or found.state in mappings.SETTLED

        if not await self.store.read(is_settled):
            await self.pollers.wait(key, until=is_settled, timeout_s=SETTLE_S)
        return await self.store.read(lambda reader: mappings.get(reader, key))

    async def _check_queue(self, mapping: Mapping, version: Version) -> None:
        """Raises InvalidParameterValue for a queue that the function cannot read, or that hands out too early."""
        source, role_arn = mapping.source, version.configuration.role
        if source.region != mapping.region:
            raise InvalidParameterValue(f"The queue {source} is not in the function's region, {mapping.region}.")
        for action in _ACTIONS:
            if not await self.destinations.roles.may(role_arn, mapping.region, f"sqs:{action}", str(source)):
                raise InvalidParameterValue(
                    f"The provided execution role does not have permissions to call {action} on SQS"
                )
        visibility_timeout_s = await self._visibility_timeout_s(mapping, source, role_arn)
        settings.check_timeouts(visibility_timeout_s, version.configuration.timeout_s)

    async def _visibility_timeout_s(self, mapping: Mapping, source: Arn, role_arn: str) -> int:
        request = {
            "QueueUrl": f"https://sqs.{source.region}.amazonaws.com/{source.account}/{source.resource}",
            "AttributeNames": ["VisibilityTimeout"],
        }
        try:
            caller = await self.destinations.roles.principal(
                role_arn, mapping.account, mapping.region, mapping.arn, mapping.name
            )
            context = RequestContext(caller, source.region, self.platform.ids.uuid(), source_arn=mapping.arn)
            answer = await self.platform.calls.call(context, "sqs", "GetQueueAttributes", request)
        except ServiceError as error:
            code = _SQS_CODES.get(error.code, error.code)
            raise InvalidParameterValue(
                f"Error occurred while ReceiveMessage. SQS Error Code: {code}. SQS Error Message: {error.message}"
            ) from error
        return int(answer["Attributes"]["VisibilityTimeout"])


_SQS_CODES = {"QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue"}


def _key(context: RequestContext, params: dict[str, Any]) -> EventSourceKey:
    return EventSourceKey(context.account, context.region, params["UUID"])


def _state_of_change(before: Mapping, is_enabled: int) -> str:
    if is_enabled == before.is_enabled:
        return mappings.UPDATING
    return mappings.ENABLING if is_enabled else mappings.DISABLING


def _in_use(verb: str) -> ResourceInUse:
    return ResourceInUse(f"Cannot {verb} the event source mapping because it is in use.")
