"""Destinations, to which other accounts would send events. They are kept; there is no subscription to use them yet."""

from typing import TYPE_CHECKING, Any

from cloudlet.iam.principals import RequestContext
from cloudlet.services.base import Result, operation
from cloudlet.services.logs import kept_tables
from cloudlet.services.logs.errors import ResourceNotFound
from cloudlet.services.logs.kept_tables import Destination
from cloudlet.services.logs.names import check_text, destination_arn, place_of
from cloudlet.services.logs.operations.base import Operations
from cloudlet.services.logs.operations.tags import check_tags
from cloudlet.services.logs.tokens import decode_token, encode_token
from cloudlet.store.base import Transaction

if TYPE_CHECKING:
    from types_boto3_logs.type_defs import (
        DeleteDestinationRequestTypeDef,
        DescribeDestinationsRequestTypeDef,
        PutDestinationPolicyRequestTypeDef,
        PutDestinationRequestTypeDef,
    )

DEFAULT_LIMIT = 50


class DestinationOperations(Operations):
    """Operations on destinations."""

    @operation("PutDestination")
    async def put_destination(self, context: RequestContext, params: "PutDestinationRequestTypeDef") -> Result:
        name, tags = params["destinationName"], params.get("tags") or {}
        check_text([name, params["targetArn"], params["roleArn"]])
        check_tags(tags)
        place, now_ms = place_of(context), self.now_ms()

        def put(tx: Transaction) -> Destination:
            kept = kept_tables.find_destination(tx, place, name)
            destination = Destination(
                name,
                params["targetArn"],
                params["roleArn"],
                kept.access_policy if kept else None,
                kept.created_ms if kept else now_ms,
            )
            kept_tables.put_destination(tx, place, destination)
            kept_tables.put_tags(tx, place, destination_arn(context, name), tags)
            return destination

        return {"destination": _describe(context, await self.platform.store.transact(put))}

    @operation("PutDestinationPolicy")
    async def put_destination_policy(
        self, context: RequestContext, params: "PutDestinationPolicyRequestTypeDef"
    ) -> Result:
        name, policy = params["destinationName"], params["accessPolicy"]
        check_text([name, policy])
        place = place_of(context)

        def put(tx: Transaction) -> None:
            kept = kept_tables.find_destination(tx, place, name)
            if kept is None:
                raise _not_found()
            kept_tables.put_destination(tx, place, kept._replace(access_policy=policy))

        await self.platform.store.transact(put)
        return {}

    @operation("DescribeDestinations")
    async def describe_destinations(
        self, context: RequestContext, params: "DescribeDestinationsRequestTypeDef"
    ) -> Result:
        prefix, limit = params.get("DestinationNamePrefix") or "", params.get("limit") or DEFAULT_LIMIT
        check_text(prefix)
        place, token = place_of(context), params.get("nextToken")
        (after,) = decode_token("destinations", token, [str]) if token else ("",)
        found = await self.platform.store.read(
            lambda reader: kept_tables.list_destinations(reader, place, prefix, after, limit + 1)
        )
        answer: dict[str, Any] = {"destinations": [_describe(context, each) for each in found[:limit]]}
        if len(found) > limit:
            answer["nextToken"] = encode_token("destinations", [found[limit - 1].name])
        return answer

    @operation("DeleteDestination")
    async def delete_destination(self, context: RequestContext, params: "DeleteDestinationRequestTypeDef") -> Result:
        place, name = place_of(context), params["destinationName"]
        check_text(name)

        def delete(tx: Transaction) -> None:
            if not kept_tables.delete_destination(tx, place, name):
                raise _not_found()
            kept_tables.delete_all_tags(tx, place, destination_arn(context, name))

        await self.platform.store.transact(delete)
        return {}


def _not_found() -> ResourceNotFound:
    return ResourceNotFound("The specified destination does not exist.")


def _describe(context: RequestContext, destination: Destination) -> dict[str, Any]:
    described: dict[str, Any] = {
        "destinationName": destination.name,
        "targetArn": destination.target_arn,
        "roleArn": destination.role_arn,
    }
    if destination.access_policy is not None:
        described["accessPolicy"] = destination.access_policy
    return described | {"arn": destination_arn(context, destination.name), "creationTime": destination.created_ms}
